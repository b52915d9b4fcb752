"""The step of a fine group: its number, and what codes are found with."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib.wiring import In, Out

from sevedo.hw.float import Unpack
from sevedo.hw.float.normalise import leading_zeros
from sevedo.hw.float.pipeline import check_stages, held
from sevedo.hw.quantizer.code import thresholds
from sevedo.hw.quantizer.rule import ActivationRule
from sevedo.hw.unit import Unit


class ActivationStep(Unit):
    """The number of a fine group, from its maximum and its coarse group's scale, and what its codes are found with.

    The shift k is the number of j in 1..K with ``max * 2^j <= limit * S``. Both significands are normalised and the
    exponents say all but two of these comparisons: 2^n P <= limit M holds for every P and M up to some n, and for none
    two above that. The integer s is the least with ``2 max <= (2 qmax + 1) * s * S``: a short division.

    Codes are found without a case for groups that have no step. The exponent is then so large that numbers have no
    distance: above that of every finite number for a group that holds an infinity, which then itself passes all
    thresholds, M' being 1; above all for steps that are zero or not finite otherwise.

    Timing: `stages` cycles, one step per cycle. Cuts: behind the normalised significands; then also behind
    their comparison.
    Numerics: exact (docs/numerics.md).

    Parameters
    ----------
    rule : how activations are quantized
    stages : 0 to 2

    Members
    -------
    scale : In(rule.scale.width), of the coarse group
    infinite : In(1), the largest magnitude of the coarse group is infinity
    peak : In(rule.peak_bits), the largest magnitude of the fine group; absent without numbers
    number : Out(rule.number_bits), k or s; absent without numbers
    exponent : Out(signed(rule.exponent_bits)); thresholds : Out(thresholds(rule)), as `ActivationCode` has them
    """

    def __init__(self, rule: ActivationRule, stages: int = 0) -> None:
        check_stages(stages, 2)
        self.rule = rule
        self.stages = stages
        numbers = {"peak": In(rule.peak_bits), "number": Out(rule.number_bits)} if rule.number_bits else {}
        super().__init__(
            {"scale": In(rule.scale.width), "infinite": In(1)}
            | numbers
            | {"exponent": Out(signed(rule.exponent_bits)), "thresholds": Out(thresholds(rule))}
        )

    @property
    def module_name(self) -> str:
        return f"activation_step_{self.rule.name}{f'_stages{self.stages}' if self.stages else ''}"

    @property
    def latency(self) -> int:
        """Cycles from scale and maximum to the step."""
        return self.stages

    def build(self) -> Module:
        m = Module()
        rule = self.rule
        m.submodules.unpack_scale = scale = Unpack(rule.scale)
        m.d.comb += scale.encoding.eq(self.scale)
        aligned = Signal(rule.precision)
        m.d.comb += aligned.eq(scale.significand << (rule.precision - rule.scale.precision))
        # E, counted as the data format's exponents are
        counted = Signal(signed(rule.exponent_bits))
        m.d.comb += counted.eq(scale.exponent + (rule.data.bias - rule.scale.bias))
        normal: Value = aligned
        normal_exponent: Value = counted
        if rule.scale.has_zero and (rule.shift_bits or rule.normalises):
            normal, normal_exponent = _normalised(m, "scale", aligned, counted)
        significand, exponent = (normal, normal_exponent) if rule.normalises else (aligned, counted)
        size, size_exponent, empty = self._peak(m)
        if rule.shift_bits:
            size, size_exponent = _normalised(m, "peak", size, size_exponent)
        (
            normal, normal_exponent, significand, exponent, size, size_exponent, empty, broken, zero, infinite,
        ) = held(
            m, self.stages > 0,
            normal, normal_exponent, significand, exponent, size, size_exponent, empty,
            scale.nan | scale.infinite, scale.zero, self.infinite,
        )  # fmt: skip

        none: Value = broken | zero
        number = Signal(max(rule.number_bits, 1))
        told: Value = number
        late = self.stages > 1
        if rule.shift_bits:
            room = self._room(m, normal, normal_exponent, size, size_exponent)
            room, significand, exponent, none, zero, broken, empty, infinite = held(
                m, late, room, significand, exponent, none, zero, broken, empty, infinite
            )
            self._shift(m, number, room, (zero, broken, empty))
            exponent = exponent - number
        elif rule.integer_bits:
            self._integer(m, number, significand, exponent, size, size_exponent, (zero, broken, empty))
            told, significand, exponent, none, infinite = held(
                m, late, number, significand, exponent, none | (number == 0), infinite
            )
            significand = significand * told
        else:
            significand, exponent, none, infinite = held(m, late, significand, exponent, none, infinite)
        unit = Signal(rule.step_bits)
        highest = (1 << rule.data.exponent_bits) - 1
        with m.If(infinite):
            m.d.comb += [unit.eq(1), self.exponent.eq(highest)]
        with m.Elif(none):
            m.d.comb += [unit.eq(1), self.exponent.eq(highest + 1)]
        with m.Else():
            m.d.comb += [unit.eq(significand), self.exponent.eq(exponent - 1)]
        if rule.number_bits:
            m.d.comb += self.number.eq(told)
        for index in range(thresholds(rule).length):
            m.d.comb += self.thresholds[index].eq(unit * (2 * index + 1))
        return m

    def _peak(self, m: Module) -> tuple[Value, Value, Value]:
        """P, its exponent, whether it is zero."""
        rule = self.rule
        if not rule.number_bits:
            return Const(0, 1), Const(0, 1), Const(0, 1)
        m.submodules.unpack_peak = peak = Unpack(rule.data)
        aligned = Signal(rule.precision)
        exponent = Signal(signed(rule.data.exponent_bits + 1))
        m.d.comb += [
            peak.encoding.eq(self.peak),
            aligned.eq(peak.significand << (rule.precision - rule.data.precision)),
            exponent.eq(peak.exponent),
        ]
        return aligned, exponent, peak.zero

    def _room(self, m: Module, scale: Value, exponent: Value, size: Value, size_exponent: Value) -> Value:
        """The largest n with 2^n max <= limit * S."""
        rule = self.rule
        always = rule.limit.bit_length() - 2  # 2^always P <= limit M
        most = Signal(rule.precision + rule.limit.bit_length())
        room = Signal(signed(max(len(size_exponent), len(exponent)) + 3))
        more = ((size << (always + 1)) <= most) + ((size << (always + 2)) <= most)
        m.d.comb += [most.eq(scale * rule.limit), room.eq(exponent - size_exponent + always + more)]
        return room

    def _shift(self, m: Module, number: Signal, room: Value, kinds: tuple[Value, Value, Value]) -> None:
        rule = self.rule
        zero, broken, empty = kinds
        with m.If(broken):
            m.d.comb += number.eq(0)
        with m.Elif(empty | (~zero & (room >= rule.largest_shift))):
            m.d.comb += number.eq(rule.largest_shift)
        with m.Elif(~zero & (room > 0)):
            m.d.comb += number.eq(room)

    def _integer(
        self,
        m: Module,
        number: Signal,
        scale: Value,
        exponent: Value,
        peak: Value,
        peak_exponent: Value,
        kinds: tuple[Value, Value, Value],
    ) -> None:
        """s - 1 is the quotient of 2 max - 1 over (2 qmax + 1) S, in units of the last place of S."""
        rule = self.rule
        zero, broken, empty = kinds
        left = Signal(signed(rule.exponent_bits + 2))
        small = left < 0  # less than S: s = 1
        step = Signal(rule.precision + (2 * rule.qmax + 1).bit_length())
        rest: Value = Signal(rule.distance_bits)
        quotient = Signal(rule.integer_bits)
        m.d.comb += [
            left.eq(peak_exponent - exponent),
            step.eq(scale * (2 * rule.qmax + 1)),
            rest.eq((peak << 1 << left[: rule.most_left.bit_length()]) - 1),
        ]
        for place in reversed(range(rule.integer_bits)):
            less = Signal(signed(max(len(rest), len(step) + place) + 1), name=f"less_{place}")
            m.d.comb += [less.eq(rest - (step << place)), quotient[place].eq(less >= 0)]
            rest = Mux(quotient[place], less, rest)[: len(rest)]
        with m.If(broken | (~empty & ~zero & small)):
            m.d.comb += number.eq(1)
        with m.Elif(~empty & ~zero & ~quotient.all()):
            m.d.comb += number.eq(quotient + 1)
        with m.Elif(~empty):
            m.d.comb += number.eq(rule.largest_integer)


def _normalised(m: Module, name: str, significand: Value, exponent: Value) -> tuple[Value, Value]:
    """A significand with its top bit set, unless it is zero, and the exponent of that bit."""
    zeros = leading_zeros(m, significand)
    shifted = Signal(len(significand), name=f"{name}_normal")
    less = Signal(signed(len(exponent) + 2), name=f"{name}_exponent")
    m.d.comb += [shifted.eq(significand << zeros), less.eq(exponent - zeros)]
    return shifted, less
