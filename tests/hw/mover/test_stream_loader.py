"""STREAM: every word to its operand under stalls; requests ahead; a word a cycle; faults turn it red."""

from __future__ import annotations

import inspect
import random
import sys
from typing import Any

import pytest
from simulated import STALLS, Bench, gaps

from sevedo.gen.config import preset
from sevedo.gen.config.operands import operands
from sevedo.hw.mover import stream_loader as module
from sevedo.hw.mover.stream_loader import StreamLoader

CONFIGS = {
    "tiny": preset("tiny"),
    "fpga": preset("fpga"),  # 4 bytes, and no integer classes
    "core": preset("core"),
    "wide": preset("tiny").replace(bus__data_bytes=64),
    "no-fine": preset("tiny").with_scheme("coarse").replace(bus__data_bytes=32),
}


class Play:
    """Instructions of random bundles, their words, and what each operand must get."""

    def __init__(self, unit: StreamLoader, seed: int, count: int, short: int = 0) -> None:
        rng = random.Random(seed)
        self.unit, self.there, self.bus = unit, operands(unit.config), 8 * unit.config.bus.data_bytes
        self.instructions: list[dict[str, int]] = []
        self.words: list[int] = []
        self.expected: dict[str, list[dict[str, int]]] = {name: [] for name in self.there}
        self.faults: list[int] = []
        for number in range(count):
            names = rng.sample(list(self.there), rng.randint(1, len(self.there)))
            counts = {
                name: rng.choice([1, rng.randint(1, 12)]) if name in names else 0 for name in self.there
            }
            words, ends = self._bundles(rng, counts, rng.randint(1, 3), short if number == count - 1 else 0)
            self.instructions.append(
                {
                    "segment": rng.randrange(2),
                    "address": rng.getrandbits(32),
                    "words": words,
                    "number": 5 * number,
                    **{f"count_{name}": beats for name, beats in counts.items()},
                }
            )
            if not ends:
                self.faults.append(number)

    def _bundles(
        self, rng: random.Random, counts: dict[str, int], bundles: int, short: int
    ) -> tuple[int, bool]:
        """The words of some bundles, without the last `short` ones; how many, and whether they end with a bundle."""
        found: list[tuple[str, dict[str, int]]] = []
        for _ in range(bundles):
            for name, beats in counts.items():
                each = self.there[name]
                parts, per_word = each.words_of_beat(self.bus), each.beats_in_word(self.bus)
                for place in range(each.words(beats, self.bus)):
                    here = min(per_word, beats - place // parts * per_word)
                    # Whatever stands in `beats` of a word that is only a part of a beat means nothing.
                    found.append(
                        (name, {"data": rng.getrandbits(self.bus), "beats": here if parts == 1 else -1})
                    )
        cut = found[: max(len(found) - short, 1)]
        for name, word in cut:
            self.words.append(word["data"])
            self.expected[name].append(word)
        return len(cut), len(cut) % (len(found) // bundles) == 0

    def run(self, stall: tuple[float, float] = (0.0, 0.0), seed: int = 0) -> Bench:
        bench = Bench(self.unit, stall=stall, seed=seed)
        bench.send("instruction", self.instructions)
        bench.send("data", self.words)
        bench.receive("request", stall=min(3 * stall[1], 0.75))
        for name in self.there:
            bench.receive(name)
        bench.watch("done", "fault")
        bench.run(lambda: len(bench.pulses["done"]) == len(self.instructions))
        self.check(bench)
        return bench

    def check(self, bench: Bench) -> None:
        for name, words in self.expected.items():
            assert len(bench.taken[name]) == len(words)
            got = [
                {"data": each["data"], "beats": each["beats"] if want["beats"] >= 0 else -1}
                for each, want in zip(bench.taken[name], words, strict=True)
            ]
            assert got == words
        assert len(bench.taken["data"]) == len(self.words)
        assert bench.taken["request"] == [
            {
                "segment": each["segment"],
                "offset": each["address"],
                "words": each["words"],
                "number": each["number"],
            }
            for each in self.instructions
        ]
        # An instruction is done in the cycle after its last word has gone.
        ends, total = [], 0
        for each in self.instructions:
            total += each["words"]
            ends.append(bench.cycles["data"][total - 1] + 1)
        assert bench.pulses["done"] == ends
        assert bench.pulses["fault"] == [ends[number] for number in self.faults]


@pytest.mark.parametrize("name", CONFIGS)
def test_every_word_under_stalls(name: str) -> None:
    unit = StreamLoader(CONFIGS[name])
    checked = 0
    for seed, stall in enumerate(STALLS):
        play = Play(unit, seed, 4)
        play.run(stall, seed)
        checked += len(play.words)
        assert not play.faults
    assert checked > 300


@pytest.mark.parametrize("name", CONFIGS)
def test_a_word_a_cycle(name: str) -> None:
    """No gap between sections, bundles or instructions; requests are ahead of their words."""
    play = Play(StreamLoader(CONFIGS[name]), 3, 8)
    bench = play.run()
    assert gaps(bench.cycles["data"]) == 0
    starts = [0]
    for each in play.instructions[:-1]:
        starts.append(starts[-1] + each["words"])
    for number, start in enumerate(starts[1:], start=1):
        assert bench.cycles["request"][number] < bench.cycles["data"][start]
    assert bench.cycles["request"][0] == bench.cycles["instruction"][0] + 1


def test_requests_run_ahead() -> None:
    """Those of `AHEAD` more instructions while no word has come, and no more."""
    play = Play(StreamLoader(CONFIGS["tiny"]), 4, 8)
    bench = Bench(play.unit)
    bench.send("instruction", play.instructions)
    bench.send("data", [])
    bench.receive("request")
    bench.run(lambda: bench.cycle > 50)
    assert len(bench.taken["request"]) == 1 + StreamLoader.AHEAD


@pytest.mark.parametrize("short", [1, 2, 5])
@pytest.mark.parametrize("name", CONFIGS)
def test_words_that_end_within_a_bundle(name: str, short: int) -> None:
    told = 0
    for seed in range(6):
        play = Play(StreamLoader(CONFIGS[name]), seed, 2, short)
        bench = play.run()
        told += len(bench.pulses["fault"])
    assert told >= 3  # cut by `short` words, an instruction of bundles of as many is whole again


FAULTS = (
    ("jobs.i.ready & ~self.request.valid", "jobs.i.ready"),
    ("~active | finished", "~active"),  # a gap between instructions
    ("~(section | (section - 1))", "~section"),
    ("later.any(), later", "later.any(), job.present"),
    ("part == _pick", "part <= _pick"),
    ("left < most, left, most", "left < most, most, most"),
    ("whole & (left <= most)", "whole & (left < most)"),
    ("whole & (left <= most)", "left <= most"),
    ("left.eq(left - beats)", "left.eq(left - 1)"),
    ("_pick(following, job.counts)", "_pick(section, job.counts)"),
    ("_pick(first, jobs.o.p.counts)", "_pick(first, job.counts)"),
    ("finished & ~(ended & ~later.any())", "finished & ~ended"),
    ("self.done.eq(finished)", "self.done.eq(go)"),
    ("Mux(whole, 0, part + 1)", "part + 1"),
    ("self.request.p.offset.eq(self.instruction.p.address)", "self.request.p.offset.eq(self.instruction.p.words)"),
)  # fmt: skip


@pytest.mark.parametrize(("old", "new"), FAULTS)
def test_faults_are_found(old: str, new: str) -> None:
    source = inspect.getsource(sys.modules[module.__name__])
    assert source.count(old) == 1
    space: dict[str, Any] = dict(vars(module))
    exec(compile(source.replace(old, new), str(module.__file__), "exec"), space)
    with pytest.raises(AssertionError):
        battery(space["StreamLoader"](CONFIGS["tiny"]))


def battery(unit: StreamLoader) -> None:
    """What a fault must not pass."""
    for seed in range(4):
        bench = Play(unit, seed, 4, short=seed % 2 * 3).run((0.0, 0.25 * (seed % 2)), seed)
        assert gaps(bench.cycles["data"]) == 0 or seed % 2
