"""Every floating-point unit in compiled simulation against the oracles; the long form is ``make exact``."""

from __future__ import annotations

import numpy as np
import pytest

from sevedo.gen.config.formats import BF16, E4M3, E5M2, E8M0, FP16, FP32, FloatFormat, Rounding
from sevedo.gen.verilog.emitter import emit
from sevedo.hw.float import (
    Add,
    Compare,
    Convert,
    FloatToInteger,
    FusedMultiplyAdd,
    IntegerToFloat,
    Maximum,
    Multiply,
    Round,
)
from sevedo.hw.float import round as round_module
from sevedo.sim import exact, operands
from sevedo.sim.exact import Together
from sevedo.sim.vectors import evaluate

FLUSHED = FloatFormat("flushed", 4, 3, subnormals=False)
DIRECTED = [r for r in Rounding if r is not Rounding.NEAREST_EVEN]

UNARY = Together(
    "test_unary",
    (
        *(Convert(FP16, target, r) for target in (FP32, BF16, E4M3, E5M2, E8M0, FLUSHED) for r in Rounding),
        *(FloatToInteger(FP16, bits, r) for bits in (2, 4, 8) for r in Rounding),
    ),
)
SMALL = {
    format.name: Together(
        f"test_pairs_{format.name}",
        (
            *(Add(format, r) for r in Rounding),
            *(Multiply(format, format, format, r) for r in Rounding),
            Multiply(format, format, FP16),
            Compare(format),
            Maximum(format),
        ),
    )
    for format in (E5M2, E4M3, FLUSHED)
}
BINARY = Together(
    "test_pairs_fp16",
    (Add(FP16), Multiply(FP16, FP16, FP16), Multiply(FP16, FP16, FP32), Compare(FP16), Maximum(FP16)),
)
TERNARY = Together(
    "test_triples_fp16", (FusedMultiplyAdd(FP16), *(FusedMultiplyAdd(FP16, r) for r in DIRECTED[2:]))
)


def count_mismatches(unit, inputs):
    """Mismatches, and cases compared; the first mismatch as a message."""
    wrong = exact.mismatches(unit, inputs)
    assert len(wrong) == 0, f"{len(wrong)} mismatches, first {exact.describe(unit, inputs, int(wrong[0]))}"
    return len(inputs["a"])


