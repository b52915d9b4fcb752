"""Fused multiply-add."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib.wiring import In, Out

from sevedo.gen.config.formats import FloatFormat, Rounding
from sevedo.hw.float.pipeline import check_signed, check_stages, float_name, held
from sevedo.hw.float.round import Round
from sevedo.hw.float.unpack import Unpack
from sevedo.hw.unit import Unit


class FusedMultiplyAdd(Unit):
    """``a * b + c`` with one rounding; the factors may have a smaller format than addend and result.

    Timing: `stages` cycles, one result per cycle. Cuts: 1, after the sum; 2, after product and alignment and before
    rounding; 3, all of these; 4, at the operands, too.
    Numerics: the exact value rounded once (IEEE 754-2019, 5.4.1). infinity * 0 and infinity - infinity give the
    canonical NaN; an exact zero of product and addend of unequal sign is +0, or -0 toward negative.

    Parameters
    ----------
    format : addend and result, signed
    rounding : direction
    stages : 0 to 4
    operand_format : the factors; the same as `format` when not given

    Members
    -------
    a, b : In(operand_format.width)
    c : In(format.width)
    result : Out(format.width)

    Raises
    ------
    ValueError : a result format without sign or zero; stages out of range.
    """

    def __init__(self, format: FloatFormat, rounding: Rounding = Rounding.NEAREST_EVEN, stages: int = 0,
                 operand_format: FloatFormat | None = None) -> None:
        check_signed("format", format)
        check_stages(stages, 4)
        self._format, self._rounding, self._stages = format, rounding, stages
        self._operand = operand_format or format
        super().__init__({
            "a": In(self._operand.width),
            "b": In(self._operand.width),
            "c": In(format.width),
            "result": Out(format.width),
        })

    @property
    def module_name(self) -> str:
        formats = [self._format] if self._operand == self._format else [self._operand, self._format]
        return float_name("multiply_add", *formats, rounding=self._rounding, stages=self._stages)

    @property
    def latency(self) -> int:
        """Cycles from operands to result."""
        return self._stages

    def build(self) -> Module:
        m = Module()
        format, operand, stages = self._format, self._operand, self._stages
        cuts = {0: "", 1: "s", 2: "pr", 3: "psr", 4: "opsr"}[stages]
        m.submodules.unpack_a = a = Unpack(operand)
        m.submodules.unpack_b = b = Unpack(operand)
        m.submodules.unpack_c = c = Unpack(format)
        held_a, held_b, held_c = held(m, "o" in cuts, self.a, self.b, self.c)
        m.d.comb += [a.encoding.eq(held_a), b.encoding.eq(held_b), c.encoding.eq(held_c)]

        # The window: room for an addend above the product, the product, room for an addend below a small product.
        above = format.precision + 2
        below = _bits_below(operand, format)
        width = above + 2 * operand.precision + below
        product = Signal(2 * operand.precision)
        product_zero = a.zero | b.zero
        m.d.comb += product.eq(a.significand * b.significand)

        # Exponents as fields of the result format, of the top bit of each word.
        offset = 2 * operand.bias - 1 - format.bias - above
        window = Signal(signed(max(operand.exponent_bits + 1, format.exponent_bits, offset.bit_length()) + 2))
        distance = Signal(window.shape())
        m.d.comb += [window.eq(a.exponent + b.exponent - offset), distance.eq(window - c.exponent)]
        addend_leads = Signal()  # so far above the product that this is only a sticky bit to it
        m.d.comb += addend_leads.eq((distance < 0) | product_zero)
        highest = max(2 * operand.max_exponent + 1 + above + format.bias, (1 << format.exponent_bits) - 1)
        exponent = Signal(range(highest + 1))
        shift = Signal(range(width + 1))
        m.d.comb += exponent.eq(Mux(addend_leads, c.exponent, window))
        with m.If(addend_leads):
            m.d.comb += shift.eq(0)
        with m.Elif(distance > width):
            m.d.comb += shift.eq(width)
        with m.Else():
            m.d.comb += shift.eq(distance)
        wide = Signal(width + format.precision)
        m.d.comb += wide.eq(Cat(Const(0, width), c.significand) >> shift)

        negative_product = a.negative ^ b.negative
        nan = (a.nan | b.nan | c.nan | (a.infinite & b.zero) | (a.zero & b.infinite)
               | ((a.infinite | b.infinite) & c.infinite & (negative_product ^ c.negative)))
        infinite = a.infinite | b.infinite | c.infinite
        product_, wide_, exponent_, negative_product_, negative_addend, addend_infinite, nan_, infinite_ = held(
            m, "p" in cuts, product, wide, exponent, negative_product, c.negative, c.infinite, nan, infinite)

        # A difference with dropped addend bits is positive (`_bits_below`): they borrow one and leave a rest.
        subtract = Signal()
        rest = Signal()
        total = Signal(signed(width + 2))
        addend = wide_[format.precision:]
        placed = Cat(Const(0, below), product_)
        m.d.comb += [
            subtract.eq(negative_product_ ^ negative_addend),
            rest.eq(wide_[:format.precision].any()),
            total.eq(Mux(subtract, placed - addend - rest, placed + addend)),
        ]
        negative_total = total[-1]
        magnitude = Signal(width)
        m.d.comb += magnitude.eq(Mux(negative_total, -total, total))
        zero = subtract & ~total.any() & ~rest
        negative = Signal()
        m.d.comb += negative.eq(Mux(
            infinite_, Mux(addend_infinite, negative_addend, negative_product_),
            Mux(zero, int(self._rounding is Rounding.TOWARD_NEGATIVE), negative_product_ ^ negative_total)))
        exact = held(m, "s" in cuts, magnitude, exponent_, negative, nan_, infinite_, rest)

        m.submodules.round = rounder = Round(
            format, width, len(exponent), self._rounding, stages=int("r" in cuts))
        m.d.comb += [
            rounder.magnitude.eq(exact[0]),
            rounder.exponent.eq(exact[1]),
            rounder.negative.eq(exact[2]),
            rounder.nan.eq(exact[3]),
            rounder.infinite.eq(exact[4]),
            rounder.rest.eq(exact[5]),
            self.result.eq(rounder.result),
        ]
        return m


def _bits_below(operand: FloatFormat, format: FloatFormat) -> int:
    """Bits that the window needs below the product.

    Addend bits below the window are dropped. That is harmless when the result keeps its half bit inside the window.
    Let the top one of a non-zero product be at bit q above its lowest. An addend that reaches k bits below that
    lowest bit is less than 2^(precision - k): from k = precision + 2 - q on, less than a quarter of the product,
    so that the top one of a difference is at q - 1 or above and its half bit at ``q - 1 - precision`` or above.
    """
    if not operand.subnormals:
        top = 2 * operand.fraction_bits
    elif 2 * operand.min_exponent - 2 * operand.fraction_bits > format.min_exponent - format.fraction_bits:
        top = 0  # both factors subnormal, and the addend can still be finer
    else:
        top = operand.fraction_bits
    return max(0, format.precision + 1 - top)
