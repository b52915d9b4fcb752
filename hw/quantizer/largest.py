"""The largest of some magnitudes."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib import data
from amaranth.lib.wiring import In, Out

from sevedo.hw.unit import Unit


class Largest(Unit):
    """The largest of `count` unsigned numbers, in a balanced tree of comparisons.

    Encodings of floating-point numbers without their signs order as their magnitudes do, with infinity above all
    numbers and NaN above infinity: a NaN is not hidden.

    Timing: combinational.
    Numerics: exact.

    Parameters
    ----------
    bits : width of a number
    count : numbers, at least 1

    Members
    -------
    numbers : In(ArrayLayout(bits, count))
    result : Out(bits)

    Raises
    ------
    ValueError : count below 1.
    """

    def __init__(self, bits: int, count: int) -> None:
        if count < 1:
            raise ValueError(f"count={count} must be at least 1")
        self.bits = bits
        self.count = count
        super().__init__({"numbers": In(data.ArrayLayout(unsigned(bits), count)), "result": Out(bits)})

    @property
    def module_name(self) -> str:
        return f"largest_{self.bits}_of{self.count}"

    def build(self) -> Module:
        m = Module()
        level: list[Value] = [Value.cast(self.numbers[index]) for index in range(self.count)]
        while len(level) > 1:
            pairs = []
            for a, b in zip(level[::2], level[1::2], strict=False):
                pairs.append(Mux(a < b, b, a))
            level = pairs + level[len(level) // 2 * 2 :]
        m.d.comb += self.result.eq(level[0])
        return m
