"""Arithmetic as operators: the same bits as the gates, of every unit that has such a form."""

from __future__ import annotations

import numpy as np
import pytest
from amaranth.hdl import Value
from test_definitions import ROWS, vectors

from sevedo.gen.boards.operators import operators, with_operators
from sevedo.gen.verilog.emitter import emit, verilog
from sevedo.hw.float.product import ProductSum
from sevedo.hw.integer.dot import DotProduct
from sevedo.hw.memory.block import BlockMemory
from sevedo.hw.rmc.accumulate import AccumulatorAdder
from sevedo.hw.unit import Unit
from sevedo.sim import vectors as vector_runs

UNITS: list[Unit] = [
    DotProduct(16, 4, 4),
    DotProduct(5, 4, 4, registered=True),
    ProductSum(17, 22, has_addend=False, stages=1),
    AccumulatorAdder(18, 1),
]
MORE: list[Unit] = [
    DotProduct(4, 4, 4),
    DotProduct(16, 4, 4, registered=True),
    DotProduct(3, 8, 8),
    DotProduct(4, 2, 3),
    DotProduct(3, 4, 5, a_signed=False, b_signed=True),
    ProductSum(11, 11, has_addend=False),
    ProductSum(8, 11, below=2),
]
EVERY = [*UNITS, *(pytest.param(unit, marks=pytest.mark.board) for unit in MORE)]


@pytest.mark.parametrize("unit", EVERY, ids=lambda unit: unit.module_name)
def test_the_same_bits(unit: Unit, monkeypatch: pytest.MonkeyPatch) -> None:
    modules = emit(unit)
    text = with_operators(verilog(modules), modules)
    assert (operators(unit) or "none") in text
    assert "full_adder" not in text[text.index(f"module {unit.module_name}") :].partition("endmodule")[0]
    rng = np.random.default_rng(3)
    names = [port.name for port in modules[-1].ports if port.direction == "input"]
    inputs = {name: vectors(len(Value.cast(getattr(unit, name))), rng) for name in names}
    for place, name in enumerate(names):
        inputs[name][:7] = np.roll(inputs[name][:7], 3 * place, axis=0)
    gates = vector_runs.evaluate(unit, inputs)["sum"]
    monkeypatch.setattr(vector_runs, "to_verilog", lambda made: with_operators(verilog(made), made))
    found = vector_runs.evaluate(unit, inputs)["sum"]
    assert len(found) == ROWS + 7
    assert len(np.unique(found)) > 5
    np.testing.assert_array_equal(found, gates)


def test_other_units_stay_as_they_are() -> None:
    unit = BlockMemory(4, 4)
    modules = emit(unit)
    assert operators(unit) is None
    assert with_operators(verilog(modules), modules) == verilog(modules)


def test_a_module_that_is_missing_is_no_secret() -> None:
    with pytest.raises(ValueError, match="module dot_product_16_s4_s4 is not in the Verilog"):
        with_operators("", emit(DotProduct(16, 4, 4)))
