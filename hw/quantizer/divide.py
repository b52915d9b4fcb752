"""Division by a constant."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib.wiring import In, Out

from sevedo.hw.float.pipeline import check_stages, held
from sevedo.hw.unit import Unit


class ConstantDivision(Unit):
    """``(a << places) / divisor``: the quotient rounded down and whether there is a rest.

    Long division in binary: a row of small tables, each of which takes the rest so far and a bit of the dividend and
    gives a bit of the quotient and the next rest, which is less than the divisor. A product with the reciprocal
    (Granlund and Montgomery: Division by invariant integers using multiplication, PLDI 1994) is faster and larger:
    docs/quantizer.md.

    Timing: `stages` cycles, one result per cycle. The cut is in the middle of the row.
    Numerics: exact.

    Parameters
    ----------
    bits : width of the dividend
    places : zeros below it
    divisor : 1 or more
    stages : 0 or 1

    Members
    -------
    a : In(bits)
    quotient : Out(wide enough)
    rest : Out(1), the quotient was rounded

    Raises
    ------
    ValueError : divisor below 1; stages out of range.
    """

    def __init__(self, bits: int, places: int, divisor: int, stages: int = 0) -> None:
        check_stages(stages, 1)
        if divisor < 1:
            raise ValueError(f"divisor={divisor} must be at least 1")
        self.bits = bits
        self.places = places
        self.divisor = divisor
        self.stages = stages
        largest = (((1 << bits) - 1) << places) // divisor
        super().__init__({"a": In(bits), "quotient": Out(largest.bit_length()), "rest": Out(1)})

    @property
    def module_name(self) -> str:
        return (
            f"constant_division_{self.bits}_{self.places}_by{self.divisor}{'_stages1' if self.stages else ''}"
        )

    @property
    def latency(self) -> int:
        """Cycles from dividend to quotient."""
        return self.stages

    def build(self) -> Module:
        m = Module()
        dividend: Value = Cat(Const(0, self.places), self.a)
        rest: Value = Const(0, 0)
        quotient: list[Value] = []
        for place in reversed(range(len(dividend))):
            if self.stages and place == len(dividend) // 2 - 1:
                rest, low, *quotient = held(m, True, rest, dividend[: place + 1], *quotient)
                dividend = Cat(low, dividend[place + 1 :])
            # No more bits than were taken: the first ones cannot reach the divisor.
            bits = min(len(dividend) - place, self.divisor.bit_length())
            word = Signal(bits + 1, name=f"word_{place}")
            bit = Signal(name=f"bit_{place}")
            less = Signal(bits, name=f"rest_{place}")
            m.d.comb += [
                word.eq(Cat(dividend[place], rest)),
                bit.eq(word >= self.divisor),
                less.eq(Mux(bit, word - self.divisor, word)),
            ]
            rest = less
            quotient.insert(0, bit)
        m.d.comb += [self.quotient.eq(Cat(*quotient)), self.rest.eq(rest.any())]
        return m
