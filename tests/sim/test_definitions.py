"""Units that long simulations compute by their definition: the gates give the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from amaranth.hdl import Value
from numpy.typing import NDArray

from sevedo.gen.config.formats import BF16, E4M3, E5M2, E8M0, FP16, FP32, FloatFormat, Rounding
from sevedo.gen.verilog.emitter import emit, verilog
from sevedo.gen.verilog.lint import lint
from sevedo.hw.float import Add, Convert, IntegerToFloat, Multiply, TwoPathAdd
from sevedo.hw.float.product import ProductSum
from sevedo.hw.float.ring import RingAccumulator
from sevedo.hw.integer.dot import DotProduct
from sevedo.hw.unit import Unit
from sevedo.sim import operands
from sevedo.sim.exact import Together, source_formats
from sevedo.sim.vectors import evaluate

Vectors = dict[str, NDArray]
ROWS = 20_000
INTEGER: list[Unit] = [
    DotProduct(16, 4, 4),
    DotProduct(5, 4, 4),
    DotProduct(20, 4, 4),
    DotProduct(5, 8, 8),
    DotProduct(34, 2, 2, a_signed=False, b_signed=False),
    DotProduct(3, 4, 5, a_signed=False, b_signed=True),
    ProductSum(17, 22, has_addend=False),
    ProductSum(8, 11, below=2),
]
# what a coarse-scale unit and a lane consist of: sums of 18 bits and products of scales have formats of their own
SUM = FloatFormat("sum18", 6, 16)
SQUARED = FloatFormat("squared", 7, 21)
TINY = FloatFormat("tiny", 2, 2)
FLOAT = {
    "half": Together(
        "definitions_half",
        (
            Multiply(BF16, BF16, FP32), Multiply(BF16, BF16, BF16), Add(BF16),
            Multiply(FP16, FP16, FP32), Multiply(FP16, FP16, SQUARED), Multiply(FP16, FP16, E5M2), Add(FP16),
        ),
    ),
    "single": Together("definitions_single", (Multiply(FP32, FP32, FP32), Add(FP32), TwoPathAdd(FP32))),
    "staged": Together("definitions_staged", (Multiply(FP16, FP16, FP32, stages=2), Add(FP16, stages=2))),
    "scaled": Multiply(SUM, SQUARED, FP32),
    "powers": Together("definitions_powers", (Multiply(E8M0, E8M0, FloatFormat("square", 10, 1)),
                                              Multiply(E8M0, E8M0, FP32), Convert(E8M0, FP32))),
    "tiny": Together("definitions_tiny", (Multiply(TINY, TINY, TINY), Add(TINY), Multiply(TINY, TINY, FP16))),
    "staged_from_single": Together("definitions_staged_from_single", (Convert(FP32, FP16, stages=2),)),
    "staged_integers": IntegerToFloat(18, True, SUM, exponent=-4, stages=1),
    "from_half": Together("definitions_from_half", tuple(Convert(FP16, f) for f in (FP32, BF16, E5M2, TINY))),
    "from_single": Together("definitions_from_single", tuple(Convert(FP32, f) for f in (FP16, BF16, E5M2))),
    "integers": Together(
        "definitions_integers",
        (
            IntegerToFloat(18, True, SUM, exponent=-4), IntegerToFloat(18, True, FP16),
            IntegerToFloat(18, True, FP16, exponent=-34), IntegerToFloat(18, True, E5M2, exponent=3),
        ),
    ),
    "wide": Together("definitions_wide", (IntegerToFloat(32, True, FP32), IntegerToFloat(32, True, FP16))),
    "unsigned": Together("definitions_unsigned", (IntegerToFloat(32, False, FP32), IntegerToFloat(32, False, BF16))),
}  # fmt: skip


def vectors(width: int, rng: np.random.Generator) -> NDArray:
    """Words of `width` bits: the extremes first, then random ones, some of few and some of many ones."""
    if width > 64:
        parts = [vectors(min(64, width - start), rng) for start in range(0, width, 64)]
        return np.stack(parts, axis=1)
    top = (1 << width) - 1
    extremes = [0, top, 1, 1 << (width - 1), top >> 1, 0x8888888888888888 & top, 0x7777777777777777 & top]
    words = rng.integers(0, 1 << 63, ROWS, dtype=np.uint64) * np.uint64(2) + rng.integers(
        0, 2, ROWS, dtype=np.uint64
    )
    words[::3] &= rng.integers(0, 1 << 63, len(words[::3]), dtype=np.uint64)
    words[1::3] |= rng.integers(0, 1 << 63, len(words[1::3]), dtype=np.uint64)
    return np.concatenate([np.array(extremes, np.uint64), words & np.uint64(top)])


def floats(unit: Unit, rng: np.random.Generator) -> Vectors:
    """Operands of a floating-point unit: all of them, or all pairs of special ones, hard ones and random ones."""
    formats = source_formats(unit)
    if not formats:
        width = len(Value.cast(unit.a))
        return {"a": vectors(width, rng)}
    parts = unit.units if isinstance(unit, Together) else (unit,)
    a, b = formats["a"], source_formats(parts[0]).get("b")
    if b is None:
        return {"a": operands.everything(a) if a.width <= 16 else np.concatenate(
            [operands.special(a), operands.uniform(a, 10 * ROWS, rng)])}  # fmt: skip
    if a.width + b.width <= 20:
        return dict(zip("ab", operands.pairs(operands.everything(a), operands.everything(b)), strict=True))
    made = [operands.pairs(operands.special(a, 300), operands.special(b, 300))]
    made.append((operands.uniform(a, 3 * ROWS, rng), operands.uniform(b, 3 * ROWS, rng)))
    for format in {source_formats(part)["a"] for part in parts if isinstance(part, Add)}:
        made.append(operands.hard_sums(format, 3 * ROWS, rng))
    if a.precision + b.precision <= 48:
        made += [operands.hard_products(a, b, target, ROWS, rng) for target in (FP32, FP16)]
    return {name: np.concatenate([pair[i] for pair in made]) for i, name in enumerate("ab")}


def differing(unit: Unit, inputs: Vectors) -> tuple[int, int]:
    """Rows, and those where the gates of `unit` do not give what its definition gives."""
    gates, defined = evaluate(unit, inputs), evaluate(unit, inputs, gates=False)
    rows = len(next(iter(inputs.values())))
    wrong = np.zeros(rows, bool)
    for name, values in gates.items():
        flat, other = values.reshape(rows, -1), defined[name].reshape(rows, -1)
        assert len(np.unique(flat[:, 0])) > 5, name  # vectors that can fail
        wrong |= (flat != other).any(axis=1)
    return rows, int(wrong.sum())


@pytest.mark.parametrize("unit", INTEGER, ids=lambda unit: unit.module_name)
def test_gates_equal_definition(unit: Unit) -> None:
    assert unit.definition is not None
    rng = np.random.default_rng(5)
    inputs = {}
    for name in ("a", "b", "addend"):
        if name in unit.signature.members:
            inputs[name] = vectors(len(Value.cast(getattr(unit, name))), rng)
            if name != "a":  # all extremes against all extremes, too
                inputs[name][:7] = np.roll(inputs[name][:7], 3, axis=0)
    assert differing(unit, inputs) == (ROWS + 7, 0)


@pytest.mark.parametrize("name", FLOAT)
def test_float_gates_equal_definition(name: str) -> None:
    unit = FLOAT[name]
    for part in getattr(unit, "units", (unit,)):
        assert part.definition is not None
    rows, wrong = differing(unit, floats(unit, np.random.default_rng(7)))
    assert rows >= 32
    assert wrong == 0


@pytest.mark.parametrize(
    ("depth", "stages", "two_path"), [(1, 0, False), (3, 0, True), (3, 2, False), (4, 1, False)]
)
def test_sums_equal_definition(depth: int, stages: int, two_path: bool) -> None:
    rng = np.random.default_rng(depth)
    inputs = {"addend": operands.uniform(FP32, ROWS, rng), "enable": rng.random(ROWS) < 0.7,
              "first": rng.random(ROWS) < 0.05}  # fmt: skip
    inputs["addend"][::2] = rng.normal(size=ROWS // 2).astype(np.float32).view(np.uint32)
    inputs = {name: values.astype(np.uint64) for name, values in inputs.items()}
    assert differing(RingAccumulator(FP32, depth, stages, two_path), inputs) == (ROWS, 0)


FAULTS = [
    ("64'd2199023255551", "64'd2199023255552"),  # ties go up
    ("size < 64'h3f1", "size < 64'h3f0"),  # the smallest normal numbers rounded as subnormal ones are, or not
    (">= 64'h40f0000000000000", ">= 64'h4100000000000000"),  # infinity from twice as far
    ("& (bits[62:0] <= 63'h7ff0000000000000)", ""),  # NaN keeps its sign
]


@pytest.mark.parametrize(("right", "wrong"), FAULTS, ids=["tie", "border", "overflow", "nan"])
def test_fault_in_a_definition_is_seen(right: str, wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    unit = Convert(FP32, FP16)
    text = unit.definition
    assert text is not None
    assert right in text
    monkeypatch.setattr(Convert, "definition", text.replace(right, wrong))
    assert differing(unit, floats(unit, np.random.default_rng(7)))[1] > 0


def test_only_what_is_the_same_has_a_definition() -> None:
    for unit in (
        Multiply(FP16, FP16, E4M3), Multiply(FP16, FP16, FP16, Rounding.TOWARD_ZERO), Add(E4M3),
        Multiply(FP16, FP16, replace(FP16, name="flushed", subnormals=False)), IntegerToFloat(40, True, FP32),
        Multiply(FloatFormat("long", 8, 30), FloatFormat("long", 8, 30), FP32), Add(FloatFormat("long", 8, 30)),
    ):  # fmt: skip
        assert unit.definition is None, unit.module_name


def test_definitions_pass_lint(tmp_path: Path) -> None:
    for unit in (
        FLOAT["half"],
        FLOAT["powers"],
        FLOAT["unsigned"],
        DotProduct(20, 4, 4),
    ):
        file = tmp_path / f"{unit.module_name}.v"
        file.write_text(verilog(emit(unit)))
        assert lint(file, unit.module_name, gates=False) == []
