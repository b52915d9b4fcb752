"""The scale of a group: its maximum over a constant."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib.wiring import In, Out

from sevedo.gen.config import Rounding
from sevedo.hw.float import Round, Unpack
from sevedo.hw.float.pipeline import check_stages, held
from sevedo.hw.float.window import Window
from sevedo.hw.quantizer.divide import ConstantDivision
from sevedo.hw.quantizer.rule import ActivationRule
from sevedo.hw.unit import Unit


class GroupScale(Unit):
    """``SCALE(max / divisor)``: one rounding, to nearest even; up where the format has no fraction (E8M0).

    Timing: one scale per cycle, `latency` cycles from the maximum; there is a cut between normalising and rounding.
    With `stages` there is one behind the division, with two also one inside it.
    Numerics: exact (docs/numerics.md): infinity and NaN stay what they are, and what the format cannot hold overflows.

    Parameters
    ----------
    rule : how activations are quantized
    stages : further registers, 0 to 2

    Members
    -------
    peak : In(rule.peak_bits), a magnitude of the data format
    scale : Out(rule.scale.width)
    """

    def __init__(self, rule: ActivationRule, stages: int = 0) -> None:
        check_stages(stages, 2)
        self.rule = rule
        self.stages = stages
        super().__init__({"peak": In(rule.peak_bits), "scale": Out(rule.scale.width)})

    @property
    def module_name(self) -> str:
        return f"group_scale_{self.rule.name}{f'_stages{self.stages}' if self.stages else ''}"

    @property
    def latency(self) -> int:
        """Cycles from a maximum to its scale."""
        return 1 + self.stages

    @property
    def places(self) -> int:
        """Zeros below the significand of the maximum: the quotient then has at least a bit more than the result.

        That is so for normal numbers. Subnormal ones have fewer bits, but need no more where the last place of the
        quotient is below the last place of the scale's subnormal numbers.
        """
        number, scale, divisor = self.rule.data, self.rule.scale, self.rule.divisor
        least = 1 << (number.precision - 1)  # a significand

        def enough(significand: int) -> int:
            return next(t for t in range(200) if (significand << t) // divisor >> scale.precision)

        normal = enough(least)
        last_place = number.min_exponent - number.fraction_bits
        half_unit = scale.min_exponent - scale.precision
        return normal if last_place - normal <= half_unit else enough(1)

    def build(self) -> Module:
        m = Module()
        rule = self.rule
        number = rule.data
        m.submodules.unpack = peak = Unpack(number)
        m.submodules.divide = divide = ConstantDivision(
            number.precision, self.places, rule.divisor, stages=int(self.stages > 1)
        )
        bits = len(divide.quotient)
        above = bits - number.precision - self.places  # from the exponent of the significand's top bit
        window = Window(rule.scale, bits, number.min_exponent + above, number.max_exponent + above)
        m.submodules.round = rounder = Round(
            rule.scale,
            window.width,
            window.exponent_bits,
            Rounding.NEAREST_EVEN if rule.scale.has_zero else Rounding.TOWARD_POSITIVE,
            1,
            window.subnormal,
            window.overflow,
        )
        exponent = window.exponent(m, peak.exponent, number.bias - above)
        others = held(m, self.stages > 1, exponent, peak.nan, peak.infinite)
        quotient, rest, exponent, nan, infinite = held(
            m, self.stages > 0, divide.quotient, divide.rest, *others
        )
        m.d.comb += [
            peak.encoding.eq(self.peak),
            divide.a.eq(peak.significand),
            rounder.magnitude.eq(quotient),  # zeros above
            rounder.rest.eq(rest),
            rounder.exponent.eq(exponent),
            rounder.nan.eq(nan),
            rounder.infinite.eq(infinite),
            self.scale.eq(rounder.result),
        ]
        return m
