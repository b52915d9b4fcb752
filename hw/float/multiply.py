"""Floating-point multiplication."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib.wiring import In, Out

from sevedo.gen.config.formats import FloatFormat, Rounding
from sevedo.hw.float import definition
from sevedo.hw.float.pipeline import check_stages, float_name, held
from sevedo.hw.float.product import ProductSum
from sevedo.hw.float.round import Round
from sevedo.hw.float.unpack import Unpack
from sevedo.hw.float.window import Window
from sevedo.hw.unit import Unit


class Multiply(Unit):
    """The product of two floating-point numbers, which may have different formats.

    Timing: `stages` cycles, one result per cycle. Cuts: after the product; then also before rounding; then also
    inside the product, before the sum of its two last rows; then also at the operands.
    Numerics: the exact product rounded once (IEEE 754-2019, 5.4.1); infinity * 0 is the canonical NaN.

    Parameters
    ----------
    a_format, b_format, result_format : formats of operands and result, in any mixture
    rounding : direction
    stages : 0 to 4

    Members
    -------
    a : In(a_format.width)
    b : In(b_format.width)
    result : Out(result_format.width)

    Raises
    ------
    ValueError : stages out of range.
    """

    def __init__(
        self,
        a_format: FloatFormat,
        b_format: FloatFormat,
        result_format: FloatFormat,
        rounding: Rounding = Rounding.NEAREST_EVEN,
        stages: int = 0,
    ) -> None:
        check_stages(stages, 4)
        self._a, self._b, self._result, self._rounding = a_format, b_format, result_format, rounding
        self._stages = stages
        super().__init__(
            {
                "a": In(a_format.width),
                "b": In(b_format.width),
                "result": Out(result_format.width),
            }
        )

    @property
    def module_name(self) -> str:
        return float_name(
            "multiply", self._a, self._b, self._result, rounding=self._rounding, stages=self._stages
        )

    @property
    def latency(self) -> int:
        """Cycles from operands to result."""
        return self._stages

    @property
    def definition(self) -> str | None:
        """The product of doubles, rounded, as Verilog; None where that is not the same."""
        a, b, result = self._a, self._b, self._result
        if (
            not definition.is_readable(a, b)
            or not definition.is_writable(result, self._rounding)
            or not definition.is_exact_product(a, b)
        ):
            return None
        product = definition.multiply(a, b, result, "a", "b")
        return definition.functions((a, b), (result,)) + definition.assign(
            "result", result.width, product, self._stages
        )

    def build(self) -> Module:
        m = Module()
        m.submodules.unpack_a = a = Unpack(self._a)
        m.submodules.unpack_b = b = Unpack(self._b)
        operand_a, operand_b = held(m, self._stages > 3, self.a, self.b)
        m.d.comb += [a.encoding.eq(operand_a), b.encoding.eq(operand_b)]

        inside = self._stages > 2
        m.submodules.product = unit = ProductSum(
            self._a.precision, self._b.precision, has_addend=False, stages=int(inside)
        )
        m.d.comb += [unit.a.eq(a.significand), unit.b.eq(b.significand)]
        product = unit.sum
        window = Window(
            self._result,
            len(product),
            lowest=self._a.min_exponent + self._b.min_exponent + 1,
            highest=self._a.max_exponent + self._b.max_exponent + 1,
        )
        offset = self._a.bias + self._b.bias - 1
        exponent = window.exponent(m, a.exponent + b.exponent, offset)
        nan = a.nan | b.nan | (a.infinite & b.zero) | (a.zero & b.infinite)
        others = held(m, inside, exponent, a.negative ^ b.negative, nan, a.infinite | b.infinite)
        exact = held(m, self._stages > 0, product, *others)

        m.submodules.round = rounder = Round(
            self._result,
            window.width,
            window.exponent_bits,
            self._rounding,
            int(self._stages > 1),
            window.subnormal,
            window.overflow,
        )
        m.d.comb += [
            rounder.magnitude.eq(exact[0]),  # zeros above
            rounder.exponent.eq(exact[1]),
            rounder.negative.eq(exact[2]),
            rounder.zero_negative.eq(exact[2]),
            rounder.nan.eq(exact[3]),
            rounder.infinite.eq(exact[4]),
            self.result.eq(rounder.result),
        ]
        return m
