"""Units that long simulations compute by their definition: the gates give the same."""

from __future__ import annotations

import numpy as np
import pytest
from amaranth.hdl import Value

from sevedo.hw.float.product import ProductSum
from sevedo.hw.integer.dot import DotProduct
from sevedo.hw.unit import Unit
from sevedo.sim.vectors import evaluate

ROWS = 20_000
UNITS: list[Unit] = [
    DotProduct(16, 4, 4),
    DotProduct(4, 8, 3),
    DotProduct(3, 4, 5, a_signed=False, b_signed=True),
    DotProduct(5, 2, 6, a_signed=False, b_signed=False),
    ProductSum(11, 11, has_addend=False),
    ProductSum(24, 24, has_addend=False),
    ProductSum(17, 22, has_addend=False),
    ProductSum(8, 11, below=2),
]


def vectors(width: int, rng: np.random.Generator) -> np.ndarray:
    """Words of `width` bits, up to 64: the extremes first, then random ones, some of few and some of many ones."""
    top = (1 << width) - 1
    extremes = [0, top, 1, 1 << (width - 1), top >> 1, 0x8888888888888888 & top, 0x7777777777777777 & top]
    words = rng.integers(0, 1 << 63, ROWS, dtype=np.uint64) * np.uint64(2) + rng.integers(
        0, 2, ROWS, dtype=np.uint64
    )
    words[::3] &= rng.integers(0, 1 << 63, len(words[::3]), dtype=np.uint64)
    words[1::3] |= rng.integers(0, 1 << 63, len(words[1::3]), dtype=np.uint64)
    return np.concatenate([np.array(extremes, np.uint64), words & np.uint64(top)])


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.module_name)
def test_gates_equal_definition(unit: Unit) -> None:
    assert unit.definition is not None
    rng = np.random.default_rng(5)
    widths = {"a": 0, "b": 0, "addend": 0}
    members = unit.signature.members
    inputs = {}
    for name in widths:
        if name in members:
            width = len(Value.cast(getattr(unit, name)))
            assert width <= 64
            inputs[name] = vectors(width, rng)
    for name in inputs:  # all extremes against all extremes, too
        if name != "a":
            inputs[name][:7] = np.roll(inputs[name][:7], 3)
    by_gates = evaluate(unit, inputs)["sum"]
    by_definition = evaluate(unit, inputs, gates=False)["sum"]
    assert len(by_gates) == ROWS + 7
    assert len(set(by_gates.reshape(len(by_gates), -1)[:, 0].tolist())) > 10
    assert (by_gates == by_definition).all()
