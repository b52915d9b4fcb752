"""Scale, step and code of the quantizer against docs/numerics.md in exact rationals; faults turn them red."""

from __future__ import annotations

import inspect
import random
import sys
from collections.abc import Mapping, Sequence
from fractions import Fraction

import pytest
from amaranth.hdl import Module, signed
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator
from cycles import cycles

from sevedo.gen.config import BF16, E8M0, FP16, Rounding
from sevedo.gen.config.formats import Kind, Number
from sevedo.hw.quantizer.code import ActivationCode
from sevedo.hw.quantizer.divide import ConstantDivision
from sevedo.hw.quantizer.largest import Largest
from sevedo.hw.quantizer.rule import ActivationRule
from sevedo.hw.quantizer.scale import GroupScale
from sevedo.hw.quantizer.step import ActivationStep
from sevedo.hw.unit import Unit

INT4 = ActivationRule(FP16, FP16, 4, 1, 7, 2)
INT8 = ActivationRule(FP16, FP16, 4, 2, 119, 2)
SHORT = ActivationRule(FP16, FP16, 3, 2, 27, 2)
INTEGER = ActivationRule(FP16, FP16, 4, 1, 105, 0, 4)
MIXED = ActivationRule(BF16, FP16, 4, 2, 119, 4)
RULES = (
    INT4,
    INT8,
    MIXED,
    ActivationRule(FP16, BF16, 4, 1, 7, 4),
    ActivationRule(FP16, E8M0, 4, 1, 9, 0),
    ActivationRule(BF16, BF16, 3, 1, 3, 1),
    ActivationRule(BF16, E8M0, 8, 1, 127, 1),
    SHORT,
    ActivationRule(FP16, FP16, 5, 1, 15, 2),
    ActivationRule(FP16, FP16, 2, 1, 1, 3),
    INTEGER,
    ActivationRule(BF16, FP16, 4, 2, 119 * 15, 0, 4),
    ActivationRule(FP16, E8M0, 3, 1, 3, 0, 1),
    ActivationRule(BF16, BF16, 3, 1, 3 * 255, 0, 8),
)


def settled(unit: Unit, inputs: Sequence[Mapping[str, int]], outputs: Sequence[str]) -> list[dict[str, int]]:
    """What `outputs` of a unit show for each of `inputs`, after its latency."""
    seen: list[dict[str, int]] = []
    latency = getattr(unit, "latency", 0)

    async def drive(context) -> None:
        for values in inputs:
            for name, value in values.items():
                context.set(getattr(unit, name), value)
            if latency:
                await context.tick().repeat(latency)
            else:
                await context.delay(1e-6)
            seen.append({name: int(context.get(getattr(unit, name))) for name in outputs})

    simulator = Simulator(unit)
    if latency:
        simulator.add_clock(1e-6)
    simulator.add_testbench(drive)
    simulator.run()
    assert len(seen) == len(inputs)
    return seen


