"""Conversions between floating-point formats."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib.wiring import In, Out

from sevedo.gen.config.formats import FloatFormat, Rounding
from sevedo.hw.float import definition
from sevedo.hw.float.pipeline import check_stages, float_name, held
from sevedo.hw.float.round import Round
from sevedo.hw.float.unpack import Unpack
from sevedo.hw.float.window import Window
from sevedo.hw.unit import Unit


class Convert(Unit):
    """A number in another floating-point format.

    Timing: `stages` cycles, one result per cycle. Cuts: before rounding; then also at the operand.
    Numerics: rounded once, as `FloatFormat.encode`; every NaN becomes the canonical one.

    Parameters
    ----------
    source, target : the formats
    rounding : direction
    stages : 0 to 2
    gated : whether registers inside move in cycles with `enable` alone

    Members
    -------
    a : In(source.width)
    enable : In(1), when gated
    result : Out(target.width)

    Raises
    ------
    ValueError : stages out of range.
    """

    def __init__(
        self,
        source: FloatFormat,
        target: FloatFormat,
        rounding: Rounding = Rounding.NEAREST_EVEN,
        stages: int = 0,
        gated: bool = False,
    ) -> None:
        check_stages(stages, 2)
        self._source, self._target, self._rounding, self._stages = source, target, rounding, stages
        self._gated = gated
        super().__init__(
            {"a": In(source.width), "result": Out(target.width)} | ({"enable": In(1)} if gated else {})
        )

    @property
    def module_name(self) -> str:
        return float_name(
            "convert",
            self._source,
            self._target,
            rounding=self._rounding,
            stages=self._stages,
            gated=self._gated,
        )

    @property
    def latency(self) -> int:
        """Cycles from operand to result."""
        return self._stages

    @property
    def definition(self) -> str | None:
        """A double, rounded, as Verilog; None where that is not the same."""
        source, target = self._source, self._target
        writable = definition.is_writable(target, self._rounding)
        if not definition.is_readable(source) or not writable:
            return None
        number = definition.to_real(source, "a")
        return definition.functions((source,), (target,)) + definition.assign(
            "result", target.width, definition.from_real(target, number), self._stages, self._gated
        )

    def build(self) -> Module:
        m = Module()
        m.submodules.unpack = a = Unpack(self._source)
        enable = self.enable if self._gated else None
        m.d.comb += a.encoding.eq(held(m, self._stages > 1, self.a, enable=enable)[0])
        window = Window(
            self._target,
            self._source.precision,
            lowest=self._source.min_exponent,
            highest=self._source.max_exponent,
        )
        m.submodules.round = rounder = Round(
            self._target,
            window.width,
            window.exponent_bits,
            self._rounding,
            int(self._stages > 0),
            window.subnormal,
            window.overflow,
            gated=self._gated,
        )
        if self._gated:
            m.d.comb += rounder.enable.eq(self.enable)
        m.d.comb += [
            rounder.magnitude.eq(a.significand),
            rounder.exponent.eq(window.exponent(m, a.exponent, self._source.bias)),
            rounder.negative.eq(a.negative),
            rounder.zero_negative.eq(a.negative),
            rounder.nan.eq(a.nan),
            rounder.infinite.eq(a.infinite),
            self.result.eq(rounder.result),
        ]
        return m
