"""Figures of a run: what instructions move, whose cycles are whose, what bounds them."""

from __future__ import annotations

from collections import Counter

import pytest
from layers import activations, layer
from rich.console import Console
from traces import write_trace

from sevedo.gen.compile import compile_layers
from sevedo.gen.config import preset
from sevedo.gen.config.instructions import INSTRUCTION_BYTES, Unit
from sevedo.gen.estimate import LayerShape, predict
from sevedo.gen.host.figures import Bound, RunFigures, least_cycles
from sevedo.gen.host.program import ProgramSteps
from sevedo.gen.host.show import counter_table, layer_table, summary
from sevedo.ref.machine import Machine
from sevedo.ref.machine.memories import Dram
from sevedo.sim.activity import Activity, State

TINY = preset("tiny")
TOKENS = 6  # two column tiles


@pytest.fixture(scope="module")
def compiled():
    layers = {name: layer(TINY, (TOKENS, 70, outputs, 3))[0] for name, outputs in (("a", 9), ("b", 21))}
    return compile_layers(layers, TINY, TOKENS)


@pytest.fixture(scope="module")
def steps(compiled):
    return ProgramSteps(compiled)


def matmuls(steps) -> list[int]:
    return [step.number for step in steps.steps if step.name == "MATMUL"]


def test_steps_and_labels(compiled, steps):
    assert len(steps.steps) == compiled.instructions
    assert [step.layer for step in steps.steps if step.name == "MATMUL"] == ["a", "a", "b", "b"]
    assert [step.tile for step in steps.steps if step.name == "STORE"] == [0, 1, 0, 1]
    assert steps.steps[-1].name == "END"
    assert steps.steps[-1].layer is None
    name, about = steps.label(matmuls(steps)[3])
    assert name == "MATMUL b tile 1"
    assert about["layer"] == "b"
    assert about["inputs"] == 70
    assert steps.label(compiled.instructions - 1)[0] == "END"
    assert steps.label(1 << 20)[0] == "instruction 1048576"  # of a broken trace


def test_moved_bytes_are_those_of_the_machine(compiled, steps, monkeypatch):
    """Every access of its DRAM, in whole bus words; it does not count what it fetches."""
    counts = Counter[bool]()
    real = Dram.check

    def counted(self, segment, address, length, unit, number):
        counts[unit is Unit.STORE] += -(-length // 8) * 8
        real(self, segment, address, length, unit, number)

    monkeypatch.setattr(Dram, "check", counted)
    data = compiled.data(
        {name: activations(TOKENS, 70, "normal", 1).half().numpy().view("u2") for name in "ab"}
    )
    machine = Machine(compiled.config, compiled.image, data, compiled.program)
    assert machine.run().done
    moved = steps.moved()
    assert (moved.read - INSTRUCTION_BYTES * compiled.instructions, moved.written) == (
        counts[False],
        counts[True],
    )
    parts = [steps.moved(name) for name in "ab"]
    assert moved.written == sum(part.written for part in parts)
    assert moved.read == sum(part.read for part in parts) + INSTRUCTION_BYTES  # END is of no layer


@pytest.fixture
def figures(compiled, steps, tmp_path):
    a0, a1, b0, b1 = matmuls(steps)
    changes = [
        (110, Unit.LOAD, State.BUSY, 0),
        (120, Unit.LOAD, State.IDLE, 0),
        (130, Unit.MATMUL, State.WAITS, a0),
        (150, Unit.MATMUL, State.BUSY, a0),
        (200, Unit.MATMUL, State.STARVED, a0),
        (210, Unit.MATMUL, State.BUSY, a1),
        (300, Unit.MATMUL, State.BUSY, b0),
        (400, Unit.MATMUL, State.BLOCKED, b1),
        (450, Unit.MATMUL, State.IDLE, 0),
    ]
    activity = Activity.load(write_trace(tmp_path / "trace", changes, 500, 100))
    return RunFigures.of(compiled, activity, 380, 4.0)


def test_cycles_of_layers(figures):
    a, b = figures.layers
    assert (a.cycles, b.cycles) == (300 - 110, 450 - 300)  # the first begins with the first instruction
    assert {state: count for state, count in a.states.items() if count} == {
        State.BUSY: 140, State.WAITS: 20, State.STARVED: 10,
    }  # fmt: skip
    assert b.states[State.BLOCKED] == 50


def test_bounds(compiled, figures, steps):
    for each in figures.layers:
        sizes = each.layer.inputs, each.layer.outputs, each.layer.rank
        expected = predict(TINY, LayerShape("", TOKENS, *sizes)).busy
        assert each.bound.array == expected > 0
        assert each.bound.bandwidth == sum(steps.moved(each.layer.name)) / 4
    assert figures.bound.array == sum(each.bound.array for each in figures.layers)
    assert (
        figures.bound.cycles
        == least_cycles(compiled, 4.0)
        == max(figures.bound.array, sum(steps.moved()) / 4)
    )
    assert least_cycles(compiled, 1e9) == max(
        figures.bound.array, steps.moved().read / 8
    )  # a word in a cycle
    assert (Bound(5, 4.0).name, Bound(5, 6.0).name) == ("array", "bandwidth")
    data = figures.data()
    assert data["bound"]["share"] == figures.bound.cycles / 380
    assert [each["name"] for each in data["layers"]] == ["a", "b"]


def test_tables(figures):
    console = Console(record=True, width=150, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(layer_table(figures))
    console.print(counter_table(figures.cycles, figures.states))
    text = console.export_text()
    assert "6 x 70 x 21" in text
    rows = {line.split()[0]: line.split() for line in text.splitlines() if line.strip()}
    assert "190" in rows["a"]
    assert rows["MATMUL"][1:3] == ["240", "63.2"]
    assert set(rows) >= {unit.name for unit in Unit}
    assert summary(figures).startswith("380 cycles, ")
    assert "ms at 100 MHz" in summary(figures, 100)
