"""Floating-point addition."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib.wiring import In, Out

from sevedo.gen.config.formats import FloatFormat, Rounding
from sevedo.hw.float import definition
from sevedo.hw.float.normalise import shift_right
from sevedo.hw.float.pipeline import check_signed, check_stages, float_name, held
from sevedo.hw.float.round import Round
from sevedo.hw.float.unpack import Unpack
from sevedo.hw.unit import Unit


class Add(Unit):
    """The sum of two floating-point numbers of one format.

    Timing: `stages` cycles, one result per cycle. Cuts: after the sum; then also before rounding; then also
    before the alignment; then also at the operands.
    Numerics: the exact sum rounded once (IEEE 754-2019, 5.4.1). Infinities of unequal sign give the canonical NaN;
    an exact zero of unequal operands is +0, or -0 toward negative.

    Parameters
    ----------
    a_format : format of operands and result, signed
    rounding : direction
    stages : 0 to 4
    gated : whether registers inside move in cycles with `enable` alone

    Members
    -------
    a, b : In(a_format.width)
    enable : In(1), when gated
    result : Out(a_format.width)

    Raises
    ------
    ValueError : a format without sign or zero; stages out of range.
    """

    def __init__(
        self,
        a_format: FloatFormat,
        rounding: Rounding = Rounding.NEAREST_EVEN,
        stages: int = 0,
        gated: bool = False,
    ) -> None:
        check_signed("a_format", a_format)
        check_stages(stages, 4)
        self._format, self._rounding, self._stages = a_format, rounding, stages
        self._gated = gated
        super().__init__(
            {"a": In(a_format.width), "b": In(a_format.width), "result": Out(a_format.width)}
            | ({"enable": In(1)} if gated else {})
        )

    @property
    def module_name(self) -> str:
        return float_name(
            "add", self._format, rounding=self._rounding, stages=self._stages, gated=self._gated
        )

    @property
    def latency(self) -> int:
        """Cycles from operands to result."""
        return self._stages

    @property
    def definition(self) -> str | None:
        """The sum of doubles, rounded, as Verilog; None where that is not the same."""
        format = self._format
        if not definition.is_writable(format, self._rounding) or not definition.is_innocuous_sum(format):
            return None
        total = definition.add(format, "a", "b")
        return definition.functions((format,), (format,)) + definition.assign(
            "result", format.width, total, self._stages, self._gated
        )

    def build(self) -> Module:
        m = Module()
        format, precision = self._format, self._format.precision
        enable = self.enable if self._gated else None
        a, b = held(m, self._stages > 3, self.a, self.b, enable=enable)

        # The larger magnitude first, so that a difference is never negative.
        m.submodules.unpack_large = large = Unpack(format)
        m.submodules.unpack_small = small = Unpack(format)
        swap = Signal()
        m.d.comb += [
            swap.eq(b[:-1] > a[:-1]),
            large.encoding.eq(Mux(swap, b, a)),
            small.encoding.eq(Mux(swap, a, b)),
        ]
        distance = Signal(format.exponent_bits)
        subtract = Signal()
        m.d.comb += [
            distance.eq(large.exponent - small.exponent),
            subtract.eq(large.negative ^ small.negative),
        ]
        # Two bits below the significand and their sticky suffice: at distances above one at most one bit cancels.
        steps = (precision + 2).bit_length()
        significand, smaller_, distance_, subtract_, exponent, negative, nan, infinite = held(
            m,
            self._stages > 2,
            large.significand,
            small.significand,
            distance,
            subtract,
            large.exponent,
            large.negative,
            large.nan | small.nan | (large.infinite & small.infinite & subtract),
            large.infinite,
            enable=enable,
        )
        shifted, lost = shift_right(m, smaller_, distance_[:steps], precision + 2)
        far = distance_[steps:].any()
        aligned = Signal(precision + 3)
        m.d.comb += aligned.eq(Cat(lost | (far & smaller_.any()), shifted & (~far).replicate(precision + 2)))

        sum_ = Signal(precision + 4)
        # the 1 of the two's complement enters as a carry from a bit below
        larger = Cat(subtract_, Const(0, 3), significand)
        smaller = Cat(subtract_, aligned ^ subtract_.replicate(len(aligned)))
        m.d.comb += sum_.eq((larger + smaller)[1:])
        magnitude = Signal(precision + 4)
        # the carry of a difference means that it is not negative; of a sum, that it is a bit longer
        m.d.comb += magnitude.eq(Cat(sum_[:-1], sum_[-1] & ~subtract_))
        toward_negative = self._rounding is Rounding.TOWARD_NEGATIVE
        zero_negative = (negative | subtract_) if toward_negative else negative & ~subtract_
        exact = held(
            m,
            self._stages > 0,
            magnitude,
            (exponent + 1)[: format.exponent_bits + 1],
            negative,
            zero_negative,
            nan,
            infinite,
            enable=enable,
        )

        m.submodules.round = rounder = Round(
            format,
            precision + 4,
            format.exponent_bits + 1,
            self._rounding,
            stages=int(self._stages > 1),
            gated=self._gated,
        )
        if self._gated:
            m.d.comb += rounder.enable.eq(self.enable)
        m.d.comb += [
            rounder.magnitude.eq(exact[0]),
            rounder.exponent.eq(exact[1]),
            rounder.negative.eq(exact[2]),
            rounder.zero_negative.eq(exact[3]),
            rounder.nan.eq(exact[4]),
            rounder.infinite.eq(exact[5]),
            self.result.eq(rounder.result),
        ]
        return m
