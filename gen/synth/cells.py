"""What simulation and power need of a library's cells: function, state, capacitance, energies, leakage.

A cell is read from its Liberty group when it is asked for. Figures are in fF, fJ, nW and V; times stay in the file's
unit.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sevedo.gen.synth import expression, liberty
from sevedo.gen.synth.library import LibertyError

Array = NDArray[np.float64]

_FEMTO = {"f": 1.0, "p": 1e3, "n": 1e6}
_NANO = {"": 1e9, "m": 1e6, "u": 1e3, "n": 1.0, "p": 1e-3, "f": 1e-6}
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"


@dataclass(frozen=True)
class EnergyTable:
    """Energy of a transition in fJ over the slew at an input and, with a second axis, the load in fF."""

    slews: Array
    loads: Array
    values: Array

    def at(self, slew: Array, load: Array) -> Array:
        """Interpolated linearly; beyond the table its edge is taken.

        A mapped netlist has no buffers, so that the slews of nets with a large fan-out are far beyond any table.
        """
        rows, row = _place(self.slews, slew)
        columns, column = _place(self.loads, load)
        v = self.values
        right, below = np.minimum(columns + 1, len(self.loads) - 1), np.minimum(rows + 1, len(self.slews) - 1)
        upper = v[rows, columns] * (1 - column) + v[rows, right] * column
        lower = v[below, columns] * (1 - column) + v[below, right] * column
        return upper * (1 - row) + lower * row


@dataclass(frozen=True)
class InternalPower:
    """Energies of the transitions of a pin, caused by `related` (None: the pin itself) while `when` holds."""

    pin: str
    related: str | None
    when: str | None
    rise: EnergyTable | None
    fall: EnergyTable | None


@dataclass(frozen=True)
class Cell:
    """A cell.

    Members
    -------
    inputs, outputs : pins; of a flip-flop the clock is not among the inputs
    state : (name, its complement) of a flip-flop's state in the file, or None
    clock : (pin, whether the falling edge counts) of a flip-flop
    functions : table of every output over `variables`
    next_state : table over `variables`, or None
    forced : table over `variables`, where an asynchronous clear or preset acts, or None
    capacitance : fF of every input pin, the clock too
    internal : energies
    leakage : (when, nW), None without a condition
    scale : fF in a unit of capacitance
    """

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    state: tuple[str, str] | None
    clock: tuple[str, bool] | None
    functions: dict[str, expression.Table]
    next_state: expression.Table | None
    forced: expression.Table | None
    capacitance: dict[str, float]
    internal: tuple[InternalPower, ...]
    leakage: tuple[tuple[str | None, float], ...]

    @property
    def variables(self) -> tuple[str, ...]:
        """What outputs are functions of: the inputs and a flip-flop's state, the first being the lowest bit."""
        return self.inputs + ((self.state[0],) if self.state else ())

    def condition(self, when: str | None) -> Array:
        """For each state of `variables`, the share of time in which `when` holds; a clock is high half of it."""
        if when is None:
            return np.ones(1 << len(self.variables))
        extra = expression.names(when)
        clock = (self.clock[0],) if self.clock and self.clock[0] in extra else ()
        known = [*self.variables, *clock]
        states = 1 << len(known)
        # outputs and the complement of the state may be named too: they follow from the rest
        derived = {name: np.tile(column, states // len(column)) for name, column in self.functions.items()}
        if self.state:
            place = len(self.inputs)
            derived[self.state[1]] = (np.arange(states) >> place & 1) == 0
        named = [name for name in sorted(extra) if name in derived]
        inner = expression.table(when, [*known, *named])
        index = np.arange(states)
        for place, name in enumerate(named):
            index = index | derived[name].astype(np.int64) << (len(known) + place)
        holds = inner[index].astype(float)
        return holds.reshape(2, -1).mean(axis=0) if clock else holds


class CellLibrary:
    """The cells of a library's Liberty texts, read one by one.

    Members
    -------
    volts : the supply
    time_ns : ns in the files' unit of time

    Raises
    ------
    LibertyError : no voltage or unit; a file's unit of time differs from another's.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self._bodies: dict[str, tuple[str, int]] = {}
        self._cells: dict[str, Cell] = {}
        self._templates: list[dict[str, tuple[list[str], list[Array]]]] = []
        self._scales: list[tuple[float, float]] = []
        self._grounds: list[set[str]] = []
        times, volts = set(), set()
        for number, text in enumerate(texts):
            first = next(iter(re.finditer(r"^\s*cell\s*\(", text, re.MULTILINE)), None)
            head = text[: first.start()] if first else text
            self._scales.append(_units(head))
            self._grounds.append(
                {
                    m.group(1)
                    for m in re.finditer(r'voltage_map\s*\(\s*"?(\w+)"?\s*,\s*"?0(?:\.0*)?"?\s*\)', head)
                }
            )
            self._templates.append(dict(_templates(head)))
            times.add(_time_ns(head))
            volts.add(_volts(head))
            self._bodies |= {name: (body, number) for name, body in liberty.groups(text, "cell")}
        if len(times) > 1 or len(volts) > 1:
            raise LibertyError(
                f"the files of a library must have one unit of time and voltage, not {times}, {volts}"
            )
        self.time_ns, self.volts = times.pop(), volts.pop()

    def __contains__(self, name: str) -> bool:
        return name in self._bodies

    def cell(self, name: str) -> Cell:
        """A cell.

        Raises
        ------
        LibertyError : no such cell; a latch or the like; a pin without a capacitance, an output without a function.
        """
        if name not in self._cells:
            if name not in self._bodies:
                raise LibertyError(f"cell {name} must be in the library")
            self._cells[name] = self._read(name)
        return self._cells[name]

    def _read(self, name: str) -> Cell:
        body, number = self._bodies[name]
        cap, power = self._scales[number]
        pins = dict(liberty.groups(body, "pin"))
        rest = _without(body, "pin")
        state, clock, following, forcing = _flip_flop(name, rest)
        inputs, outputs, capacitance = [], [], {}
        internal: list[InternalPower] = []
        for pin, content in pins.items():
            direction = _attribute(_without(content, "internal_power", "timing"), "direction")
            if direction == "output":
                outputs.append(pin)
            elif direction == "input":
                value = _attribute(content, "capacitance")
                if value is None:
                    raise LibertyError(
                        f"cell {name} must have a capacitance at pin {pin}: no switching energy without"
                    )
                capacitance[pin] = float(value) * cap
                if clock is None or pin != clock[0]:
                    inputs.append(pin)
            internal += self._internal(pin, content, number)
        variables = inputs + ([state[0]] if state else [])
        functions = {}
        for pin in outputs:
            function = liberty.FUNCTION.search(pins[pin])
            if function is None:
                raise LibertyError(f"cell {name} must have a function at pin {pin}")
            text = function.group(1)
            if state and state[1] in expression.names(text):
                text = re.sub(rf"\b{state[1]}\b", f"(!{state[0]})", text)
            functions[pin] = _table(name, text, variables)
        step = _table(name, following, variables) if following else None
        forced = _table(name, " | ".join(f"({one})" for one in forcing), variables) if forcing else None
        leakage = []
        for _, group in _groups(rest, "leakage_power"):
            value = _attribute(group, "value")
            if value and _attribute(group, "related_pg_pin") not in self._grounds[number]:
                leakage.append((_attribute(group, "when"), float(value) * power))
        overall = _attribute(_without(rest, "leakage_power"), "cell_leakage_power")
        if not leakage and overall:
            leakage.append((None, float(overall) * power))
        return Cell(
            name, tuple(inputs), tuple(outputs), state, clock, functions, step, forced, capacitance,
            tuple(internal), tuple(leakage),
        )  # fmt: skip

    def _internal(self, pin: str, content: str, number: int) -> list[InternalPower]:
        """Energies of a pin. What a rail at 0 V takes is the same charge once more and is left out."""
        found = []
        for _, group in _groups(content, "internal_power"):
            if _attribute(group, "related_pg_pin") in self._grounds[number]:
                continue
            tables = {
                kind: self._table(arguments, inner, number)
                for kind in ("rise_power", "fall_power", "power")
                for arguments, inner in _groups(group, kind)
            }
            both = tables.get("power")
            related = _attribute(group, "related_pin")
            for one in related.split() if related else [None]:
                when = _attribute(group, "when")
                rise, fall = tables.get("rise_power", both), tables.get("fall_power", both)
                found.append(InternalPower(pin, one, when, rise, fall))
        return found

    def _table(self, template: str, group: str, number: int) -> EnergyTable:
        variables, axes = self._templates[number].get(template, ([], []))
        own = [_numbers(m.group(1)) for m in re.finditer(r"index_\d\s*\(([^;]*?)\)\s*;", group)]
        axes = [own[i] if i < len(own) else axis for i, axis in enumerate(axes)]
        match = re.search(r"values\s*\(([^;]*?)\)\s*;", group, re.DOTALL)
        values = _numbers(match.group(1)) if match else np.zeros(1)
        scale = self._scales[number][0]
        nothing = np.zeros(1)
        if values.size == 1 or not axes:
            return EnergyTable(nothing, nothing, values[:1].reshape(1, 1) * scale)
        values = values.reshape([len(axis) for axis in axes]) * scale
        if len(axes) == 1:
            if "capacitance" in variables[0]:
                return EnergyTable(nothing, axes[0] * scale, values[None, :])
            return EnergyTable(axes[0], nothing, values[:, None])
        if "capacitance" in variables[0]:
            return EnergyTable(axes[1], axes[0] * scale, values.T)
        return EnergyTable(axes[0], axes[1] * scale, values)


def _flip_flop(
    name: str, body: str
) -> tuple[tuple[str, str] | None, tuple[str, bool] | None, str, list[str]]:
    """State, clock, next state, and what clears or presets a cell; nothing without state."""
    if re.search(r"\b(latch|latch_bank|ff_bank|statetable)\s*\(", body):
        raise LibertyError(
            f"cell {name} must be a gate or a flip-flop: latches and state tables cannot be simulated"
        )
    heads = list(_groups(body, "ff"))
    if not heads:
        return None, None, "", []
    arguments, group = heads[0]
    names = re.findall(r"\w+", arguments)
    clock = re.fullmatch(r"\(?\s*(!?)\s*(\w+)\s*('?)\s*\)?", _attribute(group, "clocked_on") or "")
    following = _attribute(group, "next_state")
    if clock is None or following is None or len(names) != 2:
        raise LibertyError(f"cell {name} must have clocked_on, a pin, and next_state")
    forcing = [text for kind in ("clear", "preset") if (text := _attribute(group, kind))]
    edge = clock.group(2), bool(clock.group(1)) != bool(clock.group(3))
    return (names[0], names[1]), edge, following, forcing


def _table(name: str, text: str, variables: Sequence[str]) -> expression.Table:
    try:
        return expression.table(text, variables)
    except expression.ExpressionError as error:
        raise LibertyError(f"cell {name}: {error}") from None


def _groups(text: str, kind: str) -> list[tuple[str, str]]:
    """Arguments, which may be none or several, and body of every group of a kind."""
    found = []
    for head in re.finditer(rf"\b{kind}\s*\(\s*\"?([^(){{}}]*?)\"?\s*\)\s*\{{", text):
        found.append((head.group(1), text[head.end() : liberty.closing(text, head.end())]))
    return found


def _without(text: str, *kinds: str) -> str:
    """A text without the groups of some kinds."""
    kept, end = [], 0
    pattern = re.compile(rf"\b(?:{'|'.join(kinds)})\s*\([^(){{}}]*\)\s*\{{")
    while head := pattern.search(text, end):
        kept.append(text[end : head.start()])
        end = liberty.closing(text, head.end()) + 1
    return "".join(kept) + text[end:]


def _attribute(text: str, name: str) -> str | None:
    match = re.search(rf"(?<![\w]){name}\s*:\s*(?:\"([^\"]*)\"|([^;\n]*?))\s*;", text)
    return (match.group(1) if match.group(1) is not None else match.group(2)) if match else None


def _numbers(text: str) -> Array:
    return np.array([float(number) for number in re.findall(_NUMBER, text)])


def _templates(head: str) -> list[tuple[str, tuple[list[str], list[Array]]]]:
    found = []
    for kind in ("power_lut_template", "lu_table_template"):
        for name, body in _groups(head, kind):
            variables = [m.group(1) for m in re.finditer(r"variable_\d\s*:\s*\"?(\w+)\"?\s*;", body)]
            axes = [_numbers(m.group(1)) for m in re.finditer(r"index_\d\s*\(([^;]*?)\)\s*;", body)]
            found.append((name, (variables, axes)))
    return found


def _units(head: str) -> tuple[float, float]:
    """fF in a unit of capacitance, nW in a unit of leakage power."""
    cap = re.search(rf"capacitive_load_unit\s*\(\s*\"?({_NUMBER})\"?\s*,\s*\"?([fpnFPN])[fF]\"?\s*\)", head)
    if cap is None:
        raise LibertyError("the library must have a capacitive_load_unit: no energy without capacitances")
    power = re.search(rf"leakage_power_unit\s*:\s*\"?({_NUMBER})\s*([munpf]?)[wW]\"?\s*;", head)
    nano = float(power.group(1)) * _NANO[power.group(2)] if power else 1.0
    return float(cap.group(1)) * _FEMTO[cap.group(2).lower()], nano


def _time_ns(head: str) -> float:
    match = re.search(rf"time_unit\s*:\s*\"?({_NUMBER})\s*([pnf])s\"?\s*;", head)
    return float(match.group(1)) * {"f": 1e-6, "p": 1e-3, "n": 1.0}[match.group(2)] if match else 1.0


def _volts(head: str) -> float:
    match = re.search(rf"nom_voltage\s*:\s*\"?({_NUMBER})\"?\s*;", head)
    if match is None or not float(match.group(1)):
        raise LibertyError("the library must have a nom_voltage: no energy without a voltage")
    return float(match.group(1))


def _place(axis: Array, value: Array) -> tuple[NDArray[np.int64], Array]:
    """Index of the point below and the share of the way to the next, held inside the axis."""
    if len(axis) == 1:
        return np.zeros(len(value), np.int64), np.zeros(len(value))
    inside = np.clip(value, axis[0], axis[-1])
    index = np.clip(np.searchsorted(axis, inside, side="right") - 1, 0, len(axis) - 2)
    return index, (inside - axis[index]) / (axis[index + 1] - axis[index])
