"""Gate-level simulation of one netlist for many instances at once, each with its own inputs: a bit of a word each.

What `gen/synth/gates.py` does for one flat netlist, with the same counts, summed over the instances. A module that is
in a core 256 times is simulated 256 times as often in the time of four.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sevedo.gen.synth.cells import CellLibrary
from sevedo.gen.synth.gates import CellCounts, GateError, GateRun, Program
from sevedo.gen.synth.netlist import Flat
from sevedo.sim.compile import cached
from sevedo.sim.toolchain import digest, toolchain

Bits = NDArray[np.bool_]

SOURCE = Path(__file__).with_name("lanes.cpp")


@dataclass(frozen=True)
class LaneRun:
    """What a simulation gave.

    Members
    -------
    outputs : bits [cycles, targets, instances]
    run : counts, summed over the instances; `run.cycles` is that of all instances together, so that its figures per
        cycle are those of a mean instance
    """

    outputs: Bits
    run: GateRun


def simulate(
    flat: Flat,
    cells: CellLibrary,
    clock: str | None,
    inputs: Bits,
    targets: Sequence[int],
    window: tuple[int, int],
) -> LaneRun:
    """Simulate the instances of a netlist side by side.

    Parameters
    ----------
    flat : the netlist; its input ports but the clock are given
    cells : its library
    clock : name of the clock port, None without one
    inputs : [cycles, bits, instances], bits of the input ports in the order of the netlist's ports, lowest first
    targets : nets whose values are told
    window : first and last cycle that count

    Raises
    ------
    GateError : a loop without a register, a gated clock.
    LibertyError : a cell that cannot be simulated.
    """
    program = Program(flat, cells, clock)
    cycles, _, lanes = inputs.shape
    sources = [
        net
        for port, (direction, nets) in flat.ports.items()
        if direction == "input" and port != clock
        for net in nets
    ]
    head = _words(program, sources, targets, cycles, lanes, window)
    with tempfile.TemporaryDirectory(prefix="sevedo-lanes-") as folder:
        given, answer = Path(folder, "given"), Path(folder, "answer")
        with given.open("wb") as file:
            head.tofile(file)
            _packed(inputs).tofile(file)
        done = subprocess.run([_executable(), given, answer], check=False)
        if done.returncode:
            raise GateError(f"the gate simulation ended with code {done.returncode}")
        content = np.fromfile(answer, np.uint64)
    return _result(program, content, cycles, len(targets), lanes, window)


def _words(
    program: Program,
    sources: Sequence[int],
    targets: Sequence[int],
    cycles: int,
    lanes: int,
    window: tuple[int, int],
) -> NDArray[np.uint64]:
    """All but the inputs, as the simulator takes it."""
    kinds: dict[bytes, int] = {}
    functions: list[int] = []
    lists: list[int] = []
    for gates in (program.gates, program.registers):
        lists.append(len(gates))
        for target, variables, table in gates:
            key = table.tobytes()
            if key not in kinds:
                kinds[key] = len(kinds)
                nodes = diagram(key)
                functions += [len(nodes), *(part for node in nodes for part in node)]
            lists += [kinds[key], target, len(variables), *variables]
    initial = [int(table[0]) for _, _, table in program.registers]  # as if a 0 had been taken
    for items in (initial, sources, [program.net(net) for net in targets]):
        lists += [len(items), *items]
    lists.append(len(program.counted))
    for variables, outputs in program.counted:
        lists += [len(variables), *variables, len(outputs), *outputs]
    return np.array([program.nets, cycles, *window, lanes, len(kinds), *functions, *lists], np.uint64)


@cache
def diagram(table: bytes) -> tuple[tuple[int, int, int], ...]:
    """The reduced decision diagram of a function: nodes (variable, place when 0, place when 1), the function last.

    Places 0 and 1 are the constants, the first node is at 2.

    Parameters
    ----------
    table : the function's values, a byte each, the first variable being the lowest bit of the place
    """
    nodes: list[tuple[int, int, int]] = []
    known: dict[bytes, int] = {}

    def place(part: bytes) -> int:
        if part not in known:
            if len(part) == 1:
                return part[0]
            half = len(part) // 2
            low, high = place(part[:half]), place(part[half:])
            if low == high:
                known[part] = low
            else:
                nodes.append((half.bit_length() - 1, low, high))
                known[part] = len(nodes) + 1
        return known[part]

    top = place(table)
    if top < 2:  # a constant: a node that does not care
        return ((0, top, top),)
    assert top == len(nodes) + 1
    return tuple(nodes)


def _packed(bits: Bits) -> NDArray[np.uint64]:
    """Words of every cycle: an instance alone has its signals side by side, others a word or more for each signal."""
    cycles, signals, lanes = bits.shape
    if lanes == 1:
        bits = bits.reshape(cycles, 1, signals)
    padded = -(-bits.shape[2] // 64) * 64
    packed = np.packbits(bits, axis=2, bitorder="little")
    whole = np.zeros((cycles, bits.shape[1], padded // 8), np.uint8)
    whole[:, :, : packed.shape[2]] = packed
    return whole.view(np.uint64)


def _unpacked(words: NDArray[np.uint64], signals: int, lanes: int) -> Bits:
    """What `_packed` made words of: [cycles, signals, instances]."""
    found = np.unpackbits(words.view(np.uint8), axis=2, bitorder="little").astype(bool)
    if lanes == 1:
        return found[:, 0, :signals, None]
    return found[:, :, :lanes]


def _result(
    program: Program,
    content: NDArray[np.uint64],
    cycles: int,
    width: int,
    lanes: int,
    window: tuple[int, int],
) -> LaneRun:
    at = 0

    def take(count: int) -> NDArray[Any]:  # of as many bits as gates.py's or more
        nonlocal at
        at += count
        return content[at - count : at]

    single = lanes == 1
    signals, words = (1, -(-width // 64)) if single else (width, -(-lanes // 64))
    outputs = _unpacked(take(cycles * signals * words).reshape(cycles, signals, words), width, lanes)
    ones, toggles = take(program.nets), take(program.nets)
    sizes = [len(variables) for variables, _ in program.counted]
    times = take(sum(1 << v for v in sizes))
    changes = take(sum(v << v for v in sizes))
    causes = take(sum(len(targets) * (len(v) + 1) for v, targets in program.counted)).view(np.float64)
    counts, time_at, change_at, cause_at = [], 0, 0, 0
    for variables, targets in program.counted:
        v = len(variables)
        time = times[time_at : time_at + (1 << v)]
        change = changes[change_at : change_at + (v << v)].reshape(v, 1 << v)
        cause = causes[cause_at : cause_at + len(targets) * (v + 1)].reshape(-1, v + 1)
        counts.append(CellCounts(time, change, cause))
        time_at, change_at, cause_at = time_at + time.size, change_at + change.size, cause_at + cause.size
    return LaneRun(
        outputs, GateRun(outputs[:0, :, 0], (window[1] - window[0] + 1) * lanes, ones, toggles, counts)
    )


def _executable() -> Path:
    """The simulator, compiled at most once."""

    def build(folder: Path) -> None:
        toolchain()  # names what is missing
        command = ["g++", "-O2", "-std=c++17", "-o", str(folder / "lanes"), str(SOURCE)]
        subprocess.run(command, check=True, capture_output=True)

    return cached("lanes-" + digest(SOURCE.read_text(), toolchain().compiler_version), build) / "lanes"
