"""STORE: every output to its bytes of DRAM and no other, in few requests; a beat a cycle; faults turn it red."""

from __future__ import annotations

import inspect
import random
import sys
from types import ModuleType
from typing import Any

import pytest
from simulated import STALLS, Bench, gaps

from sevedo.gen.config import preset
from sevedo.hw.mover import output_packer, output_store
from sevedo.hw.mover.output_packer import OutputPacker
from sevedo.hw.mover.output_store import OutputStore

TINY = preset("tiny")
CONFIGS = {
    **{f"bus{size}": TINY.replace(bus__data_bytes=size) for size in (4, 8, 16, 64)},
    "pairs": TINY.replace(lvc__output_tokens=2, bus__data_bytes=4),
    "all-tokens": TINY.replace(lvc__output_tokens=4, lvc__int_tokens=4, bus__data_bytes=32),
    "rows6": TINY.replace(rmc__rows=6, lvc__lanes=24, bus__data_bytes=4, memory__output_tiles=3),
    "one-tile": TINY.replace(memory__output_tiles=1),
    "cols1": TINY.replace(rmc__cols=1, lvc__lanes=4, lvc__int8_ranks=0, lvc__int4_ranks=0, lvc__int_tokens=1),
    "core": preset("core").replace(memory__output_tiles=2),
}


