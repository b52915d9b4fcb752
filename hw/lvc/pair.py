"""Control that parts of the vector core share: two buffers that change places, and the classes that a layer has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from amaranth.hdl import *


class BufferPair(NamedTuple):
    """Two buffers, one of which is filled while the other is read; `write` and `read` say which.

    Members
    -------
    room : the next to be claimed is free
    available : the next to be read is complete
    write, read : index of the buffer that is written and read
    """

    room: Value
    available: Value
    write: Value
    read: Value

    @classmethod
    def build(cls, m: Module, claim: Value, done: Value, free: Value) -> BufferPair:
        """`claim`: all that a buffer will hold is on its way; `done`: it is written; `free`: it has been read."""
        claimed = Signal(2)
        complete = Signal(2)
        at = {name: Signal(name=f"{name}_buffer") for name in ("claim", "write", "read")}
        with m.If(free):
            m.d.sync += [
                claimed.bit_select(at["read"], 1).eq(0),
                complete.bit_select(at["read"], 1).eq(0),
                at["read"].eq(~at["read"]),
            ]
        with m.If(claim):
            m.d.sync += [claimed.bit_select(at["claim"], 1).eq(1), at["claim"].eq(~at["claim"])]
        with m.If(done):
            m.d.sync += [complete.bit_select(at["write"], 1).eq(1), at["write"].eq(~at["write"])]
        room, available = ~claimed.bit_select(at["claim"], 1), complete.bit_select(at["read"], 1)
        return cls(room, available, at["write"], at["read"])


class ClassWalk(NamedTuple):
    """The integer classes of a layer, one after the other, again and again; those without ranks are left out.

    Members
    -------
    any : the layer has one
    which : index of the hardware's class
    last : the layer has none after it
    """

    any: Value
    which: Value
    last: Value

    @classmethod
    def build(cls, m: Module, sizes: Sequence[Value], advance: Value) -> ClassWalk:
        """`sizes`: of each class that the hardware has, one or two, 0 for none; `advance`: done with this one."""
        if len(sizes) == 1:
            return cls(sizes[0] != 0, Const(0, 1), Const(1, 1))
        first, second = (size != 0 for size in sizes)
        passed = Signal(name="passed_first_class")
        which = Signal(name="class_index")
        last = Signal(name="last_class")
        m.d.comb += [which.eq(passed | ~first), last.eq(which | ~second)]
        with m.If(advance):
            m.d.sync += passed.eq(~last)
        return cls(first | second, which, last)

    def of(self, values: Sequence[Value | int]) -> Value:
        """The value of the current class."""
        return Value.cast(values[0]) if len(values) == 1 else Mux(self.which, values[1], values[0])
