"""Trees of buffers: no net drives more pins than it should, and every pin still hangs on its source."""

from __future__ import annotations

import pytest

from sevedo.gen.synth.fanout import buffered
from sevedo.gen.synth.netlist import CellInstance, Netlist
from sevedo.gen.synth.sizing import FANOUT, Buffer

BUFFER = Buffer("BUF", "A", "Y", 1.5, 3.0)
OUTPUTS = {"INV/Y", "BUF/Y", "DFF/Q"}
BOX = "(* blackbox *) module leaf (\n  input wire a,\n  output wire y\n);\nendmodule\n"


def netlist(children: int, gates: int) -> Netlist:
    """A register that drives so many leaves and inverters; the clock drives it and a register behind each leaf."""
    cells = [CellInstance("register", "DFF", {"D": (3,), "CK": (2,), "Q": (4,)})]
    for n in range(children):
        cells.append(CellInstance(f"leaf_{n}", "leaf", {"a": (4,), "y": (100 + n,)}))
        cells.append(CellInstance(f"r{n}", "DFF", {"D": (100 + n,), "CK": (2,), "Q": (10_000 + n,)}))
    cells += [CellInstance(f"i{n}", "INV", {"A": (4,), "Y": (20_000 + n,)}) for n in range(gates)]
    return Netlist("parent", {"clk": ("input", (2,)), "d": ("input", (3,))}, tuple(cells))


def sinks(one: Netlist) -> dict[int, list[str]]:
    """The cells that each net drives."""
    found: dict[int, list[str]] = {}
    for cell in one.cells:
        for pin, bits in cell.pins.items():
            if f"{cell.kind}/{pin}" not in OUTPUTS and (cell.kind, pin) != ("leaf", "y"):
                for bit in bits:
                    assert isinstance(bit, int)
                    found.setdefault(bit, []).append(cell.name)
    return found


@pytest.mark.parametrize(("children", "gates"), [(1, 3), (FANOUT, 0), (16, 5), (256, 30), (2000, 0)])
def test_trees(children: int, gates: int) -> None:
    before = netlist(children, gates)
    after, number = buffered(before, BUFFER, OUTPUTS, {"INV"}, BOX)
    assert (number == 0) == (children + gates <= FANOUT)
    assert len(after.cells) == len(before.cells) + number
    assert len({cell.name for cell in after.cells}) == len(after.cells)
    driven = sinks(after)
    assert max(len(names) for net, names in driven.items() if net != 2) <= FANOUT
    assert sorted(driven[2]) == sorted(sinks(before)[2])  # the clock as it was
    source = {cell.pins["Y"][0]: cell.pins["A"][0] for cell in after.cells if cell.kind == "BUF"}

    def root(net: int | str) -> int | str:
        while net in source:
            net = source[net]
        return net

    hanging = [
        name for net, names in driven.items() if root(net) == 4 for name in names if "fanout" not in name
    ]
    assert sorted(hanging) == sorted(sinks(before)[4])
    if gates < FANOUT:  # gates stay near the register
        assert {f"i{n}" for n in range(gates)} <= set(driven[4])
