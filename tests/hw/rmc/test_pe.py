"""The processing element against A_G of docs/numerics.md, through stalls, drain chains and faults."""

import random
from dataclasses import dataclass

import pytest
from amaranth.hdl import Module
from amaranth.sim import Simulator

from sevedo.gen.config import preset
from sevedo.hw.rmc.pe import ProcessingElement


@dataclass
class Beat:
    x: list[int]
    w: list[int]
    kx: int
    kw: int
    first: bool
    last: bool


def beats(pe_shape, per_group: int, groups: int, seed: int = 3) -> tuple[list[Beat], list[int]]:
    """Beats of some groups, extremes first, and the exact sum of each group."""
    lanes, x_bits, w_bits, x_shift_bits, w_shift_bits = pe_shape
    source = random.Random(seed)
    largest = (1 << x_shift_bits) - 1 + (1 << w_shift_bits) - 1
    low_x, low_w = -1 << x_bits - 1, -1 << w_bits - 1
    stream, sums = [], []
    for group in range(groups):
        sums.append(0)
        for number in range(per_group):
            if group < 3:  # largest, smallest, and largest with no shift to the left
                x, w = [low_x] * lanes, [-low_w - 1 if group == 1 else low_w] * lanes
                kx, kw = ((1 << x_shift_bits) - 1, (1 << w_shift_bits) - 1) if group == 2 else (0, 0)
            else:
                x = [source.randrange(low_x, -low_x) for _ in range(lanes)]
                w = [source.randrange(low_w, -low_w) for _ in range(lanes)]
                kx, kw = source.randrange(1 << x_shift_bits), source.randrange(1 << w_shift_bits)
            stream.append(Beat(x, w, kx, kw, number == 0, number == per_group - 1))
            sums[-1] += sum(p * q for p, q in zip(x, w, strict=True)) << (largest - kx - kw)
    return stream, sums


def run(pe_shape, per_group: int, groups: int, stall: float, chain: int = 1, operators: bool = False) -> int:
    """Drive a chain of equal PEs, each with beats of its own; the number of sums that were right."""
    lanes, x_bits, w_bits, x_shift_bits, w_shift_bits = pe_shape
    largest = (1 << x_shift_bits) - 1 + (1 << w_shift_bits) - 1
    width = ((lanes * per_group << x_bits + w_bits - 2) << largest).bit_length() + 1
    m = Module()
    pes = [
        ProcessingElement(lanes, x_bits, w_bits, x_shift_bits, w_shift_bits, width, operators)
        for _ in range(chain)
    ]
    for number, pe in enumerate(pes):
        m.submodules[f"pe_{number}"] = pe
        if number + 1 < chain:
            m.d.comb += pe.drain_in.eq(pes[number + 1].drain_out)
    work = [beats(pe_shape, per_group, groups, seed) for seed in range(chain)]
    source = random.Random(5)
    drained: list[list[int]] = []

    async def bench(ctx):
        taken: list[Beat | None] = [None] * 3
        place, cycle = 0, 0
        due: list[int] = []
        while len(drained) < groups or due:
            take = place < len(work[0][0]) and source.random() >= stall
            beat = work[0][0][place] if take else None
            for pe, (stream, _) in zip(pes, work, strict=True):
                shown = stream[place] if take else stream[source.randrange(len(stream))]
                for lane in range(lanes):
                    ctx.set(pe.x_codes[lane], shown.x[lane])
                    ctx.set(pe.w_codes[lane], shown.w[lane])
                if x_shift_bits:
                    ctx.set(pe.x_shift, shown.kx)
                if w_shift_bits:
                    ctx.set(pe.w_shift, shown.kw)
                ctx.set(pe.product_enable, take)
                ctx.set(pe.first, taken[0] is not None and taken[0].first)
                ctx.set(pe.capture, taken[1] is not None and taken[1].last)
            place += take
            if taken[2] is not None and taken[2].last:
                drained.append([])
                due = [cycle + n for n in range(chain)]
            if due and cycle == due[0]:
                due.pop(0)
                drained[-1].append(ctx.get(pes[0].drain_out))
            taken = [beat, *taken[:2]]
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


@pytest.mark.parametrize("stall", [0.0, 0.25, 0.75])
@pytest.mark.parametrize(
    "pe_shape", [(2, 4, 4, 2, 1), (2, 4, 4, 0, 2), (1, 4, 8, 3, 0), (3, 2, 3, 0, 0), (1, 8, 8, 4, 4)]
)
def test_groups_are_exact(pe_shape, stall):
    assert run(pe_shape, per_group=2, groups=12, stall=stall) == 12


@pytest.mark.parametrize("operators", [False, True])
@pytest.mark.parametrize("stall", [0.0, 0.5])
def test_one_beat_a_group(stall, operators):
    assert run((2, 4, 4, 2, 1), per_group=1, groups=30, stall=stall, operators=operators) == 30


def test_drain_chain_gives_the_nearest_first():
    assert run((1, 3, 3, 1, 1), per_group=3, groups=8, stall=0.0, chain=3) == 24
    assert run((1, 3, 3, 1, 1), per_group=3, groups=8, stall=0.4, chain=3) == 24


def test_full_size():
    config = preset("tiny")
    shape = (16, 4, 4, config.groups.activation_shift_bits, config.groups.weight_shift_bits)
    assert run(shape, per_group=config.beats, groups=6, stall=0.1) == 6


def test_accumulator_of_the_configuration_is_taken_whole():
    config = preset("tiny")
    pe = ProcessingElement(16, 4, 4, 2, 1, config.accumulator_bits)
    assert pe.module_name == f"processing_element_16_s4_s4_shift_2_1_acc_{config.accumulator_bits}"
    assert len(pe.drain_out) == config.accumulator_bits == 18
    assert pe.latency == 3


def replaced(monkeypatch, old: str, new: str) -> None:
    """Put a fault into the source of the PE."""
    import inspect

    import sevedo.hw.rmc.pe as module

    source = inspect.getsource(module)
    assert source.count(old) == 1
    space = dict(vars(module))
    exec(compile(source.replace(old, new), module.__file__, "exec"), space)
    monkeypatch.setattr(ProcessingElement, "build", space["ProcessingElement"].build)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("places.eq(~getattr(self, name))", "places.eq(getattr(self, name))"),
        ("shifted = shifted << places", "shifted = shifted << (places + 1)"),
        ("Mux(self.first, 0, accumulator)", "accumulator"),
        ("Mux(self.product_enable, dot.sum, 0)", "dot.sum"),
        ("Mux(self.capture, accumulator, self.drain_in)", "Mux(self.capture, kept, self.drain_in)"),
        ("product = Signal(signed(dot.sum_bits)", "product = Signal(signed(dot.sum_bits - 1)"),
    ],
)
def test_faults_show(monkeypatch, old, new):
    assert run((2, 4, 4, 2, 1), per_group=2, groups=12, stall=0.25) == 12
    replaced(monkeypatch, old, new)
    assert run((2, 4, 4, 2, 1), per_group=2, groups=12, stall=0.25) < 12


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((16, 4, 4, 5, 1, 40), "x_shift_bits=5 must be between 0 and 4"),
        ((16, 4, 4, 2, -1, 40), "w_shift_bits=-1 must be between 0 and 4"),
        ((16, 4, 4, 2, 1, 15), "accumulator_bits=15 must be at least 16"),
        ((0, 4, 4, 2, 1, 18), "lanes=0 must be between 1 and 1024"),
    ],
)
def test_bad_parameters(arguments, message):
    with pytest.raises(ValueError, match=message):
        ProcessingElement(*arguments)
