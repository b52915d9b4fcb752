"""Every floating-point unit in compiled simulation against the oracles; the long form is ``make exact``."""

from __future__ import annotations

import inspect

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
    TwoPathAdd,
    two_path,
)
from sevedo.hw.float import round as round_module
from sevedo.hw.float.ring import RingAccumulator
from sevedo.sim import exact, operands
from sevedo.sim.exact import Together
from sevedo.sim.vectors import evaluate

FLUSHED = FloatFormat("flushed", 4, 3, subnormals=False)
UNARY = Together(
    "test_unary",
    (
        *(Convert(FP16, target) for target in (FP32, BF16, E8M0, FLUSHED)),
        *(Convert(FP16, E4M3, r) for r in Rounding),
        *(FloatToInteger(FP16, 4, r) for r in Rounding),
        FloatToInteger(FP16, 8),
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
    for format in (E4M3, FLUSHED)
}
SMALL["e5m2"] = Together("test_pairs_e5m2", (Add(E5M2), TwoPathAdd(E5M2)))
HALF = Together(
    "test_fp16",
    (
        Add(FP16), Multiply(FP16, FP16, FP16), Multiply(FP16, FP16, FP32), Compare(FP16), Maximum(FP16),
        FusedMultiplyAdd(FP16), FusedMultiplyAdd(FP16, Rounding.TOWARD_NEGATIVE),
        TwoPathAdd(FP16),
    ),
)  # fmt: skip
STAGED = Together("test_staged", (Add(FP16, stages=3), Multiply(FP16, FP16, FP16, stages=3),
                                  FusedMultiplyAdd(FP16, stages=3)))  # fmt: skip
SINGLE = Together(
    "test_fp32", (Add(FP32), TwoPathAdd(FP32), Multiply(FP32, FP32, FP32), FusedMultiplyAdd(FP32))
)
MIXED = FusedMultiplyAdd(FP32, operand_format=FP16, stages=2)


def count_mismatches(unit, inputs):
    """Mismatches, and cases compared; the first mismatch as a message."""
    wrong = exact.mismatches(unit, inputs)
    assert len(wrong) == 0, f"{len(wrong)} mismatches, first {exact.describe(unit, inputs, int(wrong[0]))}"
    return len(inputs["a"])


def hard(unit, count, seed):
    """Operands made to be hard for sums, for products and for fused sums, and as many at random."""
    formats = exact.source_formats(unit)
    generator = np.random.default_rng(seed)
    factor, addend = formats["a"], formats.get("c", formats["a"])
    a, b, c = operands.hard_triples(factor, addend, count // 2, generator)
    sums = operands.hard_sums(factor, count // 4, generator)
    products = operands.hard_products(factor, factor, addend, count - count // 2 - count // 4, generator)
    made = {"a": [a, sums[0], products[0]], "b": [b, sums[1], products[1]],
            "c": [c, operands.uniform(addend, count - count // 2, generator)]}  # fmt: skip
    return {
        name: np.concatenate([*made[name], operands.uniform(format, count, generator)])
        for name, format in formats.items()
    }


def test_every_fp16_number_converts():
    assert count_mismatches(UNARY, {"a": operands.everything(FP16)}) == 65_536


@pytest.mark.parametrize("name", SMALL)
def test_all_pairs_of_eight_bits(name):
    format = exact.source_formats(SMALL[name])["a"]
    a, b = operands.pairs(operands.everything(format))
    assert count_mismatches(SMALL[name], {"a": a, "b": b}) == 1 << (2 * format.width)


def test_fp16():
    values = operands.special(FP16, 60)
    a, b = operands.pairs(values)
    inputs = {"a": np.tile(a, 60), "b": np.tile(b, 60), "c": np.repeat(values, len(a))}
    assert count_mismatches(HALF, inputs) == 216_000
    assert count_mismatches(HALF, hard(HALF, 100_000, 2)) == 200_000


@pytest.mark.parametrize("unit", [SINGLE, MIXED, STAGED], ids=lambda unit: unit.module_name)
def test_fp32_and_pipelines(unit):
    """A wrong `latency` would show here, too: results are taken that many cycles after their operands."""
    assert count_mismatches(unit, hard(unit, 50_000, 3)) == 100_000


def test_integers_convert():
    units = (
        IntegerToFloat(16, True, FP16, Rounding.NEAREST_AWAY, -30), IntegerToFloat(16, True, FP32, exponent=-6),
        IntegerToFloat(16, True, E4M3, Rounding.TOWARD_NEGATIVE, -8), IntegerToFloat(16, True, E8M0),
    )  # fmt: skip
    assert count_mismatches(Together("test_int16", units), {"a": np.arange(-(1 << 15), 1 << 15)}) == 65_536
    assert count_mismatches(IntegerToFloat(16, False, FP16), {"a": np.arange(1 << 16)}) == 65_536


def test_scales_multiply_exactly():
    a, b = operands.pairs(operands.everything(E8M0))
    assert count_mismatches(Multiply(E8M0, E8M0, FP32), {"a": a, "b": b}) == 65_536


@pytest.mark.parametrize(
    ("make", "most"),
    [
        (lambda s: Add(FP16, stages=s), 4),
        (lambda s: Multiply(FP16, FP16, FP32, stages=s), 4),
        (lambda s: FusedMultiplyAdd(FP16, stages=s), 4),
        (lambda s: Convert(FP32, FP16, stages=s), 2),
        (lambda s: IntegerToFloat(8, True, FP16, stages=s), 2),
        (lambda s: FloatToInteger(FP16, 4, stages=s), 1),
    ],
    ids=["add", "multiply", "multiply_add", "convert", "from_integer", "to_integer"],
)
def test_only_staged_units_have_a_clock(make, most):
    assert [make(stages).latency for stages in range(most + 1)] == list(range(most + 1))
    assert [emit(make(stages))[-1].clock for stages in range(most + 1)] == [None] + ["clk"] * most


# -- the suite finds faults -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("rounding", [r for r in Rounding if r is not Rounding.NEAREST_EVEN])
def test_a_wrong_rounding_direction_is_found(rounding):
    unit = SMALL["e4m3"]
    a, b = operands.pairs(operands.everything(E4M3))
    actual, wanted = evaluate(unit, {"a": a, "b": b}), exact.expected(unit, {"a": a, "b": b})
    at = list(Rounding).index(rounding)
    for nearest, other in ((0, at), (5, 5 + at)):  # sums, products
        assert np.count_nonzero(actual[f"result_{other}"] != wanted[f"result_{nearest}"]) > 100
        assert np.count_nonzero(actual[f"result_{other}"] != wanted[f"result_{other}"]) == 0


@pytest.mark.parametrize("fault", ["sticky dropped", "shift off by one"])
def test_a_fault_in_the_rounder_is_found(fault, monkeypatch):
    original = round_module.shift_left

    def faulty(m, value, amount, keep, fill):
        if fault == "shift off by one":
            amount = (amount - 1)[: len(amount)]
        kept, some, every = original(m, value, amount, keep, fill)
        return kept, some & 0 if fault == "sticky dropped" else some, every

    monkeypatch.setattr(round_module, "shift_left", faulty)
    unit = Together(f"test_fault_{fault.replace(' ', '_')}", (FusedMultiplyAdd(E5M2),))
    assert len(exact.mismatches(unit, hard(unit, 5000, 6))) > 10


TWO_PATH_FAULTS = {
    "ties go up": ("guard & (round_ | sticky | sum_[0])", "guard"),
    "carry of the complement lost": ("exact.eq(subtract & ~below.any())", "exact.eq(0)"),
    "near path of sums": ("is_near.eq(close & (~distance[0] | ~difference[precision]))", "is_near.eq(close)"),
    "subnormal numbers shifted on": ("word.eq(difference | stop)", "word.eq(difference)"),
    "low bit of a shifted difference lost": ("placed(sum_, lowest)", "placed(sum_, guard)"),
    "overflow keeps its fraction": ("(~finite[format.fraction_bits :].all())", "Const(1, 1)"),
}
"""What is replaced in the source of the two-path adder, and by what."""


@pytest.mark.parametrize("fault", TWO_PATH_FAULTS)
def test_a_fault_in_the_two_path_adder_is_found(fault):
    old, new = TWO_PATH_FAULTS[fault]
    source = inspect.getsource(two_path)
    assert source.count(old) == 1
    space = dict(vars(two_path))
    exec(compile(source.replace(old, new), "faulty", "exec"), space)
    unit = space["TwoPathAdd"](E5M2)
    a, b = operands.pairs(operands.everything(E5M2))
    wanted = exact.expected(Add(E5M2), {"a": a, "b": b})
    assert len(exact.mismatches(unit, {"a": a, "b": b}, wanted)) > 0


# -- parameters -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Add(E8M0), "a_format=e8m0 must be a signed format that has a zero"),
        (lambda: FusedMultiplyAdd(E8M0), "format=e8m0 must be a signed format that has a zero"),
        (lambda: Add(FP16, stages=5), "stages=5 must be between 0 and 4"),
        (lambda: Multiply(FP16, FP16, FP16, stages=-1), "stages=-1 must be between 0 and 4"),
        (lambda: TwoPathAdd(E4M3), "a_format=e4m3 must be signed, with infinities, NaNs and subnormals"),
        (lambda: RingAccumulator(FP32, 2, 2), "stages=2 must be between 0 and 1, less than depth=2"),
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
