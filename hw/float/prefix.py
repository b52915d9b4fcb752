"""Sums of two numbers with and without a carry, of one tree of carries."""

from __future__ import annotations

from amaranth.hdl import *


def compound_sum(m: Module, name: str, a: Value, b: Value) -> tuple[Value, Value]:
    """``a + b`` and ``a + b + 1``, a bit longer than the operands, both of which have one length.

    A parallel-prefix tree of least depth (Sklansky: Conditional-sum addition logic, IRE Trans. EC-9, 1960) gives for
    every place whether the places below make a carry, and whether they would pass one on: with both, the second sum
    costs a gate and an exclusive or for each bit. Written as gates, since what synthesis makes of ``+`` has no tree to
    share.
    """
    width = len(a)
    half = Signal(width, name=f"{name}_half")
    m.d.comb += half.eq(a ^ b)
    makes: list[Value] = [a[i] & b[i] for i in range(width)]
    passes: list[Value] = [a[i] | b[i] for i in range(width)]
    step = 1
    while step < width:
        made, passed = list(makes), list(passes)
        for i in range(width):
            if i & step:
                below = (i & ~(step - 1)) - 1
                made[i] = _named(m, f"{name}_makes_{step}_{i}", makes[i] | (passes[i] & makes[below]))
                passed[i] = _named(m, f"{name}_passes_{step}_{i}", passes[i] & passes[below])
        makes, passes = made, passed
        step *= 2
    without, with_one = (
        Cat(Const(0, 1), *makes),
        Cat(Const(1, 1), *(g | p for g, p in zip(makes, passes, strict=True))),
    )
    longer = Cat(half, Const(0, 1))
    return longer ^ without, longer ^ with_one


def _named(m: Module, name: str, value: Value) -> Value:
    signal = Signal(name=name)
    m.d.comb += signal.eq(value)
    return signal
