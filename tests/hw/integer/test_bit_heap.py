"""Bit heaps: any mix of bits, vectors and constants, added and subtracted, sums exactly."""

import random

import pytest
from amaranth.hdl import Module, Signal, signed, unsigned
from amaranth.sim import Simulator

from sevedo.hw.integer.compress import BitHeap


def total(heap: BitHeap, m: Module, rows: bool) -> Signal:
    out = Signal(heap.width)
    if rows:
        first, second = heap.rows(m)
        m.d.comb += out.eq(first + second)
    else:
        m.d.comb += out.eq(heap.sum(m))
    return out


@pytest.mark.parametrize("inverted", [False, True])
@pytest.mark.parametrize("rows", [False, True])
def test_random_sums(inverted, rows):
    source = random.Random(2)
    checked = 0
    for _ in range(12):
        m = Module()
        heap = BitHeap(source.randint(1, 14), inverted)
        constant = source.randint(-999, 999)
        heap.add_constant(constant)
        terms = []
        for number in range(source.randint(0, 6)):
            shape = source.choice((signed, unsigned))(source.randint(1, 6))
            signal = Signal(shape, name=f"term_{number}")
            terms.append((signal, source.randint(0, 7), source.random() < 0.4))
            heap.add_vector(*terms[-1], arrival=source.random())
        out = total(heap, m, rows)

        async def bench(ctx, heap=heap, terms=terms, constant=constant, out=out):
            nonlocal checked
            for _ in range(8):
                exact = constant
                for signal, weight, negative in terms:
                    ctx.set(signal, source.getrandbits(8))
                    exact += (-1 if negative else 1) * ctx.get(signal) << weight
                assert ctx.get(out) == exact % (1 << heap.width)
                checked += 1

        simulator = Simulator(m)
        simulator.add_testbench(bench)
        simulator.run()
    assert checked == 96


def test_width_must_be_positive():
    with pytest.raises(ValueError, match="width=0 must be at least 1"):
        BitHeap(0)
