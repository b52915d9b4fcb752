"""Sums of two numbers with and without a carry, of one tree of carries."""

from __future__ import annotations

from collections.abc import Sequence

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
    first = _named(m, f"{name}_makes", a & b), _named(m, f"{name}_passes", a | b)
    makes, passes = ([value[i] for i in range(width)] for value in first)
    step = 1
    while step < width:
        # In every second block of `step` places, all look at the top of the block below.
        upper = [i for i in range(width) if i & step]
        below = [(i & ~(step - 1)) - 1 for i in upper]
        passed = _at(passes, upper)
        made = _named(m, f"{name}_makes_{step}", _at(makes, upper) | (passed & _at(makes, below)))
        passed = _named(m, f"{name}_passes_{step}", passed & _at(passes, below))
        for place, i in enumerate(upper):
            makes[i], passes[i] = made[place], passed[place]
        step *= 2
    without, with_one = Cat(Const(0, 1), *makes), Cat(Const(1, 1), Cat(makes) | Cat(passes))
    longer = Cat(half, Const(0, 1))
    return longer ^ without, longer ^ with_one


def _at(bits: Sequence[Value], places: Sequence[int]) -> Value:
    return Cat(bits[place] for place in places)


def _named(m: Module, name: str, value: Value) -> Value:
    signal = Signal(len(value), name=name)
    m.d.comb += signal.eq(value)
    return signal
