"""The addition of an accumulator: what it holds and one or two numbers more."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib import data
from amaranth.lib.wiring import In, Out

from sevedo.hw.integer.compress import BitHeap
from sevedo.hw.unit import Unit

_KEPT, _ADDENDS = 0.6, 1.1
"""When what the accumulator holds and the dequantized product are there, in units of the adders' delays."""


class AccumulatorAdder(Unit):
    """Adds modulo 2^width, so that signs need no care.

    Timing: combinational.
    Numerics: exact modulo 2^width.

    Parameters
    ----------
    width : bits of everything
    addends : how many numbers are added to what is kept
    operators : write the sum as such, see `DotProduct`

    Members
    -------
    kept : In(width)
    addends : In(ArrayLayout(unsigned(width), addends))
    sum : Out(width)
    """

    def __init__(self, width: int, addends: int, operators: bool = False) -> None:
        self.width = width
        self.count = addends
        self.operators = operators
        super().__init__(
            {
                "kept": In(width),
                "addends": In(data.ArrayLayout(unsigned(width), addends)),
                "sum": Out(width),
            }
        )

    @property
    def module_name(self) -> str:
        return f"accumulator_adder_{self.width}_{self.count}{'_operators' if self.operators else ''}"

    @property
    def definition(self) -> str:
        """The sum."""
        terms = [f"addends[{(i + 1) * self.width - 1}:{i * self.width}]" for i in range(self.count)]
        return f"  assign sum = {' + '.join(['kept', *terms])};\n"

    def build(self) -> Module:
        m = Module()
        if self.operators:
            m.d.comb += self.sum.eq(sum(self.addends, self.kept))
            return m
        heap = BitHeap(self.width)
        for place in range(self.width):
            heap.add(self.kept[place], place, arrival=_KEPT)
            for addend in self.addends:
                heap.add(Value.cast(addend)[place], place, arrival=_ADDENDS)
        m.d.comb += self.sum.eq(heap.sum(m))
        return m
