"""Energy of every cell of a netlist from what happened at it: the library's tables, loads, slews and counts of changes.

OpenSTA 2.0.17 has three faults that forbid its own power report here: it drops activities that are set anywhere but at
top-level ports (they are propagated as if all inputs of a gate were independent), it adds the energies of rise and fall
for every single change, and it counts the energy of a gate with three inputs or more once for each. So it gives what it
is good at, the slew at every pin, and the sums are made here. What a cell takes:

* switching: C V^2 / 2 for each change of an output, C being the input capacitances that it drives. A register's clock
  pin is charged to the register, C V^2 a cycle. Nets of top-level inputs are charged to nobody.
* internal: for each change of an output, the mean of the rise and fall energies of the arcs from the inputs that
  changed with it, at their slew and its load; for each change of an input, its own; conditions weighed by the counted
  states.
* leakage: the library's, by the share of time in each state.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sevedo.gen.synth import measure as flow
from sevedo.gen.synth.cells import Array, Cell, CellLibrary, EnergyTable
from sevedo.gen.synth.gates import CellCounts, GateRun
from sevedo.gen.synth.hierarchy import constraints
from sevedo.gen.synth.library import LibertyError
from sevedo.gen.synth.netlist import Flat


class PowerError(RuntimeError):
    """Energy cannot be told. The message is one line that says what is missing and what can still be shown."""


@dataclass(frozen=True)
class CellPower:
    """Energies of every cell in fJ per cycle; leakage as power in nW, since it goes with time. All [cells].

    `clock` is the part of internal and switching energy that a register takes at its clock pin, changing or not.
    """

    internal: Array
    switching: Array
    leakage: Array
    clock: Array


@dataclass(frozen=True)
class Slews:
    """Slews of the driver of every net, rise and fall, in the library's unit of time; 0 where ports drive."""

    rise: Array
    fall: Array


def require_sta() -> None:
    """Whether energy can be told.

    Raises
    ------
    PowerError : OpenSTA is missing.
    """
    if shutil.which("sta") is None:
        raise PowerError("energy needs OpenSTA (sta), apt-get install opensta; area can be shown without it")


def require_tables(texts: Sequence[str]) -> None:
    """Whether a library's texts can tell energies, before anything is mapped to it.

    Raises
    ------
    LibertyError : no cell has internal power or leakage.
    """
    if not any(re.search(r"\binternal_power\s*\(", text) for text in texts):
        raise LibertyError(_NO_INTERNAL)
    if not any(re.search(r"\b(leakage_power\s*\(|cell_leakage_power\s*:)", text) for text in texts):
        raise LibertyError(_NO_LEAKAGE)


_NO_INTERNAL = "the library must have internal_power: without it only area and delay can be shown"
_NO_LEAKAGE = "the library must have leakage_power or cell_leakage_power at its cells"


def find_slews(verilog: str, top: str, flat: Flat, libraries: Sequence[Path]) -> Slews:
    """Ask OpenSTA for the slews of a netlist, given as Verilog and flat: ports have none, nets have no wires.

    Raises
    ------
    PowerError : OpenSTA is missing.
    SynthesisError : it fails.
    """
    require_sta()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        names = flow.prepare(work, verilog, libraries, adder_cells=False)
        script = [*constraints(names, top, verilog), *SLEWS]
        # get_property tells times in the unit of commands; the tables are in the files' own
        script = [line for line in script if not line.startswith("set_cmd_units")]
        flow.run_sta(work, script)
        told = Path(work, "slews").read_text()
    pins = {f"{cell.path}/{pin}": net for cell in flat.cells for pin, net in cell.pins.items()}
    rise, fall = np.zeros(flat.nets + 2), np.zeros(flat.nets + 2)
    for line in told.splitlines():
        pin, up, down = line.split()
        if (net := pins.get(pin, -1)) >= 0:
            rise[net], fall[net] = finite(up), finite(down)
    return Slews(rise, fall)


