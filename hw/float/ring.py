"""Several running sums on one adder."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib.wiring import In, Out

from sevedo.gen.config import FloatFormat
from sevedo.hw.unit import Unit

from . import definition
from .add import Add


class RingAccumulator(Unit):
    """`depth` running sums that take turns on one floating-point adder.

    Timing: an addend taken at a clock edge (`enable`) is in `sum` after that edge. The sums take strict turns: the
    n-th enabled addend goes to sum n modulo `depth`.
    Numerics: one rounding to nearest even for each addition; `first` makes the old sum +0, so that the addition of
    the first addend is a real one (-0 becomes +0).

    Parameters
    ----------
    number : format of addends and sums
    depth : number of sums

    Members
    -------
    addend : In(number.width)
    enable : In(1), take the addend
    first : In(1), the addend starts its sum anew
    sum : Out(number.width), the sum that the latest addend went to
    """

    latency = 1

    def __init__(self, number: FloatFormat, depth: int) -> None:
        if depth < 1:
            raise ValueError(f"depth={depth} must be at least 1")
        self.number = number
        self.depth = depth
        super().__init__(
            {
                "addend": In(number.width),
                "enable": In(1),
                "first": In(1),
                "sum": Out(number.width),
            }
        )

    @property
    def module_name(self) -> str:
        return f"ring_accumulator_{self.number.name}_x{self.depth}"

    @property
    def definition(self) -> str | None:
        """The sums in one register, added to with `Add`'s definition, as Verilog."""
        number, width, depth = self.number, self.number.width, self.depth
        if Add(number).definition is None:
            return None
        oldest = f"ring[{width - 1}:0]"
        total = definition.add(number, f"first ? {width}'d0 : {oldest}", "addend")
        later = f"{{{total}, ring[{depth * width - 1}:{width}]}}" if depth > 1 else total
        return (
            definition.functions((number,), (number,))
            + f"  reg [{depth * width - 1}:0] ring = 0;\n"
            + f"  always @(posedge clk)\n    if (enable) ring <= {later};\n"
            + f"  assign sum = ring[{depth * width - 1}:{(depth - 1) * width}];\n"
        )

    def build(self) -> Module:
        m = Module()
        m.submodules.add = add = Add(self.number)
        ring = [Signal(self.number.width, name=f"sum_{i}", reset_less=True) for i in range(self.depth)]
        m.d.comb += [
            add.a.eq(Mux(self.first, 0, ring[0])),
            add.b.eq(self.addend),
            self.sum.eq(ring[-1]),
        ]
        with m.If(self.enable):
            m.d.sync += [Cat(ring).eq(Cat(*ring[1:], add.result))]
        return m
