"""One-bit adders: modules of their own, so that synthesis can put a library's adder cell in place of each."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib.wiring import In, Out

from sevedo.hw.unit import Unit


class FullAdder(Unit):
    """Full adder: the number of ones among three bits.

    Timing: combinational.
    Numerics: exact; ``a + b + c == sum + 2 * carry``.

    Members
    -------
    a, b, c : In(1)
    sum, carry : Out(1), weights 1 and 2
    """

    def __init__(self) -> None:
        super().__init__({"a": In(1), "b": In(1), "c": In(1), "sum": Out(1), "carry": Out(1)})

    @property
    def module_name(self) -> str:
        return "full_adder"

    def build(self) -> Module:
        m = Module()
        m.d.comb += [
            self.sum.eq(self.a ^ self.b ^ self.c),
            self.carry.eq((self.a & self.b) | (self.c & (self.a | self.b))),
        ]
        return m


class HalfAdder(Unit):
    """Half adder: the number of ones among two bits.

    Timing: combinational.
    Numerics: exact; ``a + b == sum + 2 * carry``.

    Members
    -------
    a, b : In(1)
    sum, carry : Out(1), weights 1 and 2
    """

    def __init__(self) -> None:
        super().__init__({"a": In(1), "b": In(1), "sum": Out(1), "carry": Out(1)})

    @property
    def module_name(self) -> str:
        return "half_adder"

    def build(self) -> Module:
        m = Module()
        m.d.comb += [self.sum.eq(self.a ^ self.b), self.carry.eq(self.a & self.b)]
        return m
