"""Mapping of a hierarchy: every distinct module once, its children black boxes or flattened in; area multiplied out.

Which child stays a module: one whose unit is of a class among the `boundaries` that the caller gives; every other unit
is flattened into the nearest boundary above it (or the top), so that optimisation crosses it. For area the boundaries
are the large units that are there many times (processing elements, coarse-scale units, buffers); for energy the parts
whose share is asked for are boundaries too, which keeps them apart at the price of some area.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path

from sevedo.gen.synth import expression, fulladder, kept, liberty, library, memories, netlist, sizing
from sevedo.gen.synth import measure as flow
from sevedo.gen.synth import partition as partition_module
from sevedo.gen.synth import recipe as recipe_module
from sevedo.gen.synth.fanout import buffered
from sevedo.gen.synth.kept import Kept
from sevedo.gen.synth.library import Library
from sevedo.gen.synth.measure import SynthesisError
from sevedo.gen.synth.modulewise import each
from sevedo.gen.synth.netlist import Netlist
from sevedo.gen.synth.partition import Partition, Source
from sevedo.gen.synth.recipe import BENCH, Recipe
from sevedo.gen.verilog.emitter import EmittedModule, emit
from sevedo.hw.unit import Unit

_FLOW = (
    flow,
    expression,
    fulladder,
    liberty,
    library,
    memories,
    netlist,
    partition_module,
    recipe_module,
    sizing,
)
_PERIOD = 1000.0  # ns, as in `measure`


class HierarchyError(RuntimeError):
    """A tool failed on a module. The message is one line, `log` is the file with all that was said."""

    def __init__(self, message: str, log: Path) -> None:
        super().__init__(message)
        self.log = log


@dataclass(frozen=True)
class MappedModule:
    """A module mapped once.

    Members
    -------
    netlist : its gates and the children that stayed modules
    area : of its own gates, without those children, in the library's unit
    cells : its own gates by name
    """

    netlist: Netlist = field(repr=False)
    area: float
    cells: Mapping[str, int] = field(repr=False)


@dataclass(frozen=True)
class Mapped:
    """A design mapped module by module.

    Members
    -------
    top : name of the top
    modules : by name, parents before their children
    rtl : the Verilog that was mapped
    emitted : the modules that it was written from
    """

    top: str
    modules: Mapping[str, MappedModule]
    rtl: str = field(repr=False)
    emitted: Sequence[EmittedModule] = field(repr=False)

    @property
    def netlists(self) -> dict[str, Netlist]:
        """Netlists by module."""
        return {name: module.netlist for name, module in self.modules.items()}

    def counts(self) -> dict[str, int]:
        """How often each module is in the whole design."""
        counts = dict.fromkeys(self.modules, 0)
        counts[self.top] = 1
        for name, module in self.modules.items():
            for child, number in module.netlist.children(self.modules).items():
                counts[child] += number * counts[name]
        return counts

    def verilog(self) -> str:
        """The whole netlist, children as modules, the top first; gates are cells of the library."""
        netlists = self.netlists
        return "\n".join(one.verilog(netlists) for one in netlists.values())


@dataclass(frozen=True)
class ModuleArea:
    """A row of a report: instances of a module, area of one without its child modules, its longest path in ns.

    `delay` is that of the module alone, children being black boxes: paths that end in a child are not in it. None
    without OpenSTA.
    """

    name: str
    count: int
    area: float
    cells: int
    delay: float | None


@dataclass(frozen=True)
class AreaReport:
    """Area of a design.

    Members
    -------
    total : of all instances, in the library's unit (um2 for those in use)
    cells : number of gates
    delay : longest path of the whole design in ns, through all modules; None when it was not asked for or cannot be
        measured
    by_module : one row for every module, the top first
    """

    total: float
    cells: int
    delay: float | None
    by_module: tuple[ModuleArea, ...]


def area(
    unit: Unit,
    cells: Library,
    boundaries: Sequence[type[Unit]],
    folder: Path,
    *,
    timing: bool = True,
    whole_delay: bool = False,
    advance: Callable[[str], None] = lambda module: None,
) -> AreaReport:
    """Area and delay of a unit, every distinct module being mapped once.

    Parameters
    ----------
    unit : any unit
    cells : the library
    boundaries : classes of units that stay modules; see above
    folder : where results are kept
    timing, whole_delay : measure delays of modules, of the whole, if OpenSTA is there; the whole takes more
        than a minute for half a million gates
    advance : called with the name of each module when it is done

    Raises
    ------
    HierarchyError : when a tool fails; what was done before is kept.
    """
    mapped = map_hierarchy(emit(unit), cells, boundaries, folder, advance=advance)
    timed = timing and shutil.which("sta") is not None
    rows = []
    for name, count in mapped.counts().items():
        one = mapped.modules[name]
        delay = _delay(mapped, [name], cells, folder) if timed else None
        rows.append(ModuleArea(name, count, one.area, sum(one.cells.values()), delay))
    whole = _delay(mapped, list(mapped.modules), cells, folder) if timed and whole_delay else None
    total = sum(row.count * row.area for row in rows)
    return AreaReport(total, sum(row.count * row.cells for row in rows), whole, tuple(rows))


def map_hierarchy(
    emitted: Sequence[EmittedModule],
    cells: Library,
    boundaries: Sequence[type[Unit]],
    folder: Path,
    *,
    macros: Sequence[type[Unit]] = (),
    recipe: Recipe = BENCH,
    jobs: int = 1,
    advance: Callable[[str], None] = lambda module: None,
) -> Mapped:
    """Map the modules of a unit, the last being the top; those of the classes `macros` stay black boxes unmapped.

    Parameters
    ----------
    jobs : modules that are mapped at a time

    Raises
    ------
    HierarchyError : when Yosys fails on a module; what was done before is kept.
    """
    partition = Partition(emitted, boundaries, macros)
    store = store_of(cells, folder, recipe)

    def work(name: str) -> MappedModule:
        return _map(partition.source(name), cells, store, recipe)

    def children(module: MappedModule) -> set[str]:
        return {cell.kind for cell in module.netlist.cells}

    done = each(partition, work, children, jobs, advance)
    return Mapped(partition.top, done, partition.rtl, emitted)


def map_source(source: Source, cells: Library, folder: Path, recipe: Recipe = BENCH) -> MappedModule:
    """Map one module.

    Raises
    ------
    HierarchyError : when Yosys fails.
    """
    return _map(source, cells, store_of(cells, folder, recipe), recipe)


def _map(source: Source, cells: Library, store: Kept, recipe: Recipe) -> MappedModule:
    told = store.get("map", source.name, source.text)
    if told is None:
        try:
            told = _synthesise(source, cells, recipe)
        except SynthesisError as error:
            first = str(error).strip().splitlines()[-1]
            raise HierarchyError(
                f"{source.name}: {first}", store.log(error.log, "map", source.name, source.text)
            ) from None
        store.put(told, "map", source.name, source.text)
    netlist, area, gates = Netlist.of_data(told["netlist"]), told["area"], dict(told["cells"])
    if recipe.sized and (buffer := _buffer(cells)) is not None:
        logic = cells.facts.areas.keys() - cells.facts.flip_flops
        netlist, added = buffered(netlist, buffer, cells.facts.outputs, logic, source.text)
        if added:
            area += added * buffer.area
            gates[buffer.name] = gates.get(buffer.name, 0) + added
    return MappedModule(netlist, area, gates)


@lru_cache
def _buffer(cells: Library) -> sizing.Buffer | None:
    return sizing.strong([library.slim(library.read(path)) for path in cells.paths])


def _synthesise(source: Source, cells: Library, recipe: Recipe) -> dict:
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        names = flow.prepare(work, source.text, cells.paths, adder_cells=True)
        script = [*recipe.script(work, source.name, names), "clean -purge", "write_json netlist.json"]
        flow.run_yosys(work, script)
        told = flow.figures(work)
        try:
            mapped = Netlist.read(Path(work, "netlist.json").read_text(), source.name)
        except (OSError, ValueError, KeyError):
            raise SynthesisError("yosys gives no netlist", Path(work, "yosys.log").read_text()) from None
        apart = {*source.boxes, memories.CELL}
        gates = {cell: count for cell, count in flow.count_cells(told).items() if cell not in apart}
    return {"area": float(told["area"]) if gates else 0.0, "cells": gates, "netlist": mapped.data()}


def _delay(mapped: Mapped, names: Sequence[str], cells: Library, folder: Path) -> float:
    """The longest path of the first of some modules, those that are not among them being black boxes."""
    netlists = mapped.netlists
    text = "\n".join(netlists[name].verilog(netlists) for name in names)
    store = store_of(cells, folder)
    told = store.get("delay", names[0], text)
    if told is None:
        try:
            told = _longest_path(names[0], text, cells)
        except SynthesisError as error:
            first = str(error).strip().splitlines()[-1]
            raise HierarchyError(
                f"{names[0]}: {first}", store.log(error.log, "delay", names[0], text)
            ) from None
        store.put(told, "delay", names[0], text)
    return float(told)


def _longest_path(top: str, text: str, cells: Library) -> float:
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        names = flow.prepare(work, text, cells.paths, adder_cells=False)
        # report_worst_slack says -INF where an unbuffered net drives hundreds of black boxes; the path itself is sound
        output = flow.run_sta(work, [*constraints(names, top, text), "report_checks -digits 4"])
    if "No paths found" in output:
        return 0.0  # wires alone
    slack = re.search(r"^\s+(-?[\d.]+)\s+slack \(", output, re.MULTILINE)
    if slack is None:
        raise SynthesisError(f"sta tells no slack: {output.strip()[-2000:]}", output)
    return round(_PERIOD - float(slack.group(1)), 3)


def constraints(libraries: Sequence[str], top: str, text: str, period: float = _PERIOD) -> list[str]:
    """Lines of Tcl that read library and netlist (unit.v) and clock it; times in ns."""
    port = (
        "[get_ports clk]" if re.search(r"^  input clk;", text[: text.find("endmodule")], re.MULTILINE) else ""
    )
    return [
        *(f"read_liberty {name}" for name in libraries),
        "set_cmd_units -time ns",
        "read_verilog unit.v",
        f"link_design {top}",
        f"create_clock -name clock -period {period} {port}",
        "set_input_delay 0 -clock clock [all_inputs]",
        "set_output_delay 0 -clock clock [all_outputs]",
    ]


def store_of(cells: Library, folder: Path, recipe: Recipe = BENCH) -> Kept:
    """Where results of a library and a recipe are kept."""
    ours = kept.sources(_FLOW) + Path(__file__).read_text()
    options = json.dumps({"recipe": asdict(recipe), "dont_use": liberty.NEVER})
    return Kept(folder, cells.digest, json.dumps(kept.tools()), options, ours)
