"""Gate-level simulation: a flat netlist with the cells' own functions, cycle by cycle, and what its power depends on.

The inputs of every cycle are those of a run of the unit's Verilog; the outputs are compared with that run's. Two values
and no delays: a net changes at most once in a cycle, so that glitches are not in the counts.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sevedo.gen.synth.cells import Cell, CellLibrary
from sevedo.gen.synth.library import LibertyError
from sevedo.gen.synth.netlist import Flat, FlatCell
from sevedo.sim.compile import cached
from sevedo.sim.toolchain import digest, toolchain

Bits = NDArray[np.bool_]

_SOURCE = Path(__file__).with_name("gates.cpp")


class GateError(RuntimeError):
    """A netlist that cannot be simulated; one line."""


@dataclass(frozen=True)
class CellCounts:
    """What happened at one cell in the counted cycles.

    Members
    -------
    time : [2^v] cycles in each state of its variables
    changes : [v, 2^v] changes of each variable into each state
    causes : [outputs, v + 1] changes of each output, shared among the variables that changed with it
    """

    time: NDArray[np.uint32]
    changes: NDArray[np.uint32]
    causes: NDArray[np.float64]


@dataclass(frozen=True)
class GateRun:
    """What a simulation gave.

    Members
    -------
    outputs : [cycles, bits] of the output ports, in the order of the netlist's ports
    cycles : counted
    ones, toggles : of every net
    cells : counts of every cell, in the netlist's order
    """

    outputs: Bits
    cycles: int
    ones: NDArray[np.uint32]
    toggles: NDArray[np.uint32]
    cells: list[CellCounts]


def simulate(
    flat: Flat, cells: CellLibrary, clock: str, inputs: Mapping[str, Bits], window: tuple[int, int]
) -> GateRun:
    """Simulate a netlist.

    Parameters
    ----------
    flat : the netlist
    cells : its library
    clock : name of the clock port
    inputs : for every input port but the clock its bits [cycles, width]
    window : first and last cycle that count

    Raises
    ------
    GateError : a loop without a register, a gated clock.
    LibertyError : a cell that cannot be simulated.
    """
    program = Program(flat, cells, clock)
    order = [port for port, (direction, _) in flat.ports.items() if direction == "input" and port != clock]
    vectors = np.concatenate([inputs[port] for port in order], axis=1)
    sources = [net for port in order for net in flat.ports[port][1]]
    targets = [net for direction, nets in flat.ports.values() if direction == "output" for net in nets]
    words = program.words(_packed(vectors), sources, targets, window)
    with tempfile.TemporaryDirectory(prefix="sevedo-gates-") as folder:
        given, answer = Path(folder, "given"), Path(folder, "answer")
        words.tofile(given)
        done = subprocess.run([_executable(), given, answer], check=False)
        if done.returncode:
            raise GateError(f"the gate simulation ended with code {done.returncode}")
        content = answer.read_bytes()
    return program.result(content, len(vectors), len(targets), window)


class Program:
    """The netlist as a simulator takes it: gates in an order in which every input is there before its output.

    Parameters
    ----------
    flat : the netlist
    cells : its library
    clock : name of the clock port, None without one

    Members
    -------
    nets : how many there are: those of the netlist, the state of every register, the constants 0 and 1
    gates, registers : target, variables and table of each
    counted : variables and output nets of every cell, in the netlist's order

    Raises
    ------
    GateError, LibertyError : see `simulate`.
    """

    def __init__(self, flat: Flat, cells: CellLibrary, clock: str | None) -> None:
        self._flat = flat
        self._zero = flat.nets + sum(1 for c in flat.cells if cells.cell(c.kind).state)
        self.nets = self._zero + 2
        clock_net = flat.ports[clock][1][0] if clock is not None else None
        gates: list[tuple[int, list[int], NDArray[np.bool_]]] = []
        self.registers: list[tuple[int, list[int], NDArray[np.bool_]]] = []
        self.counted: list[tuple[list[int], list[int]]] = []
        state = flat.nets
        for instance in flat.cells:
            cell = cells.cell(instance.kind)
            variables = [self.net(instance.pins.get(pin, -1)) for pin in cell.inputs]
            if cell.state:
                variables.append(state)
                self._check(instance, cell, clock_net)
                assert cell.next_state is not None
                self.registers.append((state, variables, cell.next_state))
                state += 1
            outputs = []
            for pin in cell.outputs:
                if (net := instance.pins.get(pin)) is not None:
                    gates.append((self.net(net), *_needed(variables, cell.functions[pin])))
                outputs.append(self.net(net if net is not None else -1))
            self.counted.append((variables, outputs))
        self.gates = _ordered(gates, flat, self._zero)

    def net(self, net: int) -> int:
        """The number of a net, constants included."""
        return net if net >= 0 else self._zero + (net == -2)

    def _check(self, instance: FlatCell, cell: Cell, clock_net: int | None) -> None:
        assert cell.clock is not None
        pin, falling = cell.clock
        if instance.pins.get(pin) != clock_net or falling:
            raise GateError(
                f"{instance.path} ({cell.name}) must be clocked by the rising edge of the clock port itself"
            )
        if cell.forced is None:
            return
        # an asynchronous clear or preset may be there, tied to where it never acts
        places = np.arange(len(cell.forced))
        possible = np.ones(len(places), bool)
        for place, name in enumerate(cell.inputs):
            if (net := instance.pins.get(name, -1)) < 0:
                possible &= (places >> place & 1) == (net == -2)
        if cell.forced[possible].any():
            raise LibertyError(
                f"cell {cell.name} ({instance.path}) must have its asynchronous clear and preset tied off"
            )

    def words(
        self,
        vectors: NDArray[np.uint32],
        sources: Sequence[int],
        targets: Sequence[int],
        window: tuple[int, int],
    ) -> NDArray[np.uint32]:
        words = [self.nets, len(vectors), *window]
        for functions in (self.gates, self.registers):
            words.append(len(functions))
            for target, variables, table in functions:
                packed = _packed(table[None, :])[0]
                words += [target, len(variables), *variables, len(packed), *packed.tolist()]
        initial = [int(table[0]) for _, _, table in self.registers]  # as if a 0 had been taken
        for items in (initial, sources, [self.net(net) for net in targets]):
            words += [len(items), *items]
        words.append(len(self.counted))
        for variables, outputs in self.counted:
            words += [len(variables), *variables, len(outputs), *outputs]
        return np.concatenate([np.array(words, np.uint32), vectors.ravel()])

    def result(self, content: bytes, cycles: int, width: int, window: tuple[int, int]) -> GateRun:
        told = -(-width // 32)
        nets = self.nets
        at = 0

        def take(count: int, kind: type) -> NDArray:
            nonlocal at
            values: NDArray = np.frombuffer(content, kind, count, at)
            at += values.nbytes
            return values

        answers = take(told * cycles, np.uint32).reshape(cycles, told)
        outputs = np.unpackbits(answers.view(np.uint8), axis=1, bitorder="little")[:, :width].astype(bool)
        ones, toggles = take(nets, np.uint32), take(nets, np.uint32)
        counts = []
        for variables, targets in self.counted:
            v = len(variables)
            time, changes = take(1 << v, np.uint32), take(v << v, np.uint32).reshape(v, 1 << v)
            counts.append(
                CellCounts(time, changes, take(len(targets) * (v + 1), np.float64).reshape(-1, v + 1))
            )
        return GateRun(outputs, window[1] - window[0] + 1, ones, toggles, counts)


def _needed(variables: list[int], table: NDArray[np.bool_]) -> tuple[list[int], NDArray[np.bool_]]:
    """A function without the variables that it does not depend on, as a register's output on its data."""
    kept = []
    for place in reversed(range(len(variables))):
        halves = table.reshape(-1, 2, 1 << place)
        if (halves[:, 0] == halves[:, 1]).all():
            table = halves[:, 0].reshape(-1)
        else:
            kept.append(variables[place])
    return kept[::-1], table