class Play:
    """Random STOREs, the beats of `y` in the core's order, and what must come to DRAM."""

    def __init__(self, unit: OutputStore, seed: int, count: int) -> None:
        rng = random.Random(seed)
        self.unit, self.rng, config = unit, rng, unit.config
        rows, cols, side = config.rmc.rows, config.rmc.cols, config.lvc.output_tokens
        bus, full = config.bus.data_bytes, config.memory.output_tiles * rows
        self.instructions: list[dict[str, int]] = []
        self.y: list[int] = []
        self.requests: list[dict[str, int]] = []
        self.ends: list[int] = []  # requests of all instructions up to each
        self.outputs: list[list[int]] = []  # of each request
        for _ in range(count):
            outputs = rng.choice(
                [1, max(rows - 1, 1), rows, full - 1 or 1, full + 1, 2 * full, rng.randint(1, 3 * full)]
            )
            tokens, tiles = rng.choice([1, cols, rng.randint(1, cols)]), -(-outputs // rows)
            address, pitch = (
                bus * rng.getrandbits(29) & 0xFFFFFFFF,
                bus * rng.choice([0, 1, rng.getrandbits(20)]),
            )
            self.instructions.append(
                {
                    "address": address,
                    "pitch": pitch,
                    "tokens": tokens,
                    "outputs": outputs,
                    "row_tiles": tiles,
                    "number": 3 * len(self.ends),
                }
            )
            values = [0, 0xFFFF, 0x8000, *[rng.getrandbits(16) for _ in range(20)]]
            y = [[rng.choice(values) for _ in range(tiles * rows)] for _ in range(cols)]
            for tile in range(tiles):
                for first in range(0, cols, side):
                    beat = [y[first + n][tile * rows + row] for n in range(side) for row in range(rows)]
                    self.y.append(sum(value << 16 * place for place, value in enumerate(beat)))
            for start in range(0, outputs, full):
                for token in range(tokens):
                    part = y[token][start : min(start + full, outputs)]
                    offset = address + token * pitch + 2 * start & 0xFFFFFFFF
                    words = -(-2 * len(part) // bus)
                    self.requests.append({"offset": offset, "words": words, "number": 3 * len(self.ends)})
                    self.outputs.append(part)
            self.ends.append(len(self.requests))

    def run(self, stall: tuple[float, float] = (0.0, 0.0), seed: int = 0, confirm: float = 0.5) -> Bench:
        unit = self.unit
        bench = Bench(unit, stall=stall, seed=seed)
        bench.send("instruction", self.instructions)
        bench.send("y", self.y)
        bench.receive("request")
        bench.receive("words")
        bench.watch("done")
        self.confirmed: list[int] = []
        ends = [sum(each["words"] for each in self.requests[: n + 1]) for n in range(len(self.requests))]

        def step(context) -> None:
            number = len(self.confirmed)
            there = number < min(len(bench.taken["request"]), len(ends)) and ends[number] <= len(
                bench.taken["words"]
            )
            context.set(unit.written, there and self.rng.random() < confirm)
            if context.get(unit.written):
                self.confirmed.append(bench.cycle)

        bench.each_cycle(step)
        bench.run(lambda: len(bench.pulses["done"]) >= len(self.instructions))
        self.check(bench)
        return bench

    def check(self, bench: Bench) -> None:
        assert len(self.confirmed) == len(self.requests)
        assert bench.taken["request"] == self.requests
        assert len(bench.taken["y"]) == len(self.y)
        words = iter(bench.taken["words"])
        size = self.unit.config.bus.data_bytes
        for request, outputs in zip(self.requests, self.outputs, strict=True):
            mine = [next(words) for _ in range(request["words"])]
            data = b"".join(each["data"].to_bytes(size, "little") for each in mine)
            strobes = sum(each["strobe"] << size * n for n, each in enumerate(mine))
            assert strobes == (1 << 2 * len(outputs)) - 1
            assert data[: 2 * len(outputs)] == b"".join(value.to_bytes(2, "little") for value in outputs)
        assert next(words, None) is None
        assert bench.pulses["done"] == [self.confirmed[end - 1] + 2 for end in self.ends]


@pytest.mark.parametrize("name", CONFIGS)
def test_every_output_under_stalls(name: str) -> None:
    unit = OutputStore(CONFIGS[name])
    checked = 0
    for seed, stall in enumerate(STALLS):
        play = Play(unit, seed, 5)
        play.run(stall, seed, confirm=(1.0, 0.5, 0.05)[seed % 3])
        checked += sum(map(len, play.outputs))
    assert checked > 200


@pytest.mark.parametrize("name", CONFIGS)
def test_throughput(name: str) -> None:
    """A beat of y a cycle and a word (or a read) a cycle, at the same time."""
    config = CONFIGS[name]
    bench = Full(OutputStore(config), 4).run(confirm=1.0)
    buffer = config.rmc.cols // config.lvc.output_tokens * config.memory.output_tiles
    # The first two buffers fill without a wait; then `y` waits for words, if these are the narrower side.
    assert gaps(bench.cycles["y"][: 2 * buffer]) == 0
    reads = max(1, config.bus.data_bytes // (2 * config.rmc.rows))
    words = bench.cycles["words"]
    assert words[0] == bench.cycles["y"][buffer - 1] + OutputPacker.LATENCY + (reads > 1) * reads
    assert bench.cycles["request"][0] == bench.cycles["y"][buffer - 1] + 2
    # Then the slower of both sides never waits for more than a buffer's start.
    assert words[-1] - words[0] < max(len(words) * reads, len(bench.cycles["y"])) + OutputPacker.LATENCY


class Full(Play):
    """One STORE of some whole buffers for all tokens."""

    def __init__(self, unit: OutputStore, buffers: int) -> None:
        super().__init__(unit, 0, 0)
        config, rng = unit.config, self.rng
        rows, cols, side = config.rmc.rows, config.rmc.cols, config.lvc.output_tokens
        full, bus = config.memory.output_tiles * rows, config.bus.data_bytes
        y = [[rng.getrandbits(16) for _ in range(buffers * full)] for _ in range(cols)]
        self.instructions = [
            {
                "address": 0,
                "pitch": 1 << 16,
                "tokens": cols,
                "outputs": buffers * full,
                "row_tiles": buffers * full // rows,
                "number": 4,
            }
        ]
        for tile in range(buffers * full // rows):
            for first in range(0, cols, side):
                beat = [y[first + n][tile * rows + row] for n in range(side) for row in range(rows)]
                self.y.append(sum(value << 16 * place for place, value in enumerate(beat)))
        for start in range(0, buffers * full, full):
            for token in range(cols):
                offset = (token << 16) + 2 * start
                self.requests.append({"offset": offset, "words": 2 * full // bus, "number": 4})
                self.outputs.append(y[token][start : start + full])
        self.ends = [len(self.requests)]


FAULTS = (
    (output_store, "(full != 2)", "(full != 3)"),
    (output_store, "(full != 2)", "(full == 0)"),  # one buffer is no double buffer
    (output_store, "(tile == tiles - 1) | (job.row_tiles == 1)", "(tile == tiles - 1)"),
    (output_store, "finished.eq(tile_ended & (job.row_tiles == 1))", "finished.eq(ended)"),
    (output_store, "memory.w_addr.eq(Mux(half, 0, words))", "memory.w_addr.eq(0)"),
    (output_store, "job.address + full_numbers * self.number_bytes", "job.address + full_numbers"),
    (output_store, "job.outputs.eq(job.outputs - full_numbers)", "job.outputs.eq(job.outputs)"),
    (output_store, "tile.eq(0)", "tile.eq(tile + 1)"),
    (output_store, "job.offset + job.pitch", "job.offset"),
    (output_store, "job.numbers + (in_word - 1)", "job.numbers"),
    (output_store, "ends.i.p.eq(asked + 1)", "ends.i.p.eq(asked)"),
    (output_store, "ends.i.valid.eq(go & last & job.last)", "ends.i.valid.eq(go & job.last)"),
    (output_store, "ends.o.p == confirmed", "1"),
    (output_store, "full + ended - packer.freed", "full + ended"),
    (output_packer, "ended.eq(more <= rows)", "ended.eq(more < rows)"),
    (output_packer, "more.eq(numbers)", "more.eq(more)"),
    (output_packer, "half ^ finished, buffer_words(self.config), 0", "half, buffer_words(self.config), 0"),
    (output_packer, "line + (place == side_by_side - 1)", "line"),
    (output_packer, "address.eq(address + beats)", "address.eq(address + 1)"),
    (output_packer, "left <= self.in_word", "left < self.in_word"),
    (output_packer, "left.eq(left - self.in_word)", "left.eq(left)"),
    (output_packer, "go & ~fetch", "go"),
    (output_packer, "~self.words.valid | self.words.ready", "1"),
    (output_packer, "(part == parts - 1) | (left <= rows)", "part == parts - 1"),
    (output_packer, "strobe.eq(0)", "strobe.eq(strobe)"),
    (output_packer, "left > index", "left >= index"),
    (output_packer, "finished.eq(fetch & ended & (tokens == 1))", "finished.eq(fetch & ended)"),
    (output_packer, "used.eq(go & (", "used.eq(there & ("),
)


@pytest.mark.parametrize(("where", "old", "new"), FAULTS)
def test_faults_are_found(where: ModuleType, old: str, new: str, monkeypatch) -> None:
    source = inspect.getsource(sys.modules[where.__name__])
    assert source.count(old) == 1
    space: dict[str, Any] = dict(vars(where))
    exec(compile(source.replace(old, new), str(where.__file__), "exec"), space)
    if where is output_packer:
        monkeypatch.setattr(output_store, "OutputPacker", space["OutputPacker"])
        space = dict(vars(output_store))
    with pytest.raises((AssertionError, StopIteration)):
        battery(space["OutputStore"])


def battery(unit: type[OutputStore]) -> None:
    """What a fault must not pass."""
    for name in ("pairs", "all-tokens"):
        Play(unit(CONFIGS[name]), 2, 16).run((0.25, 0.25))
        bench = Full(unit(CONFIGS[name]), 3).run()
        assert gaps(bench.cycles["y"][:10]) == 0
        Play(unit(CONFIGS[name]), 1, 5).run((0.0, 0.75), confirm=0.1)
