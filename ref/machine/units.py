"""The five units of the Python machine: what each does with an instruction, and when it can."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from sevedo.gen.config import Config
from sevedo.gen.config.instructions import Error, Segment, Target, Unit
from sevedo.gen.config.operands import operands

from ..rows import quantize_activations
from .beats import Array, unpack_sections
from .matmul import Fields, demand, matmul, smoothed
from .memories import Dram, Memories
from .report import Stop


@dataclass(frozen=True)
class Decoded:
    """An instruction on its way.

    Members
    -------
    number : its place in the program
    name : its kind
    fields : their values
    """

    number: int
    name: str
    fields: Fields


@dataclass
class Parts:
    """What the units share.

    Members
    -------
    matmul : beats that the MATMUL under way still takes, for which STREAM has room beyond its buffers
    store : tiles that the STORE under way takes, for which MATMUL has room beyond the output buffers
    """

    config: Config
    dram: Dram
    memories: Memories
    matmul: dict[str, int]
    store: int = 0


class Executor(ABC):
    """A unit: carries out one instruction at a time."""

    unit: Unit

    def __init__(self, parts: Parts) -> None:
        self.parts, self.config, self.memories, self.dram = parts, parts.config, parts.memories, parts.dram

    @abstractmethod
    def begin(self, instruction: Decoded) -> None:
        """Start on an instruction."""

    @abstractmethod
    def advance(self) -> tuple[bool, bool]:
        """Go on as far as possible: whether anything was done, whether the instruction is done."""


class Load(Executor):
    """Rows of DRAM into IOMEM or the multipliers, whole bus words at a time."""

    unit = Unit.LOAD

    def begin(self, instruction: Decoded) -> None:
        self._now = instruction

    def advance(self) -> tuple[bool, bool]:
        f, lanes, word = self._now.fields, self.config.rmc.lanes, self.dram.word
        inputs, first = f["inputs"], f["row"] * lanes
        length = -(-inputs * 2 // word) * word
        for token in range(f["tokens"]):
            address = f["address"] + token * f["pitch"]
            self.dram.check(f["segment"], address, length, self.unit, self._now.number)
            numbers = self.dram.read(f["segment"], address, length).view("<u2")[:inputs]
            if f["target"] == Target.IOMEM:
                self.memories.iomem[token, first : first + inputs] = numbers
            else:
                self.memories.multipliers[first : first + inputs] = numbers
        return True, True


class Stream(Executor):
    """Bundles of operands into their buffers, as far as these have room."""

    unit = Unit.STREAM

    def begin(self, instruction: Decoded) -> None:
        f, word = instruction.fields, self.dram.word
        self._now = instruction
        self.dram.check(f["segment"], f["address"], f["words"] * word, self.unit, instruction.number)
        there = operands(self.config)
        self._counts = {name: count for name in there if (count := f[f"count_{name}"])}
        sizes = {name: there[name].words(count, 8 * word) for name, count in self._counts.items()}
        bundle = sum(sizes.values())
        bundles, self._rest = divmod(f["words"], bundle)
        raw = self.dram.read(f["segment"], f["address"], bundles * bundle * word)
        rows = raw.reshape(bundles, bundle * word)
        self._beats: dict[str, Array] = {}
        place = 0
        for name, size in sizes.items() if bundles else ():
            section = rows[:, place : place + size * word]
            self._beats[name] = unpack_sections(there[name], section, self._counts[name], 8 * word)
            place += size * word
        self._bundle, self._sent, self._bundles = 0, dict.fromkeys(self._counts, 0), bundles

    def advance(self) -> tuple[bool, bool]:
        moved = self._all_at_once()
        while self._bundle < self._bundles:
            for name, count in self._counts.items():
                sent = self._sent[name]
                step = min(count - sent, self._room(name))
                if step:
                    self.memories.buffers[name].put(self._beats[name][self._bundle, sent : sent + step])
                    self._sent[name] += step
                    moved = True
                if sent + step < count:
                    return moved, False
            self._bundle += 1
            self._sent = dict.fromkeys(self._counts, 0)
            self._all_at_once()
        if self._rest:
            raise Stop(Error.STREAM, self.unit, self._now.number, self._now.fields["address"])
        return True, True

    def _room(self, name: str) -> int:
        buffer = self.memories.buffers[name]
        return max(buffer.depth + self.parts.matmul.get(name, 0) - buffer.beats, 0)

    def _all_at_once(self) -> bool:
        """All whole bundles that are left, where there is room for them: the usual case, in few steps."""
        left = self._bundles - self._bundle
        if not left or any(self._sent.values()):
            return False
        if any(count * left > self._room(name) for name, count in self._counts.items()):
            return False
        for name, beats in self._beats.items():
            self.memories.buffers[name].put(beats[self._bundle :].reshape(-1, *beats.shape[2:]))
        self._bundle = self._bundles
        return True


class Quantize(Executor):
    """Codes of one digit, and of two where there is a memory for them."""

    unit = Unit.QUANTIZE

    def begin(self, instruction: Decoded) -> None:
        self._now = instruction

    def advance(self) -> tuple[bool, bool]:
        f = self._now.fields
        values = smoothed(self.memories, self.config, f["tokens"], f)
        for memory in self.memories.codes.values():
            memory.write(f["group"], quantize_activations(values, memory.scheme))
        return True, True


class Matmul(Executor):
    """A layer, once all its operands are there and its outputs have room."""

    unit = Unit.MATMUL

    def begin(self, instruction: Decoded) -> None:
        self._now = instruction
        self.parts.matmul.update(demand(self.config, instruction.fields))

    def advance(self) -> tuple[bool, bool]:
        f, wanted, memories = self._now.fields, self.parts.matmul, self.memories
        if any(memories.buffers[name].beats < count for name, count in wanted.items()):
            return False, False
        room = 2 * self.config.memory.output_tiles + self.parts.store
        if len(memories.outputs) + f["row_tiles"] > room:
            return False, False
        taken = {name: memories.buffers[name].take(count) for name, count in wanted.items()}
        bits = matmul(self.config, f, memories, taken)
        memories.outputs.extend(np.split(bits, f["row_tiles"], axis=1))
        wanted.clear()
        return True, True


class Store(Executor):
    """Outputs of tokens to DRAM."""

    unit = Unit.STORE

    def begin(self, instruction: Decoded) -> None:
        self._now = instruction
        self.parts.store = instruction.fields["row_tiles"]

    def advance(self) -> tuple[bool, bool]:
        f, outputs, word = self._now.fields, self.memories.outputs, self.dram.word
        if len(outputs) < f["row_tiles"]:
            return False, False
        bits = np.concatenate([outputs.popleft() for _ in range(f["row_tiles"])], axis=1)
        self.parts.store = 0
        length = -(-f["outputs"] * 2 // word) * word
        for token in range(f["tokens"]):
            address = f["address"] + token * f["pitch"]
            self.dram.check(Segment.DATA, address, length, self.unit, self._now.number)
            row = bits[token, : f["outputs"]].astype("<u2").tobytes()
            self.dram.data[address : address + len(row)] = row
        return True, True


EXECUTORS: tuple[type[Executor], ...] = (Load, Stream, Quantize, Matmul, Store)
"""In the order of `Unit`."""
