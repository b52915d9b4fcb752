"""The gates of a whole core on a run of its Verilog: module by module, all instances of each at once.

From the top down: the gates of a module get its inputs, as its parents' gates gave them, and what is recorded at the
outputs of the modules in it; they give its outputs, which are held to the recorded ones in every instance, bit and
cycle of the run, and the inputs of the modules in it. When all agree, the gates of the whole are what was simulated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sevedo.gen.synth.cells import CellLibrary
from sevedo.gen.synth.energy import EnergyError
from sevedo.gen.synth.gates import GateRun

from . import lanes
from .outline import MemoryMacro
from .parts import Part
from .probe import Probed
from .shell import Shell
from .tree import Tree

Bits = NDArray[np.bool_]


@dataclass(frozen=True)
class Batch:
    """Instances of one module whose cells belong to the same parts.

    Members
    -------
    module : which
    parts : of its gates and of its flip-flops
    paths : of the instances
    run : counts, of a mean instance
    """

    module: str
    parts: tuple[Part, Part]
    paths: tuple[str, ...]
    run: GateRun = field(repr=False)


@dataclass(frozen=True)
class MemoryActivity:
    """What reached an instance of a memory in the run.

    Members
    -------
    module, path : which
    writes, reads : words that were written and read; of an asynchronous read port, whose address always stands, changes
        of the address or of what is behind it
    bits : bits that were written
    """

    module: str
    path: str
    writes: int
    reads: int
    bits: int


@dataclass(frozen=True)
class Activity:
    """What happened at all gates and memories, and how many output bits of instances were compared."""

    batches: tuple[Batch, ...]
    memories: tuple[MemoryActivity, ...]
    compared: int


def activity(
    tree: Tree,
    cells: CellLibrary,
    probed: Probed,
    parts: Sequence[Part],
    advance: Callable[[str], None] = lambda step: None,
) -> Activity:
    """Simulate the gates of all modules.

    Raises
    ------
    EnergyError : some gates give other bits than the Verilog.
    GateError, LibertyError : as `lanes.simulate`.
    """
    given: dict[str, dict[str, Bits]] = {"": probed.ports[""]}  # by instance and input port
    batches: list[Batch] = []
    compared = 0
    for name, shell in tree.shells.items():
        for chosen, paths in _groups(tree.paths[name], parts):
            run = lanes.simulate(
                shell.flat,
                cells,
                shell.clock,
                _inputs(shell, paths, given, probed),
                _nets(shell),
                probed.window,
            )
            compared += _take(shell, paths, run.outputs, given, probed)
            batches.append(Batch(name, chosen, paths, run.run))
        for path in tree.paths[name]:
            del given[path]
        advance(f"gates of {name}")
    memories = tuple(
        _memory(name, path, macro, given[path], probed)
        for name, macro in tree.memories.items()
        for path in tree.paths[name]
        if path in given
    )
    return Activity(tuple(batches), memories, compared)


def _groups(
    paths: Sequence[str], parts: Sequence[Part]
) -> Iterator[tuple[tuple[Part, Part], tuple[str, ...]]]:
    """Instances by the parts that their gates and flip-flops belong to."""
    groups: dict[tuple[Part, Part], list[str]] = {}
    for path in paths:
        gates, registers = (next(p for p in parts if p.takes(path, register)) for register in (False, True))
        groups.setdefault((gates, registers), []).append(path)
    for chosen, members in groups.items():
        yield chosen, tuple(members)


def _join(path: str, child: str) -> str:
    return f"{path}/{child}" if path and child else path or child


def _inputs(
    shell: Shell, paths: Sequence[str], given: Mapping[str, Mapping[str, Bits]], probed: Probed
) -> Bits:
    """Bits [cycles, bits, instances] of the shell's sources."""
    found = np.zeros((probed.cycles, shell.source_bits, len(paths)), bool)
    for lane, path in enumerate(paths):
        at = 0
        for (child, port), nets in shell.sources.items():
            bits = probed.ports.get(_join(path, child), {}).get(port) if child else given[path].get(port)
            if bits is not None:
                found[:, at : at + len(nets), lane] = bits
            elif child and nets:
                raise EnergyError(
                    f"{_join(path, child)}.{port} was not recorded: the Verilog has no such port"
                )
            at += len(nets)
    return found


def _nets(shell: Shell) -> list[int]:
    return [net for nets in shell.targets.values() for net in nets]


def _take(
    shell: Shell, paths: Sequence[str], outputs: Bits, given: dict[str, dict[str, Bits]], probed: Probed
) -> int:
    """Hold outputs to what was recorded, keep the inputs of what is inside; how many bits were compared."""
    first, last = probed.window
    compared = 0
    for lane, path in enumerate(paths):
        at = 0
        for (child, port), nets in shell.targets.items():
            bits = outputs[:, at : at + len(nets), lane]
            at += len(nets)
            if child:
                given.setdefault(_join(path, child), {})[port] = bits
                continue
            wanted = probed.ports[path].get(port)
            if wanted is None:
                continue
            unequal = (bits != wanted)[first : last + 1]
            if unequal.any():
                cycle = int(np.flatnonzero(unequal.any(axis=1))[0])
                raise EnergyError(
                    f"the gates of {path or shell.name} give other bits than the Verilog at {port}, first in cycle "
                    f"{cycle} of the run"
                )
            compared += unequal.size
    return compared


def _memory(
    name: str, path: str, macro: MemoryMacro, given: Mapping[str, Bits], probed: Probed
) -> MemoryActivity:
    first, last = probed.window
    enables, address = given["w_en"][first : last + 1], given["r_addr"][first - 1 : last + 1]
    reading = given["r_en"][first : last + 1, 0]
    word = probed.ports[path]["r_data"][first - 1 : last + 1]
    changed = (address[1:] != address[:-1]).any(axis=1) | (word[1:] != word[:-1]).any(axis=1)
    # An asynchronous port is always enabled, but nothing moves in it while nothing changes.
    reads = changed if reading.all() else reading
    bits = int(enables.sum()) * macro.width // macro.enables
    return MemoryActivity(name, path, int(enables.any(axis=1).sum()), int(reads.sum()), bits)
