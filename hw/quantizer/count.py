"""Counters of beats."""

from __future__ import annotations

from amaranth.hdl import *


def is_last(m: Module, name: str, go: Value, count: int) -> Value:
    """Whether this event is the last of `count`."""
    if count == 1:
        return Const(1, 1)
    place = Signal(range(count), name=f"{name}_place")
    with m.If(go):
        m.d.sync += place.eq(after(place, count))
    return place == count - 1


def after(index: Value, count: int) -> Value:
    """The next of `count` indices."""
    return Mux(index == count - 1, 0, index + 1)
