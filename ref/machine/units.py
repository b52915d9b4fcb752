"""The units of the Python machine: what each does with an instruction, and when it can."""

from __future__ import annotations

import numpy as np

from sevedo.gen.config.instructions import Segment, Target, Unit

from ..rows import quantize_activations
from .executor import Decoded, Executor
from .matmul import demand, matmul, smoothed
from .stream import Stream


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
            address = (f["address"] + token * f["pitch"]) & 0xFFFFFFFF
            self.dram.check(f["segment"], address, length, self.unit, self._now.number)
            numbers = self.dram.read(f["segment"], address, length).view("<u2")[:inputs]
            if f["target"] == Target.IOMEM:
                self.memories.iomem[token, first : first + inputs] = numbers
            else:
                self.memories.multipliers[first : first + inputs] = numbers
        return True, True


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
        bits = matmul(self.config, f, memories, taken, self.parts.residual)
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
            address = (f["address"] + token * f["pitch"]) & 0xFFFFFFFF
            self.dram.check(Segment.DATA, address, length, self.unit, self._now.number)
            row = bits[token, : f["outputs"]].astype("<u2").tobytes()
            self.dram.data[address : address + len(row)] = row
        return True, True


EXECUTORS: tuple[type[Executor], ...] = (Load, Stream, Quantize, Matmul, Store)
"""In the order of `Unit`."""
