"""The dot product against its definition: extremes, all inputs where few, seeded random; faults must show."""

import itertools
import random
from collections.abc import Sequence

import pytest
from amaranth.hdl import Shape
from amaranth.sim import Simulator

from sevedo.gen.verilog.emitter import emit
from sevedo.hw.integer.compress import BitHeap
from sevedo.hw.integer.dot import DotProduct
from sevedo.hw.integer.tree import CELL, FAST, Bit, relax, three_greedy


def ends(shape: Shape) -> tuple[int, int]:
    return (
        (-1 << shape.width - 1, (1 << shape.width - 1) - 1) if shape.signed else (0, (1 << shape.width) - 1)
    )


def mismatches(
    unit: DotProduct, vectors: Sequence[tuple[tuple[int, ...], tuple[int, ...]]]
) -> tuple[int, int]:
    """Number of vectors evaluated and number of those whose sum is wrong."""
    counts = [0, 0]

    async def bench(ctx):
        for a, b in vectors:
            for lane in range(unit.lanes):
                ctx.set(unit.a[lane], a[lane])
                ctx.set(unit.b[lane], b[lane])
            if unit.latency:
                await ctx.tick().repeat(unit.latency)
            exact = sum(x * y for x, y in zip(a, b, strict=True))
            if unit.carry_save:
                rows = ctx.get(unit.rows[0]) + ctx.get(unit.rows[1])
                right = (rows - exact) % (1 << unit.sum_bits) == 0
            else:
                right = ctx.get(unit.sum) == exact
            counts[0] += 1
            counts[1] += not right

    simulator = Simulator(unit)
    if unit.latency:
        simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return counts[0], counts[1]


def extremes(unit: DotProduct) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    corners = itertools.product(ends(unit.a_shape), ends(unit.b_shape))
    return [((x,) * unit.lanes, (y,) * unit.lanes) for x, y in corners]


def randoms(unit: DotProduct, number: int, seed: int = 1) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    source = random.Random(seed)

    def codes(shape: Shape) -> tuple[int, ...]:
        low, high = ends(shape)
        return tuple(source.choice((low, high, source.randint(low, high))) for _ in range(unit.lanes))

    return [(codes(unit.a_shape), codes(unit.b_shape)) for _ in range(number)]


@pytest.mark.parametrize(
    ("a_bits", "b_bits", "a_signed", "b_signed"),
    [(4, 4, True, True), (4, 3, True, False), (2, 4, False, True), (3, 3, False, False), (1, 4, False, True)],
)
def test_one_lane_of_every_kind_is_exact_for_all_inputs(a_bits, b_bits, a_signed, b_signed):
    unit = DotProduct(1, a_bits, b_bits, a_signed, b_signed)
    numbers = [range(low, high + 1) for low, high in (ends(unit.a_shape), ends(unit.b_shape))]
    every = [((x,), (y,)) for x, y in itertools.product(*numbers)]
    assert mismatches(unit, every) == (2 ** (a_bits + b_bits), 0)


def test_two_lanes_are_exact_for_all_inputs():
    unit = DotProduct(2, 2, 2)
    pairs = list(itertools.product(range(-2, 2), repeat=2))
    assert mismatches(unit, list(itertools.product(pairs, pairs))) == (256, 0)


@pytest.mark.parametrize("form", ["tree", "carry_save", "operators", "registered"])
@pytest.mark.parametrize(
    ("lanes", "a_bits", "b_bits", "a_signed", "b_signed"),
    [
        (16, 4, 4, True, True),
        (5, 8, 8, True, True),
        (3, 4, 8, False, True),
        (7, 3, 2, True, False),
        (4, 5, 6, False, False),
        (9, 1, 1, False, False),
    ],
)
def test_extremes_and_random(form, lanes, a_bits, b_bits, a_signed, b_signed):
    options = {} if form == "tree" else {form: True}
    unit = DotProduct(lanes, a_bits, b_bits, a_signed, b_signed, **options)
    assert mismatches(unit, extremes(unit) + randoms(unit, 60)) == (64, 0)


def test_sum_bits_are_the_fewest():
    for (a_bits, a_signed), (b_bits, b_signed), lanes in itertools.product(
        itertools.product((2, 3, 4, 8), (True, False)),
        itertools.product((2, 4), (True, False)),
        (1, 2, 3, 16, 17),
    ):
        unit = DotProduct(lanes, a_bits, b_bits, a_signed, b_signed)
        sums = [lanes * x * y for x, y in itertools.product(ends(unit.a_shape), ends(unit.b_shape))]
        assert unit.sum_range == (min(sums), max(sums))
        assert ends(Shape(unit.sum_bits, True))[0] <= min(sums)
        assert max(sums) <= ends(Shape(unit.sum_bits, True))[1]
        low, high = ends(Shape(unit.sum_bits - 1, True))
        assert min(sums) < low or max(sums) > high
    assert DotProduct(16, 4, 4).sum_bits == 12


def test_structure_of_the_int4_dot_product():
    adders = {m.name: m for m in emit(DotProduct(16, 4, 4))}
    counts = dict(adders["dot_product_16_s4_s4"].children)
    # Counted bits: 256 products reduce to 12; the constant and the half adder of the chain take no full adder.
    assert sum(counts.values()) == 244
    assert set(counts) == {"full_adder", "fast_full_adder"}
    assert counts["full_adder"] > counts["fast_full_adder"]


def test_a_wrong_constant_shows(monkeypatch):
    reduce = BitHeap._reduce

    def wrong(heap):
        heap.add_constant(16)
        return reduce(heap)

    monkeypatch.setattr(BitHeap, "_reduce", wrong)
    unit = DotProduct(3, 4, 4)
    assert mismatches(unit, randoms(unit, 20)) == (20, 20)


def test_a_wrong_sign_shows(monkeypatch):
    monkeypatch.setattr("sevedo.hw.integer.dot._is_negative", lambda shape, bit: False)
    unit = DotProduct(3, 4, 4)
    checked, wrong = mismatches(unit, randoms(unit, 20))
    assert (checked, wrong > 10) == (20, True)


def test_relaxing_keeps_the_deadline_and_uses_cells():
    fast = []
    for deadline in (0.0, 3.8, 4.2, 99.0):
        columns = [[Bit(0.0) for _ in range(n)] for n in (16, 32, 48, 64, 48, 32, 16)]
        adders, left, constant = three_greedy(columns, 0)
        fastest = max(bit.arrival for column in left for bit in column)
        relax(adders, left, deadline)
        assert constant == 0
        assert max(bit.arrival for column in left for bit in column) <= max(deadline, fastest) + 1e-9
        assert {adder.kind for adder in adders} <= {CELL, FAST}
        fast.append(sum(adder.kind is FAST for adder in adders))
    assert fast == sorted(set(fast), reverse=True)
    assert fast[-1] == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 4, 4), "lanes=0 must be between 1 and 1024"),
        ((16, 1, 4), "a_bits=1 must be between 2 and 8 for signed codes"),
        ((16, 4, 9), "b_bits=9 must be between 2 and 8 for signed codes"),
        ((16, 4, 0, True, False), "b_bits=0 must be between 1 and 8 for unsigned codes"),
        ((16, 4, 4, True, True, True, True), "operators=True must come without carry_save"),
        ((16, 4, 4, True, True, True, False, True), "registered=True must come without carry_save"),
    ],
)
def test_bad_parameters(arguments, message):
    with pytest.raises(ValueError, match=message):
        DotProduct(*arguments)
