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

    Timing: combinational; with `registered` a register halfway, see `latency`.
    Numerics: exact.

    Parameters
    ----------
    bits : width of a number
    count : numbers, at least 1
    registered : see above

    Members
    -------
    numbers : In(ArrayLayout(bits, count))
    result : Out(bits)

    Raises
    ------
    ValueError : count below 1.
    """

    def __init__(self, bits: int, count: int, registered: bool = False) -> None:
        if count < 1:
            raise ValueError(f"count={count} must be at least 1")
        self.bits = bits
        self.count = count
        self.registered = registered
        super().__init__({"numbers": In(data.ArrayLayout(unsigned(bits), count)), "result": Out(bits)})

    @property
    def module_name(self) -> str:
        return f"largest_{self.bits}_of{self.count}{'_registered' if self.registered else ''}"

    @property
    def latency(self) -> int:
        """Cycles from numbers to result."""
        return int(self.registered)

    def build(self) -> Module:
        m = Module()
        level: list[Value] = [Value.cast(self.numbers[index]) for index in range(self.count)]
        depth = 0
        while True:
            if self.registered and depth == (self.count - 1).bit_length() // 2:
                kept = [
                    Signal(self.bits, name=f"kept_{index}", reset_less=True) for index in range(len(level))
                ]
                m.d.sync += [to.eq(number) for to, number in zip(kept, level, strict=True)]
                level = [*kept]
            if len(level) == 1:
                break
            depth += 1
            pairs = []
            for a, b in zip(level[::2], level[1::2], strict=False):
                pairs.append(Mux(a < b, b, a))
            level = pairs + level[len(level) // 2 * 2 :]
        m.d.comb += self.result.eq(level[0])
        return m
