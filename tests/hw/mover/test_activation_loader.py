"""LOAD: every number to its row and bank, nothing else written; requests ahead, a word a cycle; faults turn it red."""

from __future__ import annotations

import inspect
import random
import sys
from typing import Any

import pytest
from simulated import STALLS, Bench, gaps

from sevedo.gen.config import preset
from sevedo.gen.config.instructions import multiplier_rows
from sevedo.hw.mover import activation_loader as module
from sevedo.hw.mover.activation_loader import ActivationLoader

TINY = preset("tiny")
CONFIGS = {
    **{f"bus{size}": TINY.replace(bus__data_bytes=size) for size in (4, 8, 16, 32, 64, 128)},
    "lanes4": TINY.replace(rmc__lanes=4, bus__data_bytes=64),
    "lanes48": TINY.replace(rmc__lanes=48, groups__fine=48, groups__coarse=96, bus__data_bytes=32),
    "cols1": TINY.replace(rmc__cols=1, lvc__lanes=4, lvc__int8_ranks=0, lvc__int4_ranks=0, lvc__int_tokens=1),
    "core": preset("core"),
}


class Play:
    """Random LOADs, their rows in DRAM, and the writes that they must give."""

    def __init__(self, unit: ActivationLoader, seed: int, count: int, shortest: int = 1) -> None:
        rng = random.Random(seed)
        self.unit, config = unit, unit.config
        lanes, cols, bus = config.rmc.lanes, config.rmc.cols, config.bus.data_bytes
        rows = {0: config.iomem_rows, 1: multiplier_rows(config)}
        self.instructions: list[dict[str, int]] = []
        self.words: list[int] = []
        self.requests: list[dict[str, int]] = []
        self.writes: list[tuple[int, int, int, list[int]]] = []  # target, bank, row, the numbers that count
        self.ends: list[int] = []  # writes of all instructions up to each
        for _ in range(count):
            target = rng.randrange(2)
            most = min(5 * lanes + 3, rows[target] * lanes)
            inputs = rng.choice([1, lanes, lanes + 1, most, rng.randint(1, most)])
            inputs = min(max(inputs, shortest), most)
            tokens = 1 if target else rng.choice([1, cols, rng.randint(1, cols)])
            spare = rows[target] - -(-inputs // lanes)
            row = rng.choice([0, spare, rng.randint(0, spare)])
            address, pitch = bus * rng.getrandbits(29), bus * rng.choice([0, 1, rng.getrandbits(20)])
            segment = rng.randrange(2)
            self.instructions.append(
                {
                    "segment": segment, "target": target, "address": address & 0xFFFFFFFF, "pitch": pitch,
                    "row": row, "tokens": tokens, "inputs": inputs, "number": 9 * len(self.ends),
                }
            )  # fmt: skip
            for token in range(tokens):
                self._token(rng, segment, address + token * pitch, inputs)
                numbers = [self.words[-self.requests[-1]["words"] :][n * 2 // bus] >> 16 * (n % (bus // 2)) & 0xFFFF
                           for n in range(inputs)]  # fmt: skip
                for start in range(0, inputs, lanes):
                    self.writes.append((target, token, row + start // lanes, numbers[start : start + lanes]))
            self.ends.append(len(self.writes))

    def _token(self, rng: random.Random, segment: int, offset: int, inputs: int) -> None:
        """A row of DRAM: its request, and its words with whatever stands behind the numbers."""
        bus = self.unit.config.bus.data_bytes
        words = -(-2 * inputs // bus)
        self.requests.append(
            {"segment": segment, "offset": offset & 0xFFFFFFFF, "words": words, "number": 9 * len(self.ends)}
        )
        self.words += [
            rng.choice([0, (1 << 8 * bus) - 1, *[rng.getrandbits(8 * bus)] * 6]) for _ in range(words)
        ]

    def run(self, stall: tuple[float, float] = (0.0, 0.0), seed: int = 0) -> Bench:
        unit, lanes = self.unit, self.unit.config.rmc.lanes
        bench = Bench(unit, stall=stall, seed=seed)
        bench.send("instruction", self.instructions)
        bench.send("data", self.words)
        bench.receive("request")
        bench.watch("done", "write")
        written: list[tuple[int, int, int, list[int]]] = []

        def step(context) -> None:
            if context.get(unit.write):
                assert len(written) < len(self.writes)
                numbers = context.get(unit.numbers.as_value())
                count = len(self.writes[len(written)][3])
                places = [numbers >> 16 * n & 0xFFFF for n in range(lanes)][:count]
                written.append(
                    (context.get(unit.target), context.get(unit.bank), context.get(unit.row), places)
                )

        bench.each_cycle(step)
        bench.run(lambda: len(bench.pulses["done"]) >= len(self.instructions))
        assert written == self.writes
        assert bench.taken["request"] == self.requests
        assert len(bench.taken["data"]) == len(self.words)
        assert bench.pulses["done"] == [bench.pulses["write"][end - 1] + 1 for end in self.ends]
        return bench


@pytest.mark.parametrize("name", CONFIGS)
def test_every_number_under_stalls(name: str) -> None:
    unit = ActivationLoader(CONFIGS[name])
    checked = 0
    for seed, stall in enumerate(STALLS):
        play = Play(unit, seed, 8)
        play.run(stall, seed)
        checked += len(play.writes)
    assert checked > 100


@pytest.mark.parametrize("name", CONFIGS)
def test_a_word_a_cycle(name: str) -> None:
    """No gap between rows, tokens or instructions, where a token has two words at least."""
    config = CONFIGS[name]
    play = Play(ActivationLoader(config), 5, 12, shortest=config.bus.data_bytes)
    bench = play.run()
    if config.rmc.lanes * 2 >= config.bus.data_bytes:
        assert gaps(bench.cycles["data"]) == 0
        assert bench.cycles["data"][-1] + 1 == bench.pulses["write"][-1]
    else:
        assert gaps(bench.pulses["write"]) == 0
    assert bench.cycles["request"][0] == bench.cycles["instruction"][0] + 1
    assert len(play.writes) > 20


def test_requests_run_ahead() -> None:
    """Those of `AHEAD` more instructions while no word has come, one a cycle within an instruction."""
    play = Play(ActivationLoader(TINY), 4, 8)
    bench = Bench(play.unit)
    bench.send("instruction", play.instructions)
    bench.send("data", [])
    bench.receive("request")
    bench.run(lambda: bench.cycle > 100)
    asked = sum(each["tokens"] for each in play.instructions[: 1 + ActivationLoader.AHEAD])
    assert len(bench.taken["request"]) == asked
    assert len(bench.taken["instruction"]) == 1 + ActivationLoader.AHEAD
    assert (
        bench.cycles["request"][asked - 1] - bench.cycles["request"][0] + 1 <= asked + ActivationLoader.AHEAD
    )


FAULTS = (
    ("ended.eq(left <= size)", "ended.eq(left < size)"),
    ("go & ended & (tokens == 1)", "go & (tokens == 1)"),
    ("~active | finished", "~active"),  # a gap between instructions
    ("left.eq(left - size)", "left.eq(left - 1)"),
    ("to_row.eq(to_row + row_ended)", "to_row.eq(to_row + 1)"),
    ("to_row.eq(job.row)", "to_row.eq(0)"),
    ("to_bank.eq(to_bank + 1)", "to_bank.eq(to_bank)"),
    ("to_bank.eq(0)", "to_bank.eq(to_bank)"),
    ("self.write.eq(go & row_ended)", "self.write.eq(row_ended)"),
    ("self.done.eq(last)", "self.done.eq(finished)"),
    ("self.target.eq(job.target)", "self.target.eq(0)"),
    ("request.p.offset + pitch", "request.p.offset"),
    ("asking.eq(tokens != 1)", "asking.eq(tokens != 0)"),
    ("given.inputs + (per_word - 1)", "given.inputs"),
    ("ended | (place == pieces - 1)", "place == pieces - 1"),
    ("ended | (part == parts - 1)", "part == parts - 1"),
    ("Mux(row_ended, 0, place + 1)", "place + 1"),
    ("numbers.word_select(index, piece).eq(now)", "numbers.word_select(0, piece).eq(now)"),
)


@pytest.mark.parametrize(("old", "new"), FAULTS)
def test_faults_are_found(old: str, new: str) -> None:
    source = inspect.getsource(sys.modules[module.__name__])
    assert source.count(old) == 1
    space: dict[str, Any] = dict(vars(module))
    exec(compile(source.replace(old, new), str(module.__file__), "exec"), space)
    with pytest.raises((AssertionError, IndexError)):
        battery(space["ActivationLoader"])


def battery(unit: type[ActivationLoader]) -> None:
    """What a fault must not pass."""
    for name, seed in (("bus8", 1), ("bus64", 2)):
        bench = Play(unit(CONFIGS[name]), seed, 8, shortest=CONFIGS[name].bus.data_bytes).run()
        assert name != "bus8" or gaps(bench.cycles["data"]) == 0
        Play(unit(CONFIGS[name]), seed, 8).run((0.25, 0.25), seed)
