"""The operand buffer: every beat in order, replayed windows, dropped padding, throughput; faults turn it red."""

from __future__ import annotations

import inspect
import random
import sys

import pytest
from simulated import STALLS, Bench

from sevedo.gen.config import preset
from sevedo.gen.config.operands import Operand, operands
from sevedo.hw.memory import operand as module
from sevedo.hw.memory.operand import OperandBuffer

BUSES = (32, 64, 128, 512)
OPERANDS = (
    Operand("narrow", 0, (4,), 1, False, 40),  # 4 bits in a slot of 8
    Operand("odd", 0, (3,), 5, False, 24),  # 15 bits in 16
    Operand("word", 0, (8,), 16, False, 8),  # 128 bits
    Operand("wide", 0, (5, 16), 4, True, 6),  # 320 bits: no power of two of words
    Operand("bias", 0, (4,), 16, False, 2),
)


class Play:
    """Sections in; each of them read in windows, some beats several times, in any order within a window."""

    def __init__(self, unit: OperandBuffer, seed: int, count: int, stall: tuple[float, float]) -> None:
        rng = random.Random(seed)
        self.unit, self.rng, self.stall = unit, rng, stall[1]
        operand, bus = unit.operand, unit.bus_bits
        room = max(unit.depth // 2, 1) * operand.beats_in_word(bus)
        extremes = [0, (1 << operand.width) - 1]
        self.sections = [
            [
                rng.choice([*extremes, *[rng.getrandbits(operand.width)] * 4])
                for _ in range(rng.choice([1, room, rng.randint(1, room)]))
            ]
            for _ in range(count)
        ]
        self.words = [word for section in self.sections for word in section_words(operand, bus, section)]
        self.expected = [beat for section in self.sections for beat in section]
        self.bench = Bench(unit, stall=stall, seed=seed)
        self.bench.send("i", self.words)
        self.bench.each_cycle(self.step)
        self.section = self.start = self.size = 0
        self.todo: list[int] = []
        self.pending: int | None = None
        self.shown: int | None = None
        self.reads = 0
        self.first_reads: list[int] = []

    def window(self) -> None:
        """Choose the next window: a part of the section, every beat of it once and some again."""
        left = len(self.sections[self.section]) - self.start
        self.size = self.rng.randint(1, left)
        self.todo = list(range(self.size))
        self.todo += [self.rng.randrange(self.size) for _ in range(self.rng.randrange(3))]

    def step(self, context) -> None:
        unit = self.unit
        if self.pending is not None:
            self.shown, self.pending = self.pending, None
        if self.shown is not None:
            assert context.get(unit.beat) == self.shown
            assert context.get(unit.padding) == 0
        context.set(unit.enable, 0)
        context.set(unit.advance, 0)
        context.set(unit.step, self.rng.randrange(1 << unit.index_bits))
        if self.section == len(self.sections) or self.rng.random() < self.stall:
            return
        if not self.todo:
            self.window()
        context.set(unit.offset, self.todo[0])
        if not context.get(unit.available):
            return
        context.set(unit.enable, 1)
        self.pending = self.sections[self.section][self.start + self.todo.pop(0)]
        self.reads += 1
        if not self.todo:
            self.start += self.size
            last = self.start == len(self.sections[self.section])
            context.set(unit.advance, 1)
            context.set(unit.step, self.size)
            context.set(unit.last, last)
            if last:
                self.section, self.start = self.section + 1, 0

    def run(self) -> None:
        self.bench.run(lambda: self.section == len(self.sections))
        assert len(self.bench.taken["i"]) == len(self.words)
        assert self.reads >= len(self.expected)


def section_words(operand: Operand, bus: int, beats: list[int]) -> list[dict[str, int]]:
    """A section as docs/image.md lays it out: the words, and the beats of each."""
    slot, per_word = operand.slot(bus), operand.beats_in_word(bus)
    image = sum(beat << slot * index for index, beat in enumerate(beats))
    words = [image >> bus * n & (1 << bus) - 1 for n in range(operand.words(len(beats), bus))]
    return [
        {"data": word, "beats": min(per_word, len(beats) - n * per_word) if per_word > 1 else 1}
        for n, word in enumerate(words)
    ]


@pytest.mark.parametrize("bus", BUSES)
@pytest.mark.parametrize("operand", OPERANDS, ids=lambda each: each.name)
def test_every_beat_under_stalls(operand: Operand, bus: int) -> None:
    checked = 0
    for seed, stall in enumerate(STALLS):
        play = Play(OperandBuffer(operand, bus), seed, 12, stall)
        play.run()
        checked += play.reads
    assert checked > 100
    assert len(set(play.expected)) > 2  # neither constant nor saturated


@pytest.mark.parametrize("bus", BUSES)
@pytest.mark.parametrize("operand", OPERANDS, ids=lambda each: each.name)
def test_a_word_and_a_beat_a_cycle(operand: Operand, bus: int) -> None:
    """No side waits for the other but where a beat takes several words, or a word holds several beats."""
    unit = OperandBuffer(operand, bus)
    count = 64
    beats = list(range(1, count + 1))
    bench = Bench(unit)
    bench.send("i", section_words(operand, bus, beats))
    reads: list[int] = []

    def step(context) -> None:
        context.set(unit.offset, 0)
        there = context.get(unit.available)
        context.set(unit.enable, there)
        context.set(unit.advance, there)
        context.set(unit.step, 1)
        context.set(unit.last, 0)
        if reads and reads[-1] == bench.cycle - 1:
            assert context.get(unit.beat) == beats[len(reads) - 1] & (1 << operand.width) - 1
        if there:
            reads.append(bench.cycle)

    bench.each_cycle(step)
    bench.run(lambda: len(reads) == count)
    per_word, words = operand.beats_in_word(bus), operand.words_of_beat(bus)
    assert reads[0] == bench.cycles["i"][words - 1] + unit.latency - 1
    if per_word == 1:
        assert bench.cycles["i"] == list(range(count * words))  # a word every cycle
        assert reads == list(range(words, (count + 1) * words, words))
    else:
        assert reads == list(range(reads[0], reads[0] + count))  # a beat every cycle


@pytest.mark.parametrize("bus", BUSES)
@pytest.mark.parametrize("operand", OPERANDS, ids=lambda each: each.name)
def test_room(operand: Operand, bus: int) -> None:
    """What the operand declares goes in while nothing is taken; `empty` is 1 before and after, and at no other time."""
    unit = OperandBuffer(operand, bus)
    words, per_word = operand.words_of_beat(bus), operand.beats_in_word(bus)
    assert unit.depth * per_word >= operand.depth
    full = unit.depth * words
    sent = [{"data": n & (1 << bus) - 1, "beats": per_word} for n in range(full + words)]
    bench = Bench(unit)
    bench.send("i", sent)
    taken: list[int] = []

    def step(context) -> None:
        assert context.get(unit.empty) == (not bench.taken["i"] or len(taken) == unit.depth + 1)
        context.set(unit.offset, 0)
        drain = bench.cycle > full + 20 and context.get(unit.available)
        context.set(unit.advance, drain)
        context.set(unit.step, per_word)
        if bench.cycle == full + 20:
            assert (
                len(bench.taken["i"]) == full + words - 1
            )  # the parts of one more beat wait for its last one
        if drain:
            taken.append(bench.cycle)

    bench.each_cycle(step)
    bench.run(lambda: len(taken) == unit.depth + 1)
    assert len(bench.taken["i"]) == len(sent)
    assert taken[-1] - taken[0] >= unit.depth


def test_padding_is_told() -> None:
    """A reader that asks for more beats than its section has is told which ones are none."""
    operand, bus = OPERANDS[0], 32
    unit = OperandBuffer(operand, bus)
    bench = Bench(unit)
    bench.send("i", section_words(operand, bus, [1, 2, 3, 4, 5]) + section_words(operand, bus, [6, 7]))
    seen: list[int] = []

    def step(context) -> None:
        start = bench.cycle - 10
        context.set(unit.enable, start in range(16))
        if start in range(16):
            context.set(unit.offset, start)
            assert context.get(unit.available) == (start < 12)
        if start - 1 in range(12):
            seen.append(context.get(unit.padding))

    bench.each_cycle(step)
    bench.run(lambda: bench.cycle > 40)
    assert seen == [0, 0, 0, 0, 0, 1, 1, 1, 0, 0, 1, 1]


@pytest.mark.parametrize("name", ["tiny", "fpga", "core"])
def test_every_operand_of_a_preset(name: str) -> None:
    config = preset(name)
    there = operands(config)
    assert len(there) >= 6
    for operand in there.values():
        bus = 8 * config.bus.data_bytes
        unit = OperandBuffer(operand, bus)
        assert unit.depth * operand.beats_in_word(bus) >= operand.depth
        assert unit.depth & (unit.depth - 1) == 0


FAULTS = (
    ("memory.w_addr.eq(memory.w_addr + 1)", "memory.w_addr.eq(memory.w_addr + 2)"),
    ("place.eq(skip + self.offset)", "place.eq(self.offset)"),
    ("(place >> slot_bits) < held", "(place >> slot_bits) <= held"),
    ("until + (per_word - 1), until", "until, until"),
    ("Mux(self.last, 0, until)", "until"),
    ("held + put - freed", "held + put"),
    ("held + put - freed", "held - freed"),
    ("~last | (held != self.depth)", "1"),
    ("slot.eq(place)", "slot.eq(place + 1)"),
    ("n * slot_width", "n * width"),
    ("waiting + taken", "waiting"),
    ("Cat(kept, self.i.p.data)", "Cat(self.i.p.data, kept)"),
    ("first.eq(first + freed)", "first.eq(first + 1)"),
    ("memory.r_en.eq(self.enable)", "memory.r_en.eq(1)"),
)


@pytest.mark.parametrize(("old", "new"), FAULTS)
def test_faults_are_found(old: str, new: str) -> None:
    found = 0
    for operand in (OPERANDS[0], OPERANDS[3]):
        unit = faulty(old, new)(operand, 32)
        try:
            for seed, stall in enumerate([(0.0, 0.0), (0.0, 0.75)]):
                Play(unit, seed, 25, stall).run()
        except AssertionError:
            found += 1
    assert found


def faulty(old: str, new: str) -> type[OperandBuffer]:
    """The class with a fault in its source."""
    source = inspect.getsource(sys.modules[module.__name__])
    assert source.count(old) == 1
    space = dict(vars(module))
    exec(compile(source.replace(old, new), str(module.__file__), "exec"), space)
    return space["OperandBuffer"]
