"""One-bit full adders: modules of their own, so that synthesis can put a library's adder cell in place of each."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib.wiring import In, Out

from sevedo.hw.unit import Unit


class FullAdder(Unit):
    """Full adder: the number of ones among three bits.

    Timing: combinational. `c` should be the bit that arrives last.
    Numerics: exact; ``a + b + c == sum + 2 * carry``.

    Parameters
    ----------
    fast : meant for gates, with a short way from `c`, rather than for the library's adder cell, which is smaller

    Members
    -------
    a, b, c : In(1)
    sum, carry : Out(1), weights 1 and 2
    """

    def __init__(self, fast: bool = False) -> None:
        self.fast = fast
        super().__init__({"a": In(1), "b": In(1), "c": In(1), "sum": Out(1), "carry": Out(1)})

    @property
    def module_name(self) -> str:
        return "fast_full_adder" if self.fast else "full_adder"

    def build(self) -> Module:
        m = Module()
        half = Signal()
        m.d.comb += [
            half.eq(self.a ^ self.b),
            self.sum.eq(half ^ self.c),
            self.carry.eq((self.a & self.b) | (half & self.c)),
        ]
        return m