def _ordered(
    gates: list[tuple[int, list[int], NDArray[np.bool_]]], flat: Flat, zero: int
) -> list[tuple[int, list[int], NDArray[np.bool_]]]:
    """Gates, every one behind those that drive it."""
    driver = {target: index for index, (target, _, _) in enumerate(gates)}
    waiting = [len({driver[net] for net in inputs if net in driver}) for _, inputs, _ in gates]
    readers: dict[int, list[int]] = {}
    for index, (_, inputs, _) in enumerate(gates):
        for net in set(inputs):
            if net in driver:
                readers.setdefault(net, []).append(index)
    ready = [index for index, count in enumerate(waiting) if count == 0]
    ordered = []
    while ready:
        index = ready.pop()
        ordered.append(gates[index])
        for reader in readers.get(gates[index][0], ()):
            waiting[reader] -= 1
            if waiting[reader] == 0:
                ready.append(reader)
    if len(ordered) < len(gates):
        raise GateError("the netlist has a loop without a register")
    return ordered


def _packed(bits: NDArray[np.bool_]) -> NDArray[np.uint32]:
    """Rows of bits as 32-bit words, the first bit lowest."""
    rows, width = bits.shape
    padded = np.zeros((rows, -(-width // 32) * 32), bool)
    padded[:, :width] = bits
    return np.packbits(padded, axis=1, bitorder="little").view(np.uint32)


def _executable() -> Path:
    """The simulator, compiled at most once."""

    def build(folder: Path) -> None:
        toolchain()  # names what is missing
        command = ["g++", "-O2", "-std=c++17", "-o", str(folder / "gates"), str(_SOURCE)]
        subprocess.run(command, check=True, capture_output=True)

    return cached("gates-" + digest(_SOURCE.read_text(), toolchain().compiler_version), build) / "gates"
