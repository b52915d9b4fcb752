"""Cells as simulation and power read them from a Liberty text: functions, states, energies, units, mistakes."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from powerlib import library

from sevedo.gen.synth import expression
from sevedo.gen.synth.cells import CellLibrary, EnergyTable
from sevedo.gen.synth.library import LibertyError


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("A ^ B & C", lambda a, b, c: (a ^ b) & c),  # not Verilog's order
        ("A + B C", lambda a, b, c: a | (b & c)),
        ("!A B | C'", lambda a, b, c: (1 - a) & b | (1 - c)),
        ("(A+B)'*C", lambda a, b, c: (1 - (a | b)) & c),
        ("!(A & !B)'", lambda a, b, c: 1 - (1 - (a & (1 - b)))),
        ("1 ^ A", lambda a, b, c: 1 - a),
        ("(!A) | (0)", lambda a, b, c: 1 - a),
    ],
)
def test_expressions_bind_as_liberty_says(text: str, meaning) -> None:
    expected = [bool(meaning(a, b, c)) for c, b, a in product((0, 1), repeat=3)]
    assert expression.table(text, ["A", "B", "C"]).tolist() == expected


@pytest.mark.parametrize("text", ["A +", "A & (B", "A ; B", "Q", "", "A B) C"])
def test_what_is_no_expression_is_told(text: str) -> None:
    with pytest.raises(expression.ExpressionError, match="function "):
        expression.table(text, ["A", "B", "C"])


@pytest.mark.parametrize("unit", [1.0, 1000.0])
def test_cells_are_read_in_any_unit(unit: float) -> None:
    cells = CellLibrary([library(unit)])
    assert (cells.volts, cells.time_ns) == (2.0, 1.0)
    nand = cells.cell("NAND2")
    assert nand.functions["Y"].tolist() == [True, True, True, False]
    assert nand.capacitance == pytest.approx({"A": 3.0, "B": 4.0})
    arc = next(power for power in nand.internal if power.related == "B")
    assert arc.rise is not None
    assert arc.fall is not None
    at = np.array([500.0, 5000.0])
    assert arc.rise.at(at, at) == pytest.approx([100, 100])
    assert arc.fall.at(at, at) == pytest.approx([200, 200])
    flop = cells.cell("DFFN")
    assert (flop.inputs, flop.clock, flop.variables) == (("D",), ("CK", False), ("D", "IQN"))
    assert flop.next_state is not None
    assert flop.next_state.tolist() == [True, False, True, False]
    assert flop.functions["QN"].tolist() == [False, False, True, True]
    assert [power.pin for power in flop.internal] == ["CK", "QN"]  # the rail at 0 V delivers nothing


def test_conditions_of_clock_outputs_and_state() -> None:
    flop = CellLibrary([library()]).cell("DFFN")
    assert flop.condition("CK * D").tolist() == [0, 0.5, 0, 0.5]
    assert flop.condition("!D & QN").tolist() == [0, 0, 1, 0]
    assert flop.condition("IQ").tolist() == [1, 1, 0, 0]
    assert flop.condition(None).tolist() == [1, 1, 1, 1]


def test_tables_between_points_and_beyond_them() -> None:
    table = EnergyTable(np.array([0.0, 10]), np.array([0.0, 4]), np.array([[0.0, 8], [100, 108]]))
    slew, load = np.array([5, 10, -1, 1e9, np.inf]), np.array([1.0, 4, 0, 2, 99])
    assert table.at(slew, load) == pytest.approx([52, 108, 0, 104, 108])


@pytest.mark.parametrize(
    ("change", "cell", "said"),
    [
        (("ff (IQN, IQ)", "latch (IQN, IQ)"), "DFFN", "cell DFFN must be a gate or a flip-flop"),
        (("capacitance : 4.0;", ""), "NAND2", "cell NAND2 must have a capacitance at pin B"),
        (("A ^ B", "A ^ Z"), "XOR2", "cell XOR2: function "),
        (("clocked_on", "clocks"), "DFFN", "cell DFFN must have clocked_on"),
        (("nom_voltage", "voltage"), "INV", "the library must have a nom_voltage"),
        (("capacitive_load_unit", "load_unit"), "INV", "the library must have a capacitive_load_unit"),
        (("", ""), "NAND9", "cell NAND9 must be in the library"),
    ],
)
def test_mistakes_are_one_line(change: tuple[str, str], cell: str, said: str) -> None:
    with pytest.raises(LibertyError) as caught:
        CellLibrary([library().replace(*change)]).cell(cell)
    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)
