"""The processing element against A_G of docs/numerics.md, through stalls, drain chains and faults."""

import inspect
import random
import sys
from dataclasses import dataclass

import pytest
from amaranth.hdl import Module
from amaranth.sim import Simulator

from sevedo.gen.config import SCHEMES, FineLevel, preset
from sevedo.hw.rmc.accumulate import AccumulatorAdder
from sevedo.hw.rmc.dequantize import IntegerDequantizer, ShiftDequantizer
from sevedo.hw.rmc.pe import ProcessingElement

SHIFT, INTEGER, NONE = FineLevel.SHIFT, FineLevel.INTEGER, FineLevel.NONE


@dataclass(frozen=True)
class Shape:
    """A PE and its groups: lanes, code bits, fine level and its bits, passes over a group."""

    lanes: int
    x_bits: int
    w_bits: int
    level: FineLevel = SHIFT
    x_fine: int = 0
    w_fine: int = 0
    passes: int = 1

    @property
    def digit_bits(self) -> int:
        return 0 if self.passes == 1 else self.x_bits

    @property
    def promotions(self) -> int:
        """The largest power of 2^digit_bits that a digit stands for."""
        return {1: 0, 2: 1, 4: 2}[self.passes]

    def factor(self, kx: int, kw: int) -> int:
        return self.level.factor(kx, self.x_fine) * self.level.factor(kw, self.w_fine)

    def accumulator_bits(self, per_group: int) -> int:
        digits = sum(1 << self.digit_bits * place for place in (0, 1, 1, 2)[: self.passes] or (0,))
        factor = self.level.largest_factor(self.x_fine) * self.level.largest_factor(self.w_fine)
        return (self.lanes * per_group * digits * factor << self.x_bits + self.w_bits - 2).bit_length() + 1

    def pe(self, per_group: int, operators: bool = False, registered: bool = False) -> ProcessingElement:
        return ProcessingElement(
            self.lanes, self.x_bits, self.w_bits, self.level, self.x_fine, self.w_fine,
            self.accumulator_bits(per_group), self.digit_bits, operators=operators, registered=registered,
        )  # fmt: skip


@dataclass
class Beat:
    x: list[int]
    w: list[int]
    kx: int
    kw: int
    first: bool
    promote: bool
    last: bool