SLEWS = (
    "set out [open slews w]",
    "set insts [sta::leaf_instance_iterator]",
    "while {[$insts has_next]} {",
    "  set pins [[$insts next] pin_iterator]",
    "  while {[$pins has_next]} {",
    "    set pin [$pins next]",
    '    if {[get_property $pin direction] eq "output"} {',
    '      puts $out "[get_property $pin full_name] [get_property $pin actual_rise_transition_max] '
    '[get_property $pin actual_fall_transition_max]"',
    "    }",
    "  }",
    "  $pins finish",
    "}",
    "close $out",
)
"""Lines of Tcl that write the slews of every output pin to the file slews, in the unit of commands."""


def finite(text: str) -> float:
    """A slew; a net that drives more than tables reach may have one without bound."""
    value = float(text) if re.fullmatch(r"[-+\d.eE]+", text) else np.inf
    return value if np.isfinite(value) and value < 1e29 else np.inf


def cell_power(
    flat: Flat, run: GateRun, slews: Slews, cells: CellLibrary, outside: Array | None = None
) -> CellPower:
    """Energies of every cell.

    Parameters
    ----------
    flat : the netlist
    run : what happened in it
    slews : at every net
    cells : its library
    outside : fF that each net, and the constants behind them, drives beyond this netlist

    Raises
    ------
    LibertyError : no cell has internal power or leakage.
    """
    loads = np.zeros(flat.nets + 2) if outside is None else outside.copy()
    kinds: dict[str, list[int]] = {}
    for index, instance in enumerate(flat.cells):
        kinds.setdefault(instance.kind, []).append(index)
        for pin, capacitance in cells.cell(instance.kind).capacitance.items():
            loads[instance.pins.get(pin, -1)] += capacitance
    found = [cells.cell(kind) for kind in kinds]
    if not any(cell.internal for cell in found):
        raise LibertyError(_NO_INTERNAL)
    if not any(cell.leakage for cell in found):
        raise LibertyError(_NO_LEAKAGE)
    internal, switching, leakage, clock = (np.zeros(len(flat.cells)) for _ in range(4))
    for kind, members in kinds.items():
        one = _Kind(cells.cell(kind), flat, members, run, slews, loads)
        internal[members] = one.internal()
        switching[members] = one.switching(cells.volts)
        leakage[members] = one.leakage()
        clock[members] = one.clock(cells.volts)
    return CellPower(internal, switching, leakage, clock)