def hard(unit, formats, count, seed):
    """Hard operands and as many at random."""
    generator = np.random.default_rng(seed)
    first, last = formats["a"], formats.get("c", formats["a"])
    if "c" in formats:
        made = operands.hard_triples(first, last, count, generator)
    else:
        sums = operands.hard_sums(first, count // 2, generator)
        made = [
            np.concatenate(both)
            for both in zip(
                sums, operands.hard_products(first, first, last, count // 2, generator), strict=True
            )
        ]
    uniform = [operands.uniform(f, count, generator) for f in formats.values()]
    return {name: np.concatenate([m, u]) for name, m, u in zip(formats, made, uniform, strict=True)}


def test_every_fp16_number_converts():
    assert count_mismatches(UNARY, {"a": operands.everything(FP16)}) == 65_536


@pytest.mark.parametrize("name", SMALL)
def test_all_pairs_of_eight_bits(name):
    format = exact.source_formats(SMALL[name])["a"]
    a, b = operands.pairs(operands.everything(format))
    assert count_mismatches(SMALL[name], {"a": a, "b": b}) == 1 << (2 * format.width)


def test_fp16_pairs():
    a, b = operands.pairs(operands.special(FP16, 300))
    assert count_mismatches(BINARY, {"a": a, "b": b}) == 90_000
    assert count_mismatches(BINARY, hard(BINARY, {"a": FP16, "b": FP16}, 150_000, 1)) == 300_000


def test_fp16_triples():
    formats = exact.source_formats(TERNARY)
    values = operands.special(FP16, 60)
    a, b = operands.pairs(values)
    inputs = {"a": np.tile(a, 60), "b": np.tile(b, 60), "c": np.repeat(values, len(a))}
    assert count_mismatches(TERNARY, inputs) == 216_000
    assert count_mismatches(TERNARY, hard(TERNARY, formats, 200_000, 2)) == 400_000


@pytest.mark.parametrize(
    "unit",
    [
        FusedMultiplyAdd(FP32),
        FusedMultiplyAdd(FP32, operand_format=FP16, stages=2),
        Together("test_pairs_fp32", (Add(FP32), Multiply(FP32, FP32, FP32))),
    ],
    ids=lambda unit: unit.module_name,
)
def test_fp32(unit):
    assert count_mismatches(unit, hard(unit, exact.source_formats(unit), 100_000, 3)) == 200_000


def test_integers_convert():
    units = tuple(
        IntegerToFloat(16, signed, target, r, exponent)
        for signed in (True, False)
        for target, exponent in ((FP16, -30), (FP32, -6), (E4M3, -8), (E8M0, 0))
        for r in (Rounding.NEAREST_EVEN, Rounding.TOWARD_NEGATIVE)
    )
    signed, unsigned = (Together(f"test_int16_{i}", units[i * 8 : i * 8 + 8]) for i in (0, 1))
    assert count_mismatches(signed, {"a": np.arange(-(1 << 15), 1 << 15)}) == 65_536
    assert count_mismatches(unsigned, {"a": np.arange(1 << 16)}) == 65_536


def test_scales_multiply_exactly():
    a, b = operands.pairs(operands.everything(E8M0))
    assert count_mismatches(Multiply(E8M0, E8M0, FP32), {"a": a, "b": b}) == 65_536


def latency_of(unit):
    """Cycles after which a changed operand changes the result, found by streaming a single odd row."""
    inputs = {name: np.full(40, 0x3C00) for name in exact.source_formats(unit)}
    inputs["a"][20] = 0x4200
    late = type(unit)(**(unit.parameters | {"stages": 0}))
    declared = evaluate(unit, inputs)["result"]
    return int(np.flatnonzero(declared != declared[0])[0]) - 20 + unit.latency, evaluate(late, inputs)[
        "result"
    ]


@pytest.mark.parametrize(
    ("kind", "most"),
    [(lambda s: Add(FP16, stages=s), 4), (lambda s: Multiply(FP16, FP16, FP32, stages=s), 3),
     (lambda s: FusedMultiplyAdd(FP16, stages=s), 4)],
    ids=["add", "multiply", "multiply_add"],
)  # fmt: skip
def test_latency_is_the_number_of_stages(kind, most):
    unit = kind(most)
    cycles, _ = latency_of(unit)
    assert cycles == most == unit.latency
    clocks = [emit(kind(stages))[-1].clock for stages in range(most + 1)]
    assert clocks == [None] + ["clk"] * most


# -- the suite finds faults -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("rounding", DIRECTED)
def test_a_wrong_rounding_mode_is_found(rounding, monkeypatch):
    monkeypatch.setattr(Rounding, "increment", _increment_as(rounding))
    inputs = hard(BINARY, {"a": FP16, "b": FP16}, 5000, 5)
    faulty = Together(f"test_fault_{rounding.name.lower()}", (Add(FP16), Multiply(FP16, FP16, FP16)))
    assert len(exact.mismatches(faulty, inputs)) > 100


def _increment_as(other):
    original = Rounding.increment
    return lambda self, **bits: original(other, **bits)


@pytest.mark.parametrize("fault", ["sticky dropped", "sticky always", "shift off by one"])
def test_a_fault_in_the_rounder_is_found(fault, monkeypatch):
    original = round_module.shift_left

    def faulty(m, value, amount, keep, fill):
        kept, some, every = original(
            m, value, amount if "shift" not in fault else (amount - 1)[: len(amount)], keep, fill
        )
        some = {"sticky dropped": some & 0, "sticky always": some | 1}.get(fault, some)
        return kept, some[0], every

    monkeypatch.setattr(round_module, "shift_left", faulty)
    unit = Together(f"test_fault_{fault.replace(' ', '_')}", (FusedMultiplyAdd(FP16),))
    inputs = hard(TERNARY, exact.source_formats(unit), 5000, 6)
    assert len(exact.mismatches(unit, inputs)) > 10


# -- parameters -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Add(E8M0), "a_format=e8m0 must be a signed format that has a zero"),
        (lambda: FusedMultiplyAdd(E8M0), "format=e8m0 must be a signed format that has a zero"),
        (lambda: Add(FP16, stages=5), "stages=5 must be between 0 and 4"),
        (lambda: Multiply(FP16, FP16, FP16, stages=-1), "stages=-1 must be between 0 and 3"),
        (lambda: FloatToInteger(FP16, 1), "code_bits=1 must be between 2 and 32"),
        (lambda: IntegerToFloat(0, True, FP16), "width=0 must be at least 1"),
        (lambda: Round(FP16, 10, 5, stages=2), "stages=2 must be between 0 and 1"),
    ],
)
def test_bad_parameters_are_refused(make, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        make()


def test_names_are_distinct():
    units = [
        Add(FP32), Add(FP32, stages=2), Add(FP32, Rounding.TOWARD_ZERO), Add(FP16), FusedMultiplyAdd(FP16),
        FusedMultiplyAdd(FP32, operand_format=FP16), Multiply(FP16, FP16, FP32), Multiply(FP16, FP32, FP16),
        IntegerToFloat(8, True, FP16), IntegerToFloat(8, False, FP16), IntegerToFloat(8, True, FP16, exponent=-3),
    ]  # fmt: skip
    names = [unit.module_name for unit in units]
    assert len(set(names)) == len(units)
    assert names[0] == "float_add_fp32"
    assert names[6] == "float_multiply_fp16_fp16_fp32"