def beats(shape: Shape, per_group: int, groups: int, seed: int = 3) -> tuple[list[Beat], list[int]]:
    """Beats of some groups, extremes first, and the exact sum of each group."""
    source = random.Random(seed)
    low_x, low_w = -1 << shape.x_bits - 1, -1 << shape.w_bits - 1
    most = (1 << shape.x_fine) - 1, (1 << shape.w_fine) - 1
    stream, sums = [], []
    for group in range(groups):
        total = 0
        numbers = [(source.randint(0, most[0]), source.randint(0, most[1])) for _ in range(per_group)]
        if group < 4:  # the largest factors, or the smallest; negative sums, or positive ones
            numbers = [[(0, 0), most][group // 2]] * per_group
        for step in range(shape.passes):
            promote = step % 2 == 1
            total <<= shape.digit_bits * promote
            for number, (kx, kw) in enumerate(numbers):
                if group < 4:
                    x, w = [low_x] * shape.lanes, [-low_w - 1 if group % 2 else low_w] * shape.lanes
                else:
                    x = [source.randrange(low_x, -low_x) for _ in range(shape.lanes)]
                    w = [source.randrange(low_w, -low_w) for _ in range(shape.lanes)]
                begins = number == 0
                stream.append(
                    Beat(x, w, kx, kw, begins and step == 0, begins and promote,
                         number == per_group - 1 and step == shape.passes - 1)
                )  # fmt: skip
                total += sum(p * q for p, q in zip(x, w, strict=True)) * shape.factor(kx, kw)
        sums.append(total)
    return stream, sums


def run(
    shape: Shape,
    per_group: int,
    groups: int,
    stall: float,
    chain: int = 1,
    operators: bool = False,
    registered: bool = False,
) -> int:
    """Drive a chain of equal PEs, each with beats of its own; the number of sums that were right."""
    m = Module()
    pes = [shape.pe(per_group, operators, registered) for _ in range(chain)]
    for number, pe in enumerate(pes):
        m.submodules[f"pe_{number}"] = pe
        if number + 1 < chain:
            m.d.comb += pe.drain_in.eq(pes[number + 1].drain_out)
    work = [beats(shape, per_group, groups, seed) for seed in range(chain)]
    source = random.Random(5)
    drained: list[list[int]] = []

    async def bench(ctx):
        more = int(registered)
        taken: list[Beat | None] = [None] * (3 + more)
        place, cycle = 0, 0
        due: list[int] = []
        while len(drained) < groups or due:
            product, added, captured = taken[more:]
            take = place < len(work[0][0]) and source.random() >= stall
            beat = work[0][0][place] if take else None
            for pe, (stream, _) in zip(pes, work, strict=True):
                shown = stream[place] if take else stream[source.randrange(len(stream))]
                for lane in range(shape.lanes):
                    ctx.set(pe.x_codes[lane], shown.x[lane])
                    ctx.set(pe.w_codes[lane], shown.w[lane])
                if shape.x_fine:
                    ctx.set(pe.x_fine, shown.kx)
                if shape.w_fine:
                    ctx.set(pe.w_fine, shown.kw)
                ctx.set(pe.product_enable, take)
                ctx.set(pe.first, product is not None and product.first)
                if shape.digit_bits:
                    ctx.set(pe.promote, product is not None and product.promote)
                ctx.set(pe.capture, added is not None and added.last)
            place += take
            if captured is not None and captured.last:
                drained.append([])
                due = [cycle + n for n in range(chain)]
            if due and cycle == due[0]:
                due.pop(0)
                drained[-1].append(ctx.get(pes[0].drain_out))
            taken = [beat, *taken[:-1]]
            cycle += 1
            await ctx.tick()

    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert len(drained) == groups
    assert len({sums[0] for sums in drained}) > 2
    exact = [list(sums) for sums in zip(*(sums for _, sums in work), strict=True)]
    return sum(
        a == b for got, want in zip(drained, exact, strict=True) for a, b in zip(got, want, strict=True)
    )


SHAPES = (
    Shape(2, 4, 4, SHIFT, 2, 1),
    Shape(2, 4, 4, SHIFT, 0, 2),
    Shape(1, 4, 8, SHIFT, 3, 0),
    Shape(3, 2, 3, NONE),
    Shape(1, 8, 8, SHIFT, 4, 4),
    Shape(2, 4, 4, INTEGER, 4, 4),
    Shape(1, 3, 5, INTEGER, 1, 8),
    Shape(2, 4, 4, SHIFT, 2, 1, passes=2),
    Shape(2, 4, 4, SHIFT, 2, 1, passes=4),
    Shape(2, 4, 4, INTEGER, 4, 3, passes=4),
    Shape(2, 4, 4, NONE, passes=4),
)


@pytest.mark.parametrize("stall", [0.0, 0.25, 0.75])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_groups_are_exact(shape, stall):
    assert run(shape, per_group=2, groups=12, stall=stall) == 12


@pytest.mark.parametrize("operators", [False, True])
@pytest.mark.parametrize("stall", [0.0, 0.5])
@pytest.mark.parametrize("shape", [SHAPES[0], SHAPES[5], SHAPES[8]], ids=str)
def test_one_beat_a_group(shape, stall, operators):
    assert run(shape, per_group=1, groups=30, stall=stall, operators=operators) == 30


@pytest.mark.parametrize("stall", [0.0, 0.5])
@pytest.mark.parametrize("shape", [SHAPES[index] for index in (0, 3, 5, 9)], ids=str)
def test_registered_dot_products(shape, stall):
    assert run(shape, per_group=2, groups=12, stall=stall, registered=True) == 12
    assert run(shape, per_group=1, groups=20, stall=stall, operators=True, registered=True) == 20
    assert shape.pe(1, registered=True).latency == shape.pe(1).latency + 1


def test_drain_chain_gives_the_nearest_first():
    assert run(Shape(1, 3, 3, SHIFT, 1, 1), per_group=3, groups=8, stall=0.0, chain=3) == 24
    assert run(Shape(1, 3, 3, SHIFT, 1, 1), per_group=3, groups=8, stall=0.4, chain=3) == 24


def test_full_size():
    config = preset("tiny")
    shape = Shape(16, 4, 4, SHIFT, config.groups.activation_fine_bits, config.groups.weight_fine_bits)
    assert run(shape, per_group=config.beats, groups=6, stall=0.1) == 6


def test_without_an_accumulator_it_is_a_dot_product():
    pe = ProcessingElement(2, 4, 4, NONE, 0, 0, 9, accumulate=False)
    source = random.Random(2)
    seen = []

    async def bench(ctx):
        held = None
        for cycle in range(40):
            x, w = ([source.randrange(-8, 8) for _ in range(2)] for _ in "xw")
            if cycle < 2:
                x, w = [-8, -8], [[-8, -8], [7, 7]][cycle]
            take = cycle < 2 or source.random() < 0.7
            for lane in range(2):
                ctx.set(pe.x_codes[lane], x[lane])
                ctx.set(pe.w_codes[lane], w[lane])
            ctx.set(pe.product_enable, take)
            await ctx.tick()
            held = sum(p * q for p, q in zip(x, w, strict=True)) if take else held
            assert ctx.get(pe.drain_out) == held
            seen.append(held)

    simulator = Simulator(pe)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert (len(seen), pe.latency) == (40, 1)
    assert len(set(seen)) > 10


@pytest.mark.parametrize("scheme", SCHEMES)
def test_accumulator_of_the_configuration_is_taken_whole(scheme):
    config = preset("tiny").with_scheme(scheme)
    pe = ProcessingElement.of(config)
    assert len(pe.drain_out) == config.accumulator_bits
    assert (pe.latency, config.accumulator_bits) == {
        "hgq": (3, 18), "vs-quant": (3, 21), "coarse": (3, 14), "fp-fine": (1, 12), "mx": (1, 12)
    }[scheme]  # fmt: skip


FAULTS = [
    (ProcessingElement, "places.eq(~self._later(", "places.eq(self._later("),
    (ShiftDequantizer, "shifted << getattr(self, name)", "shifted << (getattr(self, name) + 1)"),
    (ProcessingElement, "Mux(self.first, 0, held)", "held"),
    (ProcessingElement, "Mux(enable, dot.sum, 0)", "dot.sum"),
    (
        ProcessingElement,
        "Mux(self.capture, accumulator, self.drain_in)",
        "Mux(self.capture, adder.sum, self.drain_in)",
    ),
    (ProcessingElement, "if not self._dot.registered:", "if not self._dot.registered or 'fine' in name:"),
    (ProcessingElement, "product = Signal(signed(dot.sum_bits)", "product = Signal(signed(dot.sum_bits - 1)"),
    (ProcessingElement, "accumulator << self.digit_bits", "accumulator << (self.digit_bits - 1)"),
    (IntegerDequantizer, "place == top", "False"),
    (AccumulatorAdder, "for addend in self.addends:", "for addend in list(self.addends)[:1]:"),
]


@pytest.mark.parametrize(("unit", "old", "new"), FAULTS)
def test_faults_show(monkeypatch, unit, old, new):
    """A fault in the source of a unit shows in one of the shapes."""

    def right() -> int:
        kinds = ((SHAPES[5], False), (SHAPES[8], False), (SHAPES[0], True))
        return sum(
            run(shape, per_group=2, groups=12, stall=0.25, registered=registered)
            for shape, registered in kinds
        )

    assert right() == 36
    module = sys.modules[unit.__module__]
    source = inspect.getsource(module)
    assert source.count(old) == 1
    space = dict(vars(module))
    exec(compile(source.replace(old, new), str(module.__file__), "exec"), space)
    for name in ("build", "_dequantized", "_later"):
        if name in vars(unit):
            monkeypatch.setattr(unit, name, vars(space[unit.__name__])[name])
    assert right() < 36


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((16, 4, 4, SHIFT, 5, 1, 40), "x_fine_bits=5 must be between 0 and 4 with level=shift"),
        ((16, 4, 4, SHIFT, 2, -1, 40), "w_fine_bits=-1 must be between 0 and 4 with level=shift"),
        ((16, 4, 4, INTEGER, 4, 0, 40), "w_fine_bits=0 must be between 1 and 8 with level=integer"),
        ((16, 4, 4, NONE, 1, 0, 40), "x_fine_bits=1 must be between 0 and 0 with level=none"),
        ((16, 4, 4, SHIFT, 2, 1, 15), "accumulator_bits=15 must be at least 16"),
        ((0, 4, 4, SHIFT, 2, 1, 18), "lanes=0 must be between 1 and 1024"),
        ((16, 4, 4, SHIFT, 2, 1, 18, 0, False), "accumulate=False must come without fine levels and digits"),
    ],
)
def test_bad_parameters(arguments, message):
    with pytest.raises(ValueError, match=message):
        ProcessingElement(*arguments)
