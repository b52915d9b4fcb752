"""Fused multiply-add."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib.wiring import In, Out

from sevedo.gen.config.formats import FloatFormat, Rounding
from sevedo.hw.float.normalise import shift_right
from sevedo.hw.float.pipeline import check_signed, check_stages, float_name, held
from sevedo.hw.float.product import ProductSum
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

    def __init__(
        self,
        format: FloatFormat,
        rounding: Rounding = Rounding.NEAREST_EVEN,
        stages: int = 0,
        operand_format: FloatFormat | None = None,
    ) -> None:
        check_signed("format", format)
        check_stages(stages, 4)
        self._format, self._rounding, self._stages = format, rounding, stages
        self._operand = operand_format or format
        super().__init__(
            {
                "a": In(self._operand.width),
                "b": In(self._operand.width),
                "c": In(format.width),
                "result": Out(format.width),
            }
        )

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
        middle = 2 * operand.precision + below
        width = above + middle

        # Exponents, counted as `Round` does, of the top bit of each word.
        offset = 2 * operand.bias - 1 - format.bias - above
        window = Signal(signed(max(operand.exponent_bits + 1, format.exponent_bits, offset.bit_length()) + 2))
        distance = Signal(window.shape())
        addend_leads = Signal()  # so far above the product that this is only a sticky bit to it
        highest = max(2 * operand.max_exponent + 1 + above + format.bias, (1 << format.exponent_bits) - 1)
        exponent = Signal(range(highest + 1))
        m.d.comb += [
            window.eq(a.exponent + b.exponent - offset),
            distance.eq(window - c.exponent),
            addend_leads.eq(distance[-1] | a.zero | b.zero),
            exponent.eq(Mux(addend_leads, c.exponent, window)),
        ]

        # The addend below the window leaves a rest alone.
        steps = width.bit_length()
        shift = Signal(steps)
        far = Signal()
        m.d.comb += [
            shift.eq(distance[:steps] & (~addend_leads).replicate(steps)),
            far.eq(distance[steps:].any() & ~addend_leads),
        ]
        aligned, lost = shift_right(m, c.significand & (~far).replicate(format.precision), shift, width)
        rest = lost | (far & ~c.zero)

        negative_product = a.negative ^ b.negative
        nan = (
            a.nan
            | b.nan
            | c.nan
            | (a.infinite & b.zero)
            | (a.zero & b.infinite)
            | ((a.infinite | b.infinite) & c.infinite & (negative_product ^ c.negative))
        )
        subtract = negative_product ^ c.negative

        # The sum, with the addend's complement for a difference, of the lower part of the window alone.
        m.submodules.product = product = ProductSum(
            operand.precision, operand.precision, below, stages=int("p" in cuts)
        )
        m.d.comb += [
            product.a.eq(a.significand),
            product.b.eq(b.significand),
            product.addend.eq(aligned[:middle] ^ subtract.replicate(middle)),
        ]
        high, rest, top, negative_product, negative_addend, addend_infinite, nan, infinite = held(
            m,
            "p" in cuts,
            aligned[middle:],
            rest,
            exponent,
            negative_product,
            c.negative,
            c.infinite,
            nan,
            a.infinite | b.infinite | c.infinite,
        )

        # A difference is product + ~addend + 1. Without the 1 its complement is addend - product; it is so used
        # when the addend is larger: when it reaches above the product, or the sum does not carry. Otherwise the 1
        # is left to the rounder. Dropped addend bits (only of a much larger product, see `_bits_below`) take its
        # place: they borrow that 1 and leave a rest.
        subtract = negative_product ^ negative_addend
        reaches = Signal()
        carry = Signal()
        reverse = Signal()
        more = Signal()
        m.d.comb += [
            reaches.eq(high.any()),
            carry.eq(product.sum[-1] & (~subtract | reaches)),
            reverse.eq(subtract & (reaches | ~product.sum[-1])),
            more.eq(subtract & ~reverse & ~rest),
        ]
        # Above the product the addend counts up or down by the carry.
        toggles: list[Value] = [carry]
        run: Value = Const(1, 1)
        for bit in (high[i] for i in range(above - 1)):
            run_ = Signal(name=f"run_{len(toggles)}")
            m.d.comb += run_.eq(run & (bit ^ subtract))
            run = run_
            toggles.append(carry & run)
        magnitude = Cat(product.sum[:-1] ^ reverse.replicate(middle), high ^ Cat(*toggles))
        negative = Mux(infinite & addend_infinite, negative_addend, negative_product ^ (reverse & ~infinite))
        toward_negative = self._rounding is Rounding.TOWARD_NEGATIVE
        zero_negative = (
            (negative_product | negative_addend) if toward_negative else negative_product & negative_addend
        )
        exact = held(m, "s" in cuts, magnitude, top, negative, zero_negative, nan, infinite, rest, more)

        m.submodules.round = rounder = Round(
            format, width, len(exponent), self._rounding, stages=int("r" in cuts)
        )
        m.d.comb += [
            rounder.magnitude.eq(exact[0]),
            rounder.exponent.eq(exact[1]),
            rounder.negative.eq(exact[2]),
            rounder.zero_negative.eq(exact[3]),
            rounder.nan.eq(exact[4]),
            rounder.infinite.eq(exact[5]),
            rounder.rest.eq(exact[6]),
            rounder.more.eq(exact[7]),
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
