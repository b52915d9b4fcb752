"""A board without hardware: what answers on the link in Python, and ports that lead to it."""

from __future__ import annotations

import os
import pty
import random
import threading
import tty
from collections import deque
from collections.abc import Callable, Sequence

from fake_processor import FakeProcessor
from link_device import Device

from sevedo.gen.config import Config
from sevedo.gen.config.board_map import BY_NAME
from sevedo.gen.config.link import (
    ARRAY_BASE,
    BOARD_BASE,
    OPERANDS,
    PROCESSOR_BASE,
    STATUS_WINDOW,
    SUMS_WINDOW,
    WINDOW_WORDS,
)
from sevedo.gen.host.array_words import ArrayWords

CLOCK = 50_000_000


class FakeBoard(Device):
    """A board with a `FakeProcessor`.

    Members
    -------
    processor : its processor
    state : of its self-test
    resets : writes of CONTROL.reset
    """

    def __init__(self, config: Config, size: int = 1 << 16) -> None:
        super().__init__(size)
        self.processor = FakeProcessor(config)
        self.state, self.resets = 1, 0
        self.scratch = 0
        self._input: list[tuple[int, bool]] = []

    def reset(self) -> None:
        """As by its button."""
        self._open, self._due = False, 0
        self._input.clear()
        self.processor.values["STATUS"] = 0

    def take(self, data: bytes) -> bytes:
        """Bytes in, bytes out; frames may come in pieces."""
        self._input += [(byte, False) for byte in data]
        flags = [at for at, (byte, _) in enumerate(self._input) if byte == 0x7E]
        if not flags:
            return b""
        whole, self._input = self._input[: flags[-1]], self._input[flags[-1] :]
        return self.feed([*whole, (0x7E, False)])

    def load(self, at: int) -> int | None:
        if at < self.size:
            return int.from_bytes(self.processor.memory[at : at + 4], "little")
        if PROCESSOR_BASE <= at < PROCESSOR_BASE + 4096:
            try:
                return self.processor.read_register(at - PROCESSOR_BASE)
            except KeyError:
                return None
        values = {
            "ID": BY_NAME["ID"].reset, "VERSION": BY_NAME["VERSION"].reset, "CLOCK_HZ": CLOCK, "BAUD": 3_000_000,
            "MEMORY_BYTES": self.size, "SELF_TEST": self.state, "SELF_TEST_ADDRESS": 0x40, "SELF_TEST_FOUND": 7,
            "FRAMES_GOOD": self.good, "FRAMES_BAD": self.bad, "FRAMES_FULL": 0, "SCRATCH": self.scratch,
        }  # fmt: skip
        return next((values[name] for name, each in BY_NAME.items() if BOARD_BASE + each.offset == at), None)

    def store(self, at: int, word: int) -> bool:
        if at < self.size:
            self.processor.memory[at : at + 4] = word.to_bytes(4, "little")
        elif PROCESSOR_BASE <= at < PROCESSOR_BASE + 4096:
            self.processor.write_register(at - PROCESSOR_BASE, word)
        elif at == BOARD_BASE + BY_NAME["CONTROL"].offset:
            self.resets += word & 1
        elif at == BOARD_BASE + BY_NAME["SCRATCH"].offset:
            self.scratch = word
        else:
            return False
        return True


