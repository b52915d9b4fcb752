"""Floating-point addition in the time of one shift and one sum."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib.wiring import In, Out

from sevedo.gen.config.formats import FloatFormat
from sevedo.hw.float import definition
from sevedo.hw.float.normalise import leading_zeros, shift_left, shift_right
from sevedo.hw.float.pipeline import float_name
from sevedo.hw.float.prefix import compound_sum
from sevedo.hw.float.unpack import Unpack
from sevedo.hw.unit import Unit


class TwoPathAdd(Unit):
    """The sum of two floating-point numbers, to nearest even: as `Add`, faster and larger.

    For sums that must be there in the next cycle, where `Add` cannot be cut. Two ways to the result, side by side
    (Farmwald: On the Design of High Performance Digital Arithmetic Units, 1981; rounding by choice between two sums:
    Seidel and Even: Delay-optimized implementation of IEEE floating-point addition, IEEE Trans. Computers 53(2), 2004):
    *far* aligns, adds and rounds, and shifts its sum by at most one place; *near*, for differences of numbers whose
    exponents differ by at most one and whose result needs more than that, subtracts and normalises, and never rounds.

    Timing: combinational.
    Numerics: as `Add` to nearest even.

    Parameters
    ----------
    a_format : format of operands and result, IEEE's kind: signed, with infinities, NaNs and subnormals

    Members
    -------
    a, b : In(a_format.width)
    result : Out(a_format.width)

    Raises
    ------
    ValueError : another kind of format.
    """

    latency = 0

    def __init__(self, a_format: FloatFormat) -> None:
        if not definition.is_writable(a_format):
            raise ValueError(f"a_format={a_format.name} must be signed, with infinities, NaNs and subnormals")
        self._format = a_format
        super().__init__({"a": In(a_format.width), "b": In(a_format.width), "result": Out(a_format.width)})

    @property
    def module_name(self) -> str:
        return float_name("two_path_add", self._format)

    @property
    def definition(self) -> str | None:
        """The sum of doubles, rounded, as Verilog; None where that is not the same."""
        format = self._format
        if not definition.is_innocuous_sum(format):
            return None
        total = definition.add(format, "a", "b")
        return definition.functions((format,), (format,)) + f"  assign result = {total};\n"

    def build(self) -> Module:
        m = Module()
        format = self._format
        m.submodules.unpack_a = a = Unpack(format)
        m.submodules.unpack_b = b = Unpack(format)
        subtract = Signal()
        m.d.comb += [
            a.encoding.eq(self.a),
            b.encoding.eq(self.b),
            subtract.eq(a.negative ^ b.negative),
        ]
        a_less = Signal()
        distance = Signal(format.exponent_bits)
        exponent = Signal(format.exponent_bits)
        a_minus_b, b_minus_a = a.exponent - b.exponent, b.exponent - a.exponent
        m.d.comb += [
            a_less.eq(a_minus_b[-1]),
            distance.eq(Mux(a_less, b_minus_a, a_minus_b)),
            exponent.eq(Mux(a_less, b.exponent, a.exponent)),
        ]
        far = self._far(m, a, b, a_less, distance, exponent, subtract)
        near, near_negative, is_near = self._near(m, a, b, exponent, subtract, distance)

        body = format.width - 1
        finite = Signal(body)
        chosen = Signal(body)
        negative = Signal()
        infinite = Signal()
        nan = Signal()
        m.d.comb += [
            finite.eq(Mux(is_near, near, far)),
            infinite.eq(a.infinite | b.infinite),
            nan.eq(a.nan | b.nan | (a.infinite & b.infinite & subtract)),
            # a sum beyond the largest number has all ones as its exponent, and a fraction
            chosen.eq(
                Cat(
                    finite[: format.fraction_bits]
                    & (~finite[format.fraction_bits :].all()).replicate(format.fraction_bits),
                    finite[format.fraction_bits :],
                )
            ),
            negative.eq(
                Mux(
                    infinite,
                    Mux(a.infinite, a.negative, b.negative),
                    Mux(is_near, near_negative, Mux(a_less, b.negative, a.negative)),
                )
            ),
            self.result.eq(Cat(chosen, negative)),
        ]
        with m.If(infinite):
            m.d.comb += self.result.eq(Cat(Const(format.infinity(False), body), negative))
        with m.If(nan):
            m.d.comb += self.result.eq(format.nan)
        return m

    def _far(
        self,
        m: Module,
        a: Unpack,
        b: Unpack,
        a_less: Value,
        distance: Value,
        exponent: Value,
        subtract: Value,
    ) -> Value:
        """Exponent and fraction of a sum, or of a difference of at least half the larger number."""
        format, precision = self._format, self._format.precision
        large = Signal(precision)
        small = Signal(precision)
        m.d.comb += [
            large.eq(Mux(a_less, b.significand, a.significand)),
            small.eq(Mux(a_less, a.significand, b.significand)),
        ]
        steps = (precision + 2).bit_length()
        shifted, lost = shift_right(m, small, distance[:steps], precision + 2)
        beyond = distance[steps:].any()
        aligned = Signal(precision + 3)
        m.d.comb += aligned.eq(
            Cat(lost | (beyond & small.any()), shifted & (~beyond).replicate(precision + 2))
        )
        # In thirds: the places of the result, and three below. Of a difference the latter are the complement's.
        upper, below = aligned[3:], aligned[:3]
        rest = Signal(3)
        exact = Signal()
        m.d.comb += [
            rest.eq(Mux(subtract, (-below)[:3], below)),
            exact.eq(subtract & ~below.any()),
        ]
        sum_, next_ = compound_sum(m, "far", large, upper ^ subtract.replicate(precision))
        # The bit above is that of a sum; in a difference it says that it is not negative.
        sum_ = Cat(sum_[:-1], sum_[-1] & ~subtract)
        next_ = Cat(next_[:-1], next_[-1] & ~subtract)
        guard, round_, sticky = rest[2], rest[1], rest[0]
        up = Signal()
        m.d.comb += up.eq(
            exact
            | Mux(
                sum_[precision],
                sum_[0] & (guard | round_ | sticky | sum_[1]),
                Mux(
                    sum_[precision - 1] | ~subtract,
                    guard & (round_ | sticky | sum_[0]),
                    guard & round_,
                ),
            )
        )
        lowest = guard ^ (round_ & (sticky | guard))
        more, less = exponent + 1, exponent - 1

        def placed(total: Value, low: Value) -> Value:
            """Fraction and exponent of a rounded significand."""
            top, hidden = total[precision], total[precision - 1]
            fraction = Mux(
                top,
                total[1:precision],
                Mux(hidden | ~subtract, total[: precision - 1], Cat(low, total[: precision - 2])),
            )
            # without a hidden bit a sum is subnormal, a difference one place lower
            none = Mux(subtract, less[: format.exponent_bits], 0)
            field = Mux(top, more[: format.exponent_bits], Mux(hidden, exponent, none))
            return Cat(fraction, field)

        kept = Signal(format.width - 1)
        raised = Signal(format.width - 1)
        m.d.comb += [kept.eq(placed(sum_, lowest)), raised.eq(placed(next_, Const(0, 1)))]
        return Mux(up, raised, kept)

    def _near(
        self, m: Module, a: Unpack, b: Unpack, exponent: Value, subtract: Value, distance: Value
    ) -> tuple[Value, Value, Value]:
        """Exponent and fraction of a difference that is exact; whether it is negative; whether it is the result."""
        format, precision = self._format, self._format.precision
        # Two bits of the exponents tell which is larger when they differ by one.
        low = (a.exponent[:2] - b.exponent[:2])[:2]
        equal, b_larger = ~low.any(), low[1]
        minuend = Signal(precision + 1)
        subtrahend = Signal(precision + 1)
        other = Mux(b_larger, a.significand, b.significand)
        m.d.comb += [
            minuend.eq(Cat(Const(0, 1), Mux(b_larger, b.significand, a.significand))),
            subtrahend.eq(Mux(equal, Cat(Const(0, 1), other), other)),
        ]
        less_one, positive = compound_sum(m, "near", minuend, ~subtrahend)
        not_negative = positive[-1]
        difference = Signal(precision + 1)
        m.d.comb += difference.eq(Mux(not_negative, positive[:-1], ~less_one[:-1]))
        # Below the smallest normal number the shift stops at the exponent: a one at its place ends the count.
        stop = Cat((exponent == precision + 1 - place) for place in range(precision + 1))
        word = Signal(precision + 1)
        m.d.comb += word.eq(difference | stop)
        count = leading_zeros(m, word)
        shifted, _, _ = shift_left(m, difference, count, precision + 1, Const(0, 1))
        hidden = shifted[precision]
        field = (exponent - count)[: format.exponent_bits] & hidden.replicate(format.exponent_bits)
        negative = Mux(
            equal,
            Mux(not_negative, a.negative, b.negative) & difference.any(),
            Mux(b_larger, b.negative, a.negative),
        )
        close = subtract & ~distance[1:].any()
        is_near = Signal()
        m.d.comb += is_near.eq(close & (~distance[0] | ~difference[precision]))
        return Cat(shifted[1:precision], field), negative, is_near
