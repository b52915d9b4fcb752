"""Energy module by module against all gates of a whole core at once, in a real library."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sevedo.gen.config import Config
from sevedo.gen.power import context, lanes, probe
from sevedo.gen.power.mapped import MappedUnit
from sevedo.gen.power.parts import CORE_PARTS
from sevedo.gen.power.shell import Shell
from sevedo.gen.power.tree import Tree
from sevedo.gen.power.workload import Choice, Kind, workload
from sevedo.gen.synth.in_library import recipe
from sevedo.gen.synth.library import Library
from sevedo.gen.synth.netlist import CellInstance, Netlist, flatten
from sevedo.gen.synth.power import cell_power
from sevedo.hw.core.core import Core

PDK = Path("/work/shared/pdk")
FILES = {
    "sky130": ["sky130hd_tt"],
    "asap7": [f"asap7_{kind}_rvt_tt" for kind in ("simple", "invbuf", "seq")],
}
PIN = "memory pin"


def without_memories(netlist: Netlist, tree: Tree) -> Netlist:
    """Each bit that a memory gives as a cell of its own, so that the flat netlist has a net for it."""
    cells: list[CellInstance] = []
    for cell in netlist.cells:
        if cell.kind not in tree.memories:
            cells.append(cell)
            continue
        for place, bit in enumerate(cell.pins["r_data"]):
            cells.append(CellInstance(f"{cell.name}/{place}", PIN, {"Y": (bit,)}))
    return replace(netlist, cells=tuple(cells))


def whole(unit: MappedUnit) -> tuple[Tree, list[tuple[str, int]]]:
    """The core as one module, memories' outputs being inputs; path and bit of each of these."""
    tree, mapped = unit.tree, unit.mapped
    flat = flatten(mapped.top, {name: without_memories(n, tree) for name, n in mapped.netlists.items()})
    pins = [cell for cell in flat.cells if cell.kind == PIN]
    clock = mapped.emitted[-1].clock
    sources = {
        ("", port): nets
        for port, (direction, nets) in flat.ports.items()
        if direction == "input" and port != clock
    }
    targets = {("", port): nets for port, (direction, nets) in flat.ports.items() if direction == "output"}
    inputs = {port: flat.ports[port] for port in [clock, *(port for _, port in sources)] if port}
    inputs |= {cell.path: ("input", [cell.pins["Y"]]) for cell in pins}
    flat = replace(flat, cells=[cell for cell in flat.cells if cell.kind != PIN], ports=inputs)
    shell = Shell(mapped.top, flat, clock, {}, sources, targets)
    places = [(path, int(bit)) for path, _, bit in (cell.path.rpartition("/") for cell in pins)]
    return Tree(mapped.top, {mapped.top: shell}, {mapped.top: [""]}, {}, {}), places


@pytest.mark.exact
@pytest.mark.skipif(shutil.which("sta") is None, reason="OpenSTA (sta) is not installed")
@pytest.mark.skipif(not PDK.is_dir(), reason="the libraries are not there")
@pytest.mark.parametrize("name", FILES)
def test_a_core_module_by_module_and_at_once(name: str, tmp_path: Path) -> None:
    library = Library.load([PDK / f"{file}.lib.gz" for file in FILES[name]])
    config = Config.load("tiny")
    from sevedo.sim.toolchain import build_folder

    unit = MappedUnit(Core(config), library, build_folder() / "synth", recipe=recipe(5.0))
    run = workload(config, Kind.RANDOM, Choice(tokens=8, outputs=16, rank=4)).run
    found, cycles = unit.simulate(run)
    parts = {part.name: part for part in unit.energies(found)}

    tree, places = whole(unit)
    [shell] = tree.shells.values()
    inputs = {stream: words for stream, words in run.words.items() if stream not in run.masks}
    modules = [module for module in unit.tree.paths if unit.tree.paths[module]]
    emitted = unit.mapped.emitted
    seen = probe.probe(emitted, unit.mapped.rtl, modules, inputs, {"y": len(run.words["y"])})
    top = seen.ports[""]
    columns = [top[port] for _, port in shell.sources] + [
        seen.ports[path]["r_data"][:, bit : bit + 1] for path, bit in places
    ]
    bits = np.concatenate(columns, axis=1)[:, :, None]
    nets = [net for ends in shell.targets.values() for net in ends]
    result = lanes.simulate(shell.flat, unit.cells, shell.clock, bits, nets, seen.window)
    first, last = seen.window
    wanted = np.concatenate([top[port] for _, port in shell.targets], axis=1)
    assert np.array_equal(result.outputs[first : last + 1, :, 0], wanted[first : last + 1])
    assert seen.window[1] - seen.window[0] + 1 == cycles

    outside = context.loads(tree, unit.cells)
    slews = context.slews(tree, library.paths, outside)
    told = cell_power(shell.flat, result.run, slews[shell.name], unit.cells, outside[shell.name])
    sums: dict[str, float] = {}
    for cell, energy in zip(shell.flat.cells, told.internal + told.switching, strict=True):
        register = unit.cells.cell(cell.kind).state is not None
        path = cell.path.rpartition("/")[0]
        part = next(one.name for one in CORE_PARTS if one.takes(path, register))
        sums[part] = sums.get(part, 0.0) + float(energy)
    total, at_once = sum(p.internal + p.switching for p in parts.values()), sum(sums.values())
    print(f"{name}: {total / at_once - 1:+.3%}")
    for part, energy in sorted(sums.items()):
        by_module = parts[part].internal + parts[part].switching
        print(f"  {part}: {by_module:.1f} {energy:.1f} fJ/cycle {by_module / energy - 1:+.3%}")
    assert set(sums) == set(parts)
    assert total == pytest.approx(at_once, rel=0.01)
    leakage = sum(part.leakage_nw for part in parts.values())
    assert leakage == pytest.approx(told.leakage.sum(), rel=1e-6)
