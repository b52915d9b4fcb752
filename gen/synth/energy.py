"""Energy of a unit at gate level, by category: mapped, run with the data of a layer, summed from the library's tables.

Without wires: loads are the capacitances of input pins. Without glitches: a net changes at most once in a cycle.
Without a clock tree: the clock pins of registers are charged, the buffers before them are not there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sevedo.gen.synth import gates, library, power, record
from sevedo.gen.synth.cells import CellLibrary
from sevedo.gen.synth.hierarchy import Mapped, map_hierarchy
from sevedo.gen.synth.library import Library
from sevedo.gen.synth.netlist import flatten
from sevedo.gen.verilog.emitter import emit
from sevedo.hw.unit import Unit
from sevedo.sim.player import Words

OTHER = "other"
"""The category of cells that no pattern takes."""


class EnergyError(AssertionError):
    """The gates gave something else than the Verilog; one line that names the ports."""


@dataclass(frozen=True)
class Category:
    """Cells whose path (``pe_0_1/dot/u12``) a pattern is found in. The first category of a list to take a cell has it.

    Members
    -------
    name : for the report
    pattern : regular expression, searched in the path
    registers : flip-flops alone (True), gates alone (False) or both (None)
    """

    name: str
    pattern: str = ""
    registers: bool | None = None

    def takes(self, path: str, register: bool) -> bool:
        """Whether a cell belongs to it."""
        return self.registers in (None, register) and re.search(self.pattern, path) is not None


@dataclass(frozen=True)
class CategoryEnergy:
    """Energy of a category's cells in fJ per cycle; `leakage_nw` is power, as leakage goes with time."""

    name: str
    cells: int
    internal: float
    switching: float
    leakage_nw: float

    def per_cycle(self, period_ns: float | None = None) -> float:
        """fJ per cycle, with leakage over a period if one is given."""
        dynamic = self.internal + self.switching
        return dynamic if period_ns is None else dynamic + self.leakage_nw * period_ns * 1e-3


@dataclass(frozen=True)
class EnergyReport:
    """Energy of a run.

    Members
    -------
    categories : in the order given, `OTHER` last; without those that have no cells
    cycles : from the first beat in to the last beat out
    macs : useful multiply-accumulates in them, as the caller gave
    period_ns : the clock period that leakage is counted over
    area : of the netlist that was simulated, whose boundaries cost some, in the library's unit
    volts : supply
    """

    categories: tuple[CategoryEnergy, ...]
    cycles: int
    macs: int
    period_ns: float
    area: float
    volts: float

    @property
    def per_cycle(self) -> float:
        """fJ per cycle, leakage included."""
        return sum(one.per_cycle(self.period_ns) for one in self.categories)

    @property
    def per_mac(self) -> float:
        """fJ per multiply-accumulate, leakage included."""
        return self.per_cycle * self.cycles / self.macs

    def of(self, *names: str) -> float:
        """fJ per multiply-accumulate of some categories, leakage included; those without cells count nothing."""
        chosen = [one.per_cycle(self.period_ns) for one in self.categories if one.name in names]
        return sum(chosen) * self.cycles / self.macs


def energy(
    unit: Unit,
    cells: Library,
    boundaries: Sequence[type[Unit]],
    inputs: Mapping[str, Words],
    outputs: Mapping[str, int],
    categories: Sequence[Category],
    folder: Path,
    *,
    macs: int,
    period_ns: float = 5.0,
    pins: Mapping[str, int] | None = None,
    advance: Callable[[str], None] = lambda step: None,
) -> EnergyReport:
    """Energy of a unit while it takes and gives beats without stalls.

    Parameters
    ----------
    unit : any unit with a clock whose ports are streams
    cells : the library
    boundaries : classes of units that stay modules, see `hierarchy`; what a category tells apart must be one
    inputs, outputs, pins : beats, see `Player.run`
    categories : what is told apart
    folder : where mapped modules are kept
    macs : multiply-accumulates that the beats stand for
    period_ns : clock period for leakage
    advance : called with the name of each step when it is done

    Raises
    ------
    PowerError : OpenSTA is missing.
    LibertyError : no capacitances, voltage or powers; a cell that cannot be simulated.
    EnergyError : the gates give other outputs than the Verilog.
    HierarchyError, SynthesisError : a tool fails.
    """
    power.require_sta()
    library_cells = CellLibrary([library.read(path) for path in cells.paths])
    emitted = emit(unit)
    mapped = map_hierarchy(emitted, cells, boundaries, folder, advance=lambda name: advance(f"map {name}"))
    flat = flatten(mapped.top, mapped.netlists)
    recording = record.record(emitted, mapped.rtl, inputs, outputs, pins)
    advance("simulate the Verilog")
    clock = emitted[-1].clock
    assert clock is not None
    given = {
        port: recording.ports[port]
        for port, (direction, _) in flat.ports.items()
        if direction == "input" and port != clock
    }
    run = gates.simulate(flat, library_cells, clock, given, recording.window)
    _compare(flat.ports, run, recording)
    advance("simulate the gates")
    slews = power.find_slews(mapped.verilog(), mapped.top, flat, cells.paths)
    advance("slews")
    found = power.cell_power(flat, run, slews, library_cells)
    chosen = [*categories, Category(OTHER)]
    members: dict[str, list[int]] = {one.name: [] for one in chosen}
    for index, cell in enumerate(flat.cells):
        register = library_cells.cell(cell.kind).state is not None
        members[next(one.name for one in chosen if one.takes(cell.path, register))].append(index)
    sums = power.rows(found, members)
    told = tuple(CategoryEnergy(name, len(members[name]), *sums[name]) for name in members if members[name])
    return EnergyReport(told, run.cycles, macs, period_ns, _area(mapped), library_cells.volts)


def _compare(
    ports: Mapping[str, tuple[str, list[int]]], run: gates.GateRun, recording: record.Recording
) -> None:
    found, at = {}, 0
    for port, (direction, nets) in ports.items():
        if direction == "output":
            found[port] = run.outputs[:, at : at + len(nets)]
            at += len(nets)
    if wrong := record.differences(recording, found):
        raise EnergyError(f"the gates give other bits than the Verilog at {', '.join(wrong)}")


def _area(mapped: Mapped) -> float:
    return sum(count * mapped.modules[name].area for name, count in mapped.counts().items())