class FakeArray(FakeBoard):
    """A board with an array alone: it knows what it will be written, word by word, and what the sums are.

    Members
    -------
    due : operands and words that are still to come
    """

    def __init__(self, config: Config, layers: Sequence[ArrayWords]) -> None:
        super().__init__(config, 0)
        self.config = config
        self.due: deque[tuple[str, list[int]]] = deque()
        self._sums: dict[int, list[list[int]]] = {}
        self._there: deque[list[int]] = deque()
        self._beat: list[int] = []
        for layer in layers:
            self.due.append(("command", layer.command.tolist()))
            for tile in layer.tiles:
                self.due += [(name, beat.tolist()) for name, beat in tile.writes]
                self._sums[len(self.due)] = tile.sums.tolist()
        self._written = 0

    def load(self, at: int) -> int | None:
        number, word = divmod((at - ARRAY_BASE) // 4, WINDOW_WORDS)
        if not 0 <= number < 16:
            return super().load(at)
        if number == STATUS_WINDOW:
            return (int(bool(self._there)), self.config.fingerprint)[word] if word < 2 else None
        if number == SUMS_WINDOW and self._there and word < len(self._there[0]):
            return self._there[0][word]
        return None

    def store(self, at: int, word: int) -> bool:
        number, place = divmod((at - ARRAY_BASE) // 4, WINDOW_WORDS)
        if not 0 <= number < 16:
            return super().store(at, word)
        if number == SUMS_WINDOW and self._there:
            self._there.popleft()
            return True
        if not self.due or number >= len(OPERANDS) or OPERANDS[number] != self.due[0][0]:
            return False
        wanted = self.due[0][1]
        if place != len(self._beat) or wanted[place] != word:
            return False
        self._beat.append(word)
        if len(self._beat) == len(wanted):
            self.due.popleft()
            self._beat = []
            self._written += 1
            self._there += self._sums.get(self._written, [])
        return True


class MemoryPort:
    """A port whose time is counted, not waited for; bytes may be damaged on both ways.

    Members
    -------
    there, back : what happens to bytes on the way to the board, and back
    """

    def __init__(self, board: Device, take: Callable[[bytes], bytes]) -> None:
        self.board, self._take = board, take
        self.there: Callable[[bytes], bytes] = bytes
        self.back: Callable[[bytes], bytes] = bytes
        self._time = 0.0
        self._waiting: deque[bytes] = deque()
        self.written = 0

    def write(self, data: bytes) -> None:
        self.written += len(data)
        answer = self.back(self._take(self.there(data)))
        # They come in pieces that do not follow the frames.
        for at in range(0, len(answer), 50):
            self._waiting.append(answer[at : at + 50])

    def read_some(self, seconds: float) -> bytes:
        if self._waiting:
            self._time += 1e-4
            return self._waiting.popleft()
        self._time += seconds
        return b""

    def discard(self) -> None:
        self._waiting.clear()

    def now(self) -> float:
        return self._time

    def close(self) -> None:
        pass


class Noise:
    """Damages, loses and inserts bytes: one in so many."""

    def __init__(self, seed: int, every: float) -> None:
        self._rng, self.every = random.Random(seed), every

    def __call__(self, data: bytes) -> bytes:
        rng, out = self._rng, bytearray()
        for byte in data:
            kind = rng.random() * self.every
            if kind >= 1:
                out.append(byte)
            elif kind < 0.4:
                out.append(byte ^ 1 << rng.randrange(8))
            elif kind < 0.7:
                out += bytes([byte, rng.getrandbits(8)])
        return bytes(out)


class Terminal:
    """A board behind a pseudo-terminal, which pyserial opens as any port.

    Members
    -------
    name : of the port
    silent : says nothing
    before : called before bytes are taken
    """

    def __init__(self, board: FakeBoard) -> None:
        self.board, self.silent = board, False
        self.before: Callable[[], None] = lambda: None
        self._ours, self._theirs = pty.openpty()
        tty.setraw(self._ours)
        tty.setraw(self._theirs)
        self.name = os.ttyname(self._theirs)
        self._over = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._over:
            try:
                data = os.read(self._ours, 4096)
            except OSError:
                return
            if self._over:
                return
            self.before()
            answer = self.board.take(data)
            if answer and not self.silent:
                os.write(self._ours, answer)

    def close(self) -> None:
        self._over = True
        os.write(self._theirs, b"x")  # the thread waits for a byte
        self._thread.join(5)
        os.close(self._ours)
        os.close(self._theirs)