def _peaks(rule: ActivationRule, count: int, rng: random.Random) -> list[int]:
    """Magnitudes: extremes, some whose scale has three significant bits, any encoding."""
    fmt = rule.data
    infinity, least = fmt.infinity(False), 1 << fmt.fraction_bits
    edges = [0, 1, 2, 3, 4, 7, least - 1, least, least + 1, infinity - 1, infinity, infinity + 1, fmt.nan]
    lowest = max(fmt.min_exponent, rule.scale.min_exponent)
    highest = min(fmt.max_exponent, rule.scale.max_exponent)
    for _ in range(count // 3):
        size = rng.randrange(4, 8) * Fraction(2) ** rng.randrange(lowest, highest - 10)
        edges.append(fmt.encode(Number(Kind.FINITE, False, rule.divisor * size)))
    return edges + [rng.randrange(1 << (fmt.width - 1)) for _ in range(count - len(edges))]


def _scale(rule: ActivationRule, peak: int) -> int:
    number = rule.data.decode(peak)
    rounding = Rounding.NEAREST_EVEN if rule.scale.has_zero else Rounding.TOWARD_POSITIVE
    return rule.scale.encode(Number(number.kind, False, number.magnitude / rule.divisor), rounding)


def _number(rule: ActivationRule, scale: int, peak: int) -> int:
    """The shift or the integer of a fine group; 0 without."""
    number, step = rule.data.decode(peak), rule.scale.decode(scale)
    if step.kind is not Kind.FINITE:
        return int(rule.integer_bits > 0)
    if rule.integer_bits:
        half = step.magnitude * (2 * rule.qmax + 1) / 2
        enough = (s for s in range(rule.largest_integer) if number.magnitude <= s * half)
        return next(enough, rule.largest_integer)
    most = step.magnitude * (rule.qmax + (2 if rule.digits == 1 else 1))
    return sum(number.magnitude * 2**j <= most for j in range(1, rule.largest_shift + 1))


def _factor(rule: ActivationRule, number: int) -> Fraction:
    return Fraction(number) if rule.integer_bits else Fraction(1, 1 << number)


def _code(rule: ActivationRule, scale: int, infinite: bool, number: int, x: int) -> int:
    value, step = rule.data.decode(x), rule.scale.decode(scale)
    if infinite:
        return (1 - 2 * value.negative) * rule.qmax if value.kind is Kind.INFINITE else 0
    if step.kind is not Kind.FINITE or not step.magnitude or not _factor(rule, number):
        return 0
    code = round(value.value / (step.magnitude * _factor(rule, number)))
    return max(-rule.qmax, min(rule.qmax, code))


class _Group(Unit):
    """A step and a code, one after the other."""

    def __init__(self, rule: ActivationRule) -> None:
        self.rule = rule
        numbers = {"peak": In(rule.peak_bits), "number": Out(rule.number_bits)} if rule.number_bits else {}
        super().__init__(
            {"scale": In(rule.scale.width), "infinite": In(1)}
            | {"x": In(rule.data.width), "code": Out(signed(10))}
            | numbers
        )

    def build(self) -> Module:
        m = Module()
        m.submodules.step = step = ActivationStep(self.rule)
        m.submodules.code = code = ActivationCode(self.rule)
        places = enumerate(code.digits)
        m.d.comb += [
            step.scale.eq(self.scale),
            step.infinite.eq(self.infinite),
            code.x.eq(self.x),
            code.exponent.eq(step.exponent),
            code.thresholds.eq(step.thresholds),
            self.code.eq(sum(digit << (self.rule.digit_bits * place) for place, digit in places)),
        ]
        if self.rule.number_bits:
            m.d.comb += [step.peak.eq(self.peak), self.number.eq(step.number)]
        return m


def _vectors(rule: ActivationRule, count: int) -> list[dict[str, int]]:
    """Groups of any maximum, fine groups of any below it, numbers up to that: around ties of the quotient."""
    rng = random.Random(3)
    infinity, sign = rule.data.infinity(False), 1 << (rule.data.width - 1)
    found = []
    for peak in _peaks(rule, count, rng):
        scale = _scale(rule, peak)
        below = 0 if peak >= infinity else rng.choice([0, 0, 1, rng.randrange(6 << rule.data.fraction_bits)])
        fine = 0 if rng.random() < 0.05 else max(0, peak - below)
        step = rule.scale.decode(scale)
        usable = step.kind is Kind.FINITE and step.magnitude > 0
        if usable and rng.random() < 0.5:  # where the shift changes
            most = (rule.qmax + 3 - rule.digits) * step.magnitude / Fraction(2) ** rng.randint(1, 3)
            fine = min(peak, rule.data.encode(Number(Kind.FINITE, False, most)) + rng.choice([0, 0, -1, 1]))
        fine = max(fine, 0)
        factor = _factor(rule, _number(rule, scale, fine))
        xs = [fine, rng.randint(0, fine)]
        if usable:
            for _ in range(3):
                tie = (2 * rng.choice([0, rng.randrange(rule.qmax)]) + 1) * step.magnitude * factor / 2
                xs.append(rule.data.encode(Number(Kind.FINITE, False, tie)) + rng.choice([0, 0, -1, 1]))
        for x in xs:
            vector = {"scale": scale, "infinite": int(peak == infinity), "x": max(0, min(x, fine))}
            vector["x"] |= sign * rng.randrange(2)
            found.append(vector | ({"peak": fine} if rule.number_bits else {}))
    return found


def codes_wrong(rule: ActivationRule, count: int = 36) -> int:
    """Numbers whose shift or code is wrong."""
    vectors = _vectors(rule, count)
    expected = []
    for vector in vectors:
        number = _number(rule, vector["scale"], vector["peak"]) if rule.number_bits else 0
        code = _code(rule, vector["scale"], bool(vector["infinite"]), number, vector["x"])
        expected.append({"code": code} | ({"number": number} if rule.number_bits else {}))
    seen = settled(_Group(rule), vectors, list(expected[0]))
    codes = {each["code"] for each in expected}
    assert 2 * min(codes) <= -rule.qmax
    assert 2 * max(codes) >= rule.qmax
    assert len(codes) > min(rule.qmax, 12)
    return sum(a != b for a, b in zip(seen, expected, strict=True))


def scales_wrong(rule: ActivationRule, count: int = 80) -> int:
    """Maxima whose scale is wrong."""
    peaks = _peaks(rule, count, random.Random(5))
    unit = GroupScale(rule)
    seen = cycles(unit, [{"peak": peak} for peak in [*peaks, *[0] * unit.latency]], ["scale"])
    expected = [_scale(rule, peak) for peak in peaks]
    assert len(set(expected)) > 10
    return sum(a["scale"] != b for a, b in zip(seen[unit.latency :], expected, strict=True))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_numbers_and_codes(rule: ActivationRule) -> None:
    assert codes_wrong(rule) == 0


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_scales(rule: ActivationRule) -> None:
    assert scales_wrong(rule) == 0


@pytest.mark.parametrize("divisor", [1, 3, 7, 28, 119, 127])
def test_division_by_a_constant(divisor: int) -> None:
    unit = ConstantDivision(6, 5, divisor)
    seen = settled(unit, [{"a": a} for a in range(64)], ["quotient", "rest"])
    assert seen == [
        {"quotient": (a << 5) // divisor, "rest": int((a << 5) % divisor != 0)} for a in range(64)
    ]


@pytest.mark.parametrize("registered", [False, True])
@pytest.mark.parametrize("count", [1, 2, 5, 16])
def test_largest(count: int, registered: bool) -> None:
    rng = random.Random(count)
    rows = [[rng.randrange(32) for _ in range(count)] for _ in range(50)]
    packed = [{"numbers": sum(n << 5 * i for i, n in enumerate(row))} for row in rows]
    unit = _Packed(count, registered)
    assert settled(unit, packed, ["result"]) == [{"result": max(row)} for row in rows]


class _Packed(Unit):
    """`Largest` with its numbers in one word."""

    def __init__(self, count: int, registered: bool) -> None:
        self.count, self.registered = count, registered
        super().__init__({"numbers": In(5 * count), "result": Out(5)})

    @property
    def latency(self) -> int:
        return int(self.registered)

    def build(self) -> Module:
        m = Module()
        m.submodules.largest = largest = Largest(5, self.count, self.registered)
        m.d.comb += [largest.numbers.as_value().eq(self.numbers), self.result.eq(largest.result)]
        return m


FAULTS = {
    "a tie goes up": (ActivationCode, INT4, "else distance > found[0]", "else distance >= found[0]"),
    "a tie of two digits goes up": (ActivationCode, SHORT, "(less.any() | low.any())", "1"),
    "dropped bits of a two-digit rest": (ActivationCode, SHORT, "less.any() | low.any()", "less.any()"),
    "a rest without room": (ActivationCode, RULES[8], "+ beyond - 1)", "- 1)"),
    "no clamp": (ActivationCode, SHORT, "Mux(quotient > rule.qmax, rule.qmax, quotient)", "quotient"),
    "limit": (ActivationStep, INT4, "scale * rule.limit", "scale * rule.qmax"),
    "limit of two digits": (ActivationStep, SHORT, "scale * rule.limit", "scale * (rule.limit + 1)"),
    "limit of an integer": (ActivationStep, INTEGER, "()]) - 1)", "()]))"),
    "infinite values": (ActivationStep, INT4, "self.exponent.eq(highest)]", "self.exponent.eq(highest + 1)]"),
    "scale of zero": (ActivationStep, INT4, "none: Value = broken | zero", "none: Value = broken"),
    "sticky dropped": (GroupScale, INT4, "rounder.rest.eq(rest)", "rounder.rest.eq(0)"),
    "scale rounded down": (GroupScale, RULES[4], "Rounding.TOWARD_POSITIVE", "Rounding.TOWARD_ZERO"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_show(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    unit, rule, old, new = FAULTS[fault]
    module = sys.modules[unit.__module__]
    source = inspect.getsource(module)
    assert source.count(old) == 1
    space = dict(vars(module))
    exec(compile(source.replace(old, new), str(module.__file__), "exec"), space)
    for name in ("build", "_search", "_divide", "_rest_bits", "_room", "_shift", "_integer"):
        if name in vars(unit):
            monkeypatch.setattr(unit, name, vars(space[unit.__name__])[name])
    wrong = scales_wrong if unit is GroupScale else codes_wrong
    assert wrong(rule) > 0


def test_group_of_nothing() -> None:
    with pytest.raises(ValueError, match="count=0 must be at least 1"):
        Largest(15, 0)
    with pytest.raises(ValueError, match="divisor=0 must be at least 1"):
        ConstantDivision(11, 4, 0)
