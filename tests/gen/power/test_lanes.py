"""Many instances at once against one after the other in the simulator of single netlists."""

from __future__ import annotations

import numpy as np
import pytest
from powerlib import library

from sevedo.gen.power import lanes
from sevedo.gen.synth import gates
from sevedo.gen.synth.cells import CellLibrary
from sevedo.gen.synth.netlist import Flat, FlatCell

CLOCK, A, B, NAND, XOR, REGISTER = range(6)
FLAT = Flat(
    [
        FlatCell("u0", "NAND2", {"A": A, "B": B, "Y": NAND}),
        FlatCell("u1", "XOR2", {"A": NAND, "B": REGISTER, "Y": XOR}),
        FlatCell("u2", "DFFN", {"D": XOR, "CK": CLOCK, "QN": REGISTER}),
        FlatCell("u3", "NAND2", {"A": -2, "B": B, "Y": 6}),
    ],
    {"clk": ("input", [CLOCK]), "ab": ("input", [A, B]), "y": ("output", [XOR, NAND])},
    7,
)
CYCLES, WINDOW = 40, (3, 30)


@pytest.mark.parametrize("instances", [1, 3, 64, 70])
def test_counts_are_those_of_all_instances(instances: int) -> None:
    cells = CellLibrary([library()])
    source = np.random.default_rng(instances)
    # slow inputs: states that last are counted in another way than states that change
    inputs = np.repeat(source.random((CYCLES // 4, 2, instances)) < 0.5, 4, axis=0)
    inputs[:12] ^= source.random((12, 2, instances)) < 0.5
    found = lanes.simulate(FLAT, cells, "clk", inputs, [XOR, NAND, -2, -1], WINDOW)
    singles = [
        gates.simulate(FLAT, cells, "clk", {"ab": inputs[:, :, lane]}, WINDOW) for lane in range(instances)
    ]
    for lane, one in enumerate(singles):
        assert np.array_equal(found.outputs[:, :2, lane], one.outputs)
    assert found.outputs[:, 2].all()
    assert not found.outputs[:, 3].any()
    assert found.run.cycles == instances * singles[0].cycles
    assert np.array_equal(found.run.toggles, sum(one.toggles.astype(int) for one in singles))
    assert np.array_equal(found.run.ones, sum(one.ones.astype(int) for one in singles))
    for place, counts in enumerate(found.run.cells):
        for name in ("time", "changes", "causes"):
            expected = sum(getattr(one.cells[place], name).astype(float) for one in singles)
            assert getattr(counts, name) == pytest.approx(expected), (place, name)
    assert found.run.toggles[[XOR, NAND, REGISTER]].min() > 0


def test_diagrams_are_their_functions() -> None:
    source = np.random.default_rng(1)
    for variables in (1, 2, 3, 5):
        for _ in range(20):
            table = source.random(1 << variables) < 0.4
            for state in range(1 << variables):
                values = [False, True]
                for variable, low, high in lanes.diagram(table.tobytes()):
                    values.append(values[high] if state >> variable & 1 else values[low])
                assert values[-1] == table[state], (variables, state)
    constant = np.ones(4, bool)
    assert lanes.diagram(constant.tobytes()) == ((0, 1, 1),)


def test_a_loop_is_told() -> None:
    loop = Flat([FlatCell("u0", "NAND2", {"A": 0, "B": 1, "Y": 1})], {"a": ("input", [0])}, 2)
    with pytest.raises(gates.GateError, match="loop without a register"):
        lanes.simulate(loop, CellLibrary([library()]), None, np.zeros((2, 1, 1), bool), [1], (0, 1))
