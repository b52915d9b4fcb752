"""Leading zeros, and the two shifters of floating-point units, which keep only what rounding needs."""

from __future__ import annotations

from amaranth.hdl import *


def leading_zeros(m: Module, value: Value) -> Value:
    """How many zeros `value` has above its highest one; all ones if it has none.

    A binary tree (Oklobdzija: An algorithmic and novel design of a leading zero detector circuit, IEEE Trans. VLSI
    2(1), 1994): two halves, each with its count and whether it is empty. Padding is below, where it is not counted.
    """
    levels = max(1, (len(value) - 1).bit_length())
    padded = Cat(Const(0, (1 << levels) - len(value)), value)
    # (empty, count) of single bits, highest first
    nodes: list[tuple[Value, Value]] = [(~bit, Const(0, 0)) for bit in reversed(list(padded))]
    for level in range(levels):
        joined: list[tuple[Value, Value]] = []
        for i in range(0, len(nodes), 2):
            (empty_high, high), (empty_low, low) = nodes[i], nodes[i + 1]
            empty = Signal(name=f"empty_{level}_{i // 2}")
            count = Signal(level + 1, name=f"count_{level}_{i // 2}")
            m.d.comb += [
                empty.eq(empty_high & empty_low),
                count.eq(Cat(Mux(empty_high, low, high) if level else Const(0, 0), empty_high)),
            ]
            joined.append((empty, count))
        nodes = joined
    return nodes[0][1]


def shift_left(m: Module, value: Value, amount: Value, keep: int, fill: Value) -> tuple[Value, Value, Value]:
    """The `keep` top bits of ``value << amount``, and whether any and whether all bits below them are ones.

    Bits that come in are copies of `fill`; *any* is meant for a `fill` of 0, *all* for one of 1. Coarse steps first:
    after each, only as many bits are kept as the finer ones can still bring up. The others join *any* and *all*.
    """
    some: Value = Const(0, 1)
    every: Value = Const(1, 1)
    if len(value) < keep:
        value = Cat(fill.replicate(keep - len(value)), value)
    for k in reversed(range(len(amount))):
        step, width = 1 << k, len(value)
        needed = min(width, keep + step - 1)
        drop = width - needed
        shifted = Cat(fill.replicate(min(step, width)), value[: max(0, width - step)])
        moved = Signal(needed, name=f"left_{step}")
        m.d.comb += moved.eq(Mux(amount[k], shifted[drop:], value[drop:]))
        if drop:
            below = value[: max(0, drop - step)]
            some = some | Mux(amount[k], below.any(), value[:drop].any())
            every = every & Mux(amount[k], below.all(), value[:drop].all())
        value = moved
    drop = len(value) - keep
    return value[drop:], some | value[:drop].any(), every & value[:drop].all()


def shift_right(m: Module, value: Value, amount: Value, width: int) -> tuple[Value, Value]:
    """`value` in the top bits of a word of `width` bits, shifted right, and whether a one was shifted out.

    Fine steps first: the word grows as it is shifted.
    """
    lost: Value = Const(0, 1)
    for k in range(len(amount)):
        step = 1 << k
        drop = max(0, len(value) + step - width)
        moved = Signal(len(value) + step - drop, name=f"right_{step}")
        still, gone = Cat(Const(0, step), value), Cat(value, Const(0, step))
        m.d.comb += moved.eq(Mux(amount[k], gone[drop:], still[drop:]))
        if drop:
            # value bits alone: what is below them is zero
            lost = lost | (amount[k] & gone[:drop].any())
        value = moved
    return Cat(Const(0, width - len(value)), value), lost
