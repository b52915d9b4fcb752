"""From a number and the step of its group to a code."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib import data
from amaranth.lib.wiring import In, Out

from sevedo.hw.float import Unpack
from sevedo.hw.float.pipeline import check_stages, held
from sevedo.hw.integer.compress import BitHeap
from sevedo.hw.quantizer.rule import ActivationRule
from sevedo.hw.unit import Unit

SEARCHED = 7
"""Codes of one digit up to this are searched for among all thresholds; larger ones take a division."""


class ActivationCode(Unit):
    """The code of one number: ``clamp(round_half_even(x / step), -qmax, qmax)``, without a division by the step.

    Timing: `stages` cycles that move with `enable`, one code per cycle. The cut is before the comparisons; thresholds
    come behind it.
    Numerics: exact (docs/numerics.md); `ActivationRule` has the integers that are compared, `ActivationStep` what it
    says for scales that are zero or not finite.

    Parameters
    ----------
    rule : how activations are quantized
    stages : 0 or 1

    Members
    -------
    x : In(rule.data.width)
    exponent : In(signed(rule.exponent_bits)), of the step; d + 1 is the biased exponent of x less this
    thresholds : In(ArrayLayout(width, n)), (2 c - 1) M' for c = 1..qmax; without a search M' alone
    enable : In(1), with a stage
    digits : Out(ArrayLayout(signed(digit_bits), digits)), the low one first
    """

    def __init__(self, rule: ActivationRule, stages: int = 0) -> None:
        check_stages(stages, 1)
        self.rule = rule
        self.stages = stages
        super().__init__(
            {
                "x": In(rule.data.width),
                "exponent": In(signed(rule.exponent_bits)),
                "thresholds": In(thresholds(rule)),
                "digits": Out(data.ArrayLayout(signed(rule.digit_bits), rule.digits)),
            }
            | ({"enable": In(1)} if stages else {})
        )

    @property
    def module_name(self) -> str:
        return f"activation_code_{self.rule.name}{'_stages1' if self.stages else ''}"

    @property
    def latency(self) -> int:
        """Enabled cycles from a number to its code."""
        return self.stages

    def build(self) -> Module:
        m = Module()
        rule = self.rule
        m.submodules.unpack = x = Unpack(rule.data)
        amount = Signal(signed(rule.exponent_bits + 1))
        distance = Signal(rule.distance_bits)
        left = amount[: rule.most_left.bit_length()]
        significand = x.significand << (rule.precision - rule.data.precision)
        m.d.comb += [x.encoding.eq(self.x), amount.eq(x.exponent - self.exponent)]
        with m.If(amount >= 0):
            m.d.comb += distance.eq(significand << left)
        whole, negative = held(
            m, self.stages > 0, distance, x.negative, enable=self.enable if self.stages else None
        )
        magnitude = self._search(m, whole) if searches(rule) else self._divide(m, whole)
        code = Signal(signed(rule.digit_bits * rule.digits))
        m.d.comb += code.eq(Mux(negative, -magnitude, magnitude))
        if rule.digits == 1:
            m.d.comb += self.digits[0].eq(code)
        else:  # a low digit of 2^(bits - 1) or more stands for itself less 2^bits: the high one is one more
            bits = rule.digit_bits
            m.d.comb += [
                self.digits[0].eq(code[:bits].as_signed()),
                self.digits[1].eq(code[bits:].as_signed() + code[bits - 1]),
            ]
        return m

    def _search(self, m: Module, distance: Value) -> Value:
        """Bits of the code from the top, a comparison for each. Ties go to the even code: odd ones must be exceeded."""
        bits: list[Value] = []  # the lowest first
        for place in reversed(range(self.rule.qmax.bit_length())):
            # the codes that have a one here and zeros below, chosen by the bits above
            found = [self.thresholds[code - 1] for code in range(1 << place, self.rule.qmax + 1, 2 << place)]
            for above in bits:
                found = [Mux(above, one, zero) for zero, one in zip(found[::2], found[1::2], strict=True)]
            bit = Signal(name=f"bit_{place}")
            m.d.comb += bit.eq(distance >= found[0] if place else distance > found[0])
            bits.insert(0, bit)
        return Cat(*bits)

    def _divide(self, m: Module, distance: Value) -> Value:
        """Bits of the quotient of A + M' over 2 M', from the top; a tie loses its last bit, which makes it even."""
        rule, step = self.rule, self.thresholds[0]
        bits = rule.qmax.bit_length()
        rest = _sum(m, distance, step)
        quotient = Signal(bits)
        for place in reversed(range(bits)):
            low, high = rest[: place + 1], rest[place + 1 :]
            less = Signal(signed(len(high) + 1), name=f"less_{place}")
            m.d.comb += less.eq(_sum(m, high, step, negative=True))
            if place == 0:
                m.d.comb += quotient[0].eq((less >= 0) & (less.any() | low.any()))
                break
            m.d.comb += quotient[place].eq(less >= 0)
            kept = Signal(rule.step_bits + self._rest_bits(place), name=f"rest_{place}")
            m.d.comb += kept.eq(Cat(low, Mux(quotient[place], less, high)))
            rest = kept
        return Mux(quotient > rule.qmax, rule.qmax, quotient)

    def _rest_bits(self, place: int) -> int:
        """Bits that a rest has above those of M', when the quotient's bits down to `place` are found.

        It is less than 2 M' << place, or the quotient is too large and has ones alone: then what is beyond remains.
        """
        rule, bits = self.rule, self.rule.qmax.bit_length()
        if rule.normalises:
            return bits + 1
        beyond = max(0, 2 * rule.limit + 1 - (2 << bits))  # in units of M'
        return ((2 << place) + beyond - 1).bit_length()


def _sum(m: Module, a: Value, b: Value, negative: bool = False) -> Value:
    """a + b or a - b, a bit wider than a, in adders that synthesis can put a library's cells for."""
    heap = BitHeap(len(a) + 1)
    heap.add_vector(a)
    heap.add_vector(b, negative=negative)
    return heap.sum(m)


def searches(rule: ActivationRule) -> bool:
    """Whether codes are searched for among the thresholds."""
    return rule.digits == 1 and rule.qmax <= SEARCHED


def thresholds(rule: ActivationRule) -> data.ArrayLayout:
    """What the codes of a group are compared with: odd multiples of M' up to 2 qmax - 1, or M' alone."""
    count = rule.qmax if searches(rule) else 1
    return data.ArrayLayout(unsigned(rule.step_bits + (2 * count - 2).bit_length()), count)