class _Kind:
    """All cells of one kind at once."""

    def __init__(
        self, cell: Cell, flat: Flat, members: Sequence[int], run: GateRun, slews: Slews, loads: Array
    ) -> None:
        self._cell = cell
        self._slews = slews
        self._loads = loads
        self._run = run
        self._nets = {
            pin: np.array([flat.cells[index].pins.get(pin, -1) for index in members])
            for pin in (*cell.capacitance, *cell.outputs)
        }
        counts: list[CellCounts] = [run.cells[index] for index in members]
        self._time = np.stack([one.time for one in counts]) / run.cycles
        self._changes = np.stack([one.changes for one in counts]) / run.cycles
        self._causes = np.stack([one.causes for one in counts]) / run.cycles

    def switching(self, volts: float) -> Array:
        total = np.zeros(len(self._time))
        for pin in self._cell.outputs:
            nets = self._nets[pin]
            toggles = np.where(nets >= 0, self._run.toggles[nets], 0) / self._run.cycles
            total += 0.5 * volts**2 * toggles * self._loads[nets]
        return total + self._clock_net(volts)

    def clock(self, volts: float) -> Array:
        """What the clock pin takes: its capacitance, and its own energy at both edges."""
        if self._cell.clock is None:
            return np.zeros(len(self._time))
        return self._input(self._cell.clock[0]) + self._clock_net(volts)

    def _clock_net(self, volts: float) -> float:
        return volts**2 * self._cell.capacitance[self._cell.clock[0]] if self._cell.clock else 0.0

    def leakage(self) -> Array:
        """Conditions that cover all states, or what is told without one."""
        total, covered = np.zeros(len(self._time)), np.zeros(len(self._time))
        overall = [value for when, value in self._cell.leakage if when is None]
        for when, value in self._cell.leakage:
            if when is not None:
                share = self._time @ self._cell.condition(when)
                total, covered = total + share * value, covered + share
        return total + np.clip(1 - covered, 0, 1) * (sum(overall) if overall else 0.0)

    def internal(self) -> Array:
        total = np.zeros(len(self._time))
        for place, pin in enumerate(self._cell.outputs):
            total += self._output(place, pin)
        for pin in self._cell.capacitance:
            total += self._input(pin)
        return total

    def _output(self, place: int, pin: str) -> Array:
        """Changes of an output by the input that caused them; where the arc of an input is missing, the mean of all."""
        variables, load = self._cell.variables, self._loads[self._nets[pin]]
        groups: dict[str | None, list[tuple[str | None, Array]]] = {}
        for power in self._cell.internal:
            if power.pin == pin:
                energy = self._mean(power.rise, power.fall, power.related, load)
                groups.setdefault(power.related, []).append((power.when, energy))
        if not groups:
            return np.zeros(len(load))
        by_input = {related: self._weighed(entries) for related, entries in groups.items()}
        mean = sum(by_input.values(), np.zeros(len(load))) / len(by_input)
        total = np.zeros(len(load))
        for number in range(len(variables) + 1):
            related = variables[number] if number < len(variables) else None
            if self._cell.clock:
                related = self._cell.clock[0]  # a register's output changes with its clock, whatever else did
            energy = by_input.get(related, mean)
            total += self._causes[:, place, number] * energy
        return total

    def _input(self, pin: str) -> Array:
        total = np.zeros(len(self._time))
        own = [power for power in self._cell.internal if power.pin == pin]
        for power in own:
            energy = self._mean(power.rise, power.fall, pin, np.zeros(len(total)))
            condition = self._cell.condition(power.when)
            if self._cell.clock and pin == self._cell.clock[0]:
                total += energy * 2 * (self._time @ condition)  # both edges of every cycle
            else:
                total += energy * (self._changes[:, self._cell.inputs.index(pin)] @ condition)
        return total

    def _weighed(self, entries: Sequence[tuple[str | None, Array]]) -> Array:
        """The mean of an arc's energies, by how often the condition of each holds."""
        shares = [self._time @ self._cell.condition(when) for when, _ in entries]
        total = sum(shares)
        equal = 1 / len(entries)
        weights = [np.where(total > 0, share / np.where(total > 0, total, 1), equal) for share in shares]
        return sum(
            (w * energy for w, (_, energy) in zip(weights, entries, strict=True)), np.zeros(len(self._time))
        )

    def _mean(
        self, rise: EnergyTable | None, fall: EnergyTable | None, pin: str | None, load: Array
    ) -> Array:
        """The mean energy of a rise and a fall, at the slew of the net at `pin`."""
        nets = self._nets.get(pin or "", np.full(len(load), -1))
        slews = [np.where(nets >= 0, slew[nets], 0.0) for slew in (self._slews.rise, self._slews.fall)]
        tables = [table for table in (rise, fall) if table is not None]
        if not tables:
            return np.zeros(len(load))
        slew: NDArray[np.float64] = np.maximum(*slews) if len(tables) == 1 else np.mean(slews, axis=0)
        values = [table.at(slew, load) for table in tables]
        return sum(values, np.zeros(len(load))) / 2


def rows(power: CellPower, groups: Mapping[str, Sequence[int]]) -> dict[str, tuple[float, float, float]]:
    """Sums of internal, switching and leakage over groups of cells."""
    parts = (power.internal, power.switching, power.leakage)
    return {
        name: (float(parts[0][list(m)].sum()), float(parts[1][list(m)].sum()), float(parts[2][list(m)].sum()))
        for name, m in groups.items()
    }
