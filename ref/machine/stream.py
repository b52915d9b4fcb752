"""STREAM of the Python machine."""

from __future__ import annotations

from sevedo.gen.config.instructions import Error, Unit
from sevedo.gen.config.operands import operands

from .beats import Array, unpack_sections
from .executor import Decoded, Executor
from .report import Stop


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
