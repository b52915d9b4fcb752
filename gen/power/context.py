"""What the gates of a module see of the design around it: loads at its outputs, slews at its inputs.

A module is the same wherever it stands, and so are its gates; what its outputs drive and who drives its inputs may
differ from place to place. The mean over its instances is taken.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sevedo.gen.synth import measure as flow
from sevedo.gen.synth.cells import CellLibrary
from sevedo.gen.synth.power import SLEWS, Slews, finite, require_sta

from .shell import Shell
from .tree import Tree

Array = NDArray[np.float64]
Ports = dict[str, Array]
"""A figure for every bit of some ports."""


def loads(tree: Tree, cells: CellLibrary) -> dict[str, Array]:
    """For every module, fF that each net of its shell drives in other modules; inputs of memories count nothing."""
    inside: dict[str, Array] = {}
    inputs: dict[str, Ports] = {name: {} for name in tree.memories}
    for name, shell in reversed(list(tree.shells.items())):  # children before their parents
        total = np.zeros(shell.flat.nets + 2)
        for cell in shell.flat.cells:
            for pin, capacitance in cells.cell(cell.kind).capacitance.items():
                total[cell.pins.get(pin, -1)] += capacitance
        for (child, port), nets in shell.targets.items():
            if child and port in inputs[shell.children[child]]:
                np.add.at(total, nets, inputs[shell.children[child]][port])
        inside[name] = total
        inputs[name] = {port: total[nets] for (child, port), nets in shell.sources.items() if not child}
    outside: dict[str, Array] = {}
    driven: dict[str, Ports] = {name: {} for name in tree.paths}  # sums over instances
    for name, shell in tree.shells.items():
        count = len(tree.paths[name])
        own = np.zeros(shell.flat.nets + 2)
        for (child, port), nets in shell.targets.items():
            figures = driven[name].get(port) if not child else inputs[shell.children[child]].get(port)
            if figures is not None:
                np.add.at(own, nets, figures if child else figures / count)
        outside[name] = own
        gates = inside[name]
        for (child, port), nets in shell.sources.items():
            if child:
                beyond = np.zeros(shell.flat.nets + 2)  # what is driven through this module's own outputs
                for (other, out), ends in shell.targets.items():
                    if not other and (figures := driven[name].get(out)) is not None:
                        np.add.at(beyond, ends, figures)
                found = count * gates[nets] + beyond[nets]
                kept = driven[shell.children[child]]
                kept[port] = kept.get(port, 0.0) + found
    return outside


def slews(tree: Tree, paths: Sequence[Path], outside: Mapping[str, Array]) -> dict[str, Slews]:
    """For every module the slew at each net of its shell, by OpenSTA; ports of the design and memories have none.

    Raises
    ------
    PowerError : OpenSTA is missing.
    SynthesisError : it fails.
    """
    own = _driven(tree, paths, outside)
    out: dict[str, dict[str, tuple[Array, Array]]] = {name: {} for name in tree.memories}
    for name, shell in reversed(list(tree.shells.items())):
        rise, fall = own[name]
        for (child, port), nets in shell.sources.items():
            if child and (found := out[shell.children[child]].get(port)) is not None:
                _fill(rise, nets, found[0])
                _fill(fall, nets, found[1])
        out[name] = {port: (rise[n], fall[n]) for (child, port), n in shell.targets.items() if not child}
    given: dict[str, dict[str, tuple[Array, Array]]] = {name: {} for name in tree.paths}
    for name, shell in tree.shells.items():
        rise, fall = own[name]
        count = len(tree.paths[name])
        for (child, port), nets in shell.sources.items():
            if not child and (found := given[name].get(port)) is not None:
                _fill(rise, nets, found[0] / count)
                _fill(fall, nets, found[1] / count)
        for (child, port), nets in shell.targets.items():
            if child:
                before = given[shell.children[child]].get(port, (0.0, 0.0))
                given[shell.children[child]][port] = (
                    before[0] + count * rise[nets],
                    before[1] + count * fall[nets],
                )
    return {name: Slews(rise, fall) for name, (rise, fall) in own.items()}


def _fill(into: Array, nets: Sequence[int], values: Array) -> None:
    """Constants, which have negative numbers, have no slew."""
    chosen = np.array(nets) >= 0
    into[np.array(nets)[chosen]] = np.asarray(values)[chosen]


def _driven(
    tree: Tree, paths: Sequence[Path], outside: Mapping[str, Array]
) -> dict[str, tuple[Array, Array]]:
    """Slews of the nets that gates drive, of every module alone."""
    require_sta()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        names = flow.prepare(work, "", paths, adder_cells=False)
        script = [*(f"read_liberty {name}" for name in names), "set_cmd_units -capacitance fF"]
        for index, shell in enumerate(tree.shells.values()):
            Path(work, f"{index}.v").write_text(_verilog(shell, outside[shell.name]))
            script += _script(index, shell, outside[shell.name])
        flow.run_sta(work, script)
        found = {}
        for index, (name, shell) in enumerate(tree.shells.items()):
            rise, fall = np.zeros(shell.flat.nets + 2), np.zeros(shell.flat.nets + 2)
            for line in Path(work, f"{index}.slews").read_text().splitlines():
                pin, up, down = line.split()
                cell, _, port = pin.rpartition("/")
                net = shell.flat.cells[int(cell[1:])].pins.get(port, -1)
                if net >= 0:
                    rise[net], fall[net] = finite(up), finite(down)
            found[name] = rise, fall
    return found


def _verilog(shell: Shell, outside: Array) -> str:
    """The gates c0, c1, ... of a shell; nets that come from elsewhere or drive something elsewhere are ports."""
    given = _given(shell)
    told = _told(shell, outside)
    ports = [f"n{net}" for net in (*given, *told)]
    lines = [f"module m ({', '.join(ports)});"]
    lines += [f"  input n{net};" for net in given] + [f"  output n{net};" for net in told]
    known = {*given, *told}
    used = {net for cell in shell.flat.cells for net in cell.pins.values() if net >= 0}
    lines += [f"  wire n{net};" for net in sorted(used - known)]
    constants = {-1: "1'b0", -2: "1'b1"}
    for number, cell in enumerate(shell.flat.cells):
        pins = ", ".join(f".{pin}({constants.get(net, f'n{net}')})" for pin, net in cell.pins.items())
        lines.append(f"  {cell.kind} c{number} ({pins});")
    return "\n".join(lines) + "\nendmodule\n"


def _given(shell: Shell) -> list[int]:
    """Nets that come from elsewhere."""
    return sorted({net for _, nets in shell.flat.ports.values() for net in nets if net >= 0})


def _told(shell: Shell, outside: Array) -> list[int]:
    """Nets that are driven here and drive something elsewhere."""
    given = set(_given(shell))
    ends = {net for nets in shell.targets.values() for net in nets if net >= 0}
    return sorted(net for net in ends - given if outside[net] > 0)


def _script(index: int, shell: Shell, outside: Array) -> Iterator[str]:
    clock = f"[get_ports n{shell.flat.ports[shell.clock][1][0]}]" if shell.clock else ""
    yield f"read_verilog {index}.v"
    yield "link_design m"
    yield f"create_clock -name clock -period {PERIOD} {clock}"
    yield "set_input_delay 0 -clock clock [all_inputs]"
    for net in _told(shell, outside):
        yield f"set_load {outside[net]:.6g} [get_ports n{net}]"
    yield from (line.replace("open slews", f"open {index}.slews") for line in SLEWS)


PERIOD = 1e6
"""A clock period in any unit: far longer than any path."""
