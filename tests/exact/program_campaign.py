"""Bad programs on a processor: random ones, damaged ones, on a DRAM that fails; and good ones between them."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from bad_programs import bad_program
from small_processor import Good, good_program

from sevedo.gen.config import Config
from sevedo.gen.config.instructions import INSTRUCTION_BYTES, Error
from sevedo.gen.host.accelerator import Accelerator
from sevedo.gen.host.transport import Range, SimulationTransport
from sevedo.sim.dram import DECERR, SLVERR, DramModel, DramProcess

WATCHDOG = 3_000
LIMIT = 500_000
"""Cycles within which any of these programs has ended: some legal ones take long, none does without progress."""
IMAGE, DATA = 0x1000_0040, 0x2000_0080
"""Where the segments lie: at no border of pages."""


@dataclass
class Campaign:
    """One processor that is given program after program.

    Members
    -------
    outcomes : how many ended with each error
    """

    config: Config
    process: DramProcess
    good: list[Good]
    outcomes: Counter[str] = field(default_factory=Counter)

    @classmethod
    def on(cls, config: Config, executable: Path) -> Campaign:
        """Start the simulation."""
        process = DramProcess(executable, DramModel(latency=5, bandwidth=config.bus.data_bytes))
        return cls(config, process, [good_program(config, seed, 1 + seed % 3) for seed in range(6)])

    def __post_init__(self) -> None:
        self.accelerator = Accelerator(SimulationTransport(self.process), self.config)

    def bad(self, seed: int) -> str:
        """One bad case; how it ended. Whatever it is, the processor must say that it is done or failed."""
        rng = random.Random(seed)
        good = rng.choice(self.good)
        image = bytearray(good.compiled.image)
        if rng.random() < 0.2:
            for _ in range(rng.randint(1, 50)):
                image[rng.randrange(len(image))] ^= 1 << rng.randrange(8)
        # Behind the operands, which stay where the instructions say, however long the program is.
        image += bytes(-len(image) % INSTRUCTION_BYTES)
        program, code = len(image), bad_program(rng, self.config, good.code)
        image += b"".join(code)
        pristine = code[: len(good.code)] == good.code and image.startswith(good.compiled.image)
        bus = self.config.bus.data_bytes
        size = len(image) if rng.random() < 0.8 else rng.randrange(0, len(image) + bus, bus)
        room = len(good.data) if rng.random() < 0.8 else rng.randrange(0, len(good.data) + bus, bus)
        self._dram(rng)
        start = program if rng.random() < 0.9 else rng.randrange(0, 2 * len(image), 32)
        self._load(image, good.data, Range(IMAGE, size), Range(DATA, room), start)
        before = self.process.read_memory(IMAGE - 64, len(image) + 128)
        outcome = self._go(rng)
        assert self.process.read_memory(IMAGE - 64, len(image) + 128) == before
        if outcome == "DONE" and pristine and start == program:
            self._check_data(good)
        self.outcomes[outcome] += 1
        self.process.mend()
        return outcome

    def _dram(self, rng: random.Random) -> None:
        self.process.set(
            DramModel(
                latency=rng.choice([1, 5, 40]),
                bandwidth=rng.choice([1, 8, 64]),
                stall=rng.choice([0.0, 0.0, 0.3]),
                reorder=rng.random() < 0.3,
                seed=rng.randrange(1 << 20),
            )
        )
        while rng.random() < 0.15:
            way, response = rng.choice(["read", "write"]), rng.choice([SLVERR, DECERR])
            if rng.random() < 0.5:
                self.process.fault_access(way, rng.randrange(40), response)
            else:
                base = rng.choice([IMAGE, DATA]) + rng.randrange(4096)
                self.process.fault_range(way, base, rng.randint(1, 256), response)

    def _load(self, image: bytes | bytearray, data: bytes, granted: Range, room: Range, program: int) -> None:
        self.process.write_memory(IMAGE, bytes(image))
        self.process.write_memory(DATA, data)
        self.accelerator.prepare(granted, room, program, WATCHDOG)

    def _go(self, rng: random.Random) -> str:
        """Start, look at registers now and then, perhaps stop; the end."""
        accelerator = self.accelerator
        accelerator.start()
        if rng.random() < 0.3:
            self.process.run(rng.randrange(2000))
            accelerator.counters()
            if rng.random() < 0.3:
                accelerator.stop()
        ended = accelerator.wait(LIMIT)
        assert ended, "neither done nor failed"
        error = accelerator.error()
        accelerator.clear()
        if error is None:
            return "DONE"
        assert error.code in set(Error) - {Error.NONE}
        return error.code.name

    def run_good(self, number: int) -> None:
        """A good program after all that: its data are right to the last bit."""
        good = self.good[number % len(self.good)]
        self.process.set(DramModel(latency=5, bandwidth=self.config.bus.data_bytes, seed=number))
        compiled = good.compiled
        self._load(compiled.image, good.data, Range(IMAGE, len(compiled.image)), Range(DATA, len(good.data)),
                   compiled.program)  # fmt: skip
        self.accelerator.run(LIMIT)
        self._check_data(good)

    def _check_data(self, good: Good) -> None:
        found = np.frombuffer(self.process.read_memory(DATA, len(good.data)), np.uint8)
        np.testing.assert_array_equal(found, np.frombuffer(good.wanted, np.uint8))
