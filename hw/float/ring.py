"""Several running sums on one adder."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib.wiring import In, Out

from sevedo.gen.config import FloatFormat
from sevedo.hw.unit import Unit

from . import definition
from .add import Add
from .pipeline import delayed
from .two_path import TwoPathAdd


class RingAccumulator(Unit):
    """`depth` running sums that take turns on one floating-point adder.

    Timing: an addend taken at a clock edge (`enable`) is in `sum` after `stages` more. The sums take strict turns: the
    n-th enabled addend goes to sum n modulo `depth`, so that the adder may take as many cycles as there are sums.
    Numerics: one rounding to nearest even for each addition; `first` makes the old sum +0, so that the addition of
    the first addend is a real one (-0 becomes +0).

    Parameters
    ----------
    number : format of addends and sums
    depth : number of sums
    stages : registers inside the adder, less than `depth`
    two_path : whether an adder without registers inside is the larger, faster one

    Members
    -------
    addend : In(number.width)
    enable : In(1), take the addend
    first : In(1), the addend starts its sum anew
    sum : Out(number.width), the sum that the latest addend went to

    Raises
    ------
    ValueError : depth below 1; stages that do not fit.
    """

    def __init__(self, number: FloatFormat, depth: int, stages: int = 0, two_path: bool = False) -> None:
        if depth < 1:
            raise ValueError(f"depth={depth} must be at least 1")
        if not 0 <= stages < depth:
            raise ValueError(f"stages={stages} must be between 0 and {depth - 1}, less than depth={depth}")
        self.stages = stages
        self._two_path = two_path and not stages
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
        adder = "_two_path" if self._two_path else f"_stages{self.stages}" if self.stages else ""
        return f"ring_accumulator_{self.number.name}_x{self.depth}{adder}"

    @property
    def latency(self) -> int:
        """Cycles from an addend to its sum."""
        return self.stages + 1

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
            + definition.assign("sum", width, f"ring[{depth * width - 1}:{(depth - 1) * width}]", self.stages)
        )

    def build(self) -> Module:
        m = Module()
        m.submodules.add = add = (
            TwoPathAdd(self.number) if self._two_path else Add(self.number, stages=self.stages)
        )
        ring = [Signal(self.number.width, name=f"sum_{i}", reset_less=True) for i in range(self.depth)]
        write, oldest = self._turns(m, ring)
        m.d.comb += [
            add.a.eq(oldest & (~self.first).replicate(self.number.width)),
            add.b.eq(self.addend),
            self.sum.eq(ring[-1]),
        ]
        with m.If(write):
            m.d.sync += [Cat(ring).eq(Cat(*ring[1:], add.result))]
        return m

    def _turns(self, m: Module, ring: list[Signal]) -> tuple[Value, Value]:
        """When a sum leaves the adder, and the sum whose turn it is: the oldest, but for those inside the adder."""
        if not self.stages:
            return self.enable, ring[0]
        inside = Signal(range(self.stages + 1))
        write = delayed(m, "valid", self.enable, self.stages)[-1]
        m.d.sync += inside.eq(inside + self.enable - write)
        return write, Array(ring[: self.stages + 1])[inside]
