"""One floating-point lane of the vector core."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib.wiring import In, Out

from sevedo.gen.config import FP32, NO_PIPELINE, FloatFormat, Pipeline
from sevedo.hw.float import Convert, Multiply
from sevedo.hw.float.pipeline import delayed, later
from sevedo.hw.float.ring import RingAccumulator
from sevedo.hw.unit import Unit


class VectorLane(Unit):
    """Multiplies, and adds to one of `slots` running sums.

    Timing: multiply, add, each with a register behind and those that `pipeline` puts inside; `result` shows the sum
    `latency` cycles after its operands.
    Numerics (docs/numerics.md): sum = FP32(sum + FP32(a * b)); result = sum, or DATA(sum) with `rounds`.

    Parameters
    ----------
    number : format of the operands
    slots : running sums that take strict turns
    rounds : whether the result is a number of the operands' format, and not FP32
    pipeline : registers inside

    Members
    -------
    a, b : In(number.width)
    valid : In(1), the operands are there
    first : In(1), start the sum anew
    result : Out(number.width) or Out(32)
    """

    def __init__(
        self, number: FloatFormat, slots: int, rounds: bool, pipeline: Pipeline = NO_PIPELINE
    ) -> None:
        self.pipeline = pipeline
        self.number = number
        self.slots = slots
        self.rounds = rounds
        super().__init__(
            {
                "a": In(number.width),
                "b": In(number.width),
                "valid": In(1),
                "first": In(1),
                "result": Out(number.width if rounds else FP32.width),
            }
        )

    @property
    def module_name(self) -> str:
        return f"vector_lane_{self.number.name}_x{self.slots}{'_rounds' if self.rounds else ''}{self.pipeline.tag}"

    @property
    def latency(self) -> int:
        """Cycles from operands to result."""
        return self.pipeline.multiply + 1 + self._ring.latency + (self.pipeline.convert if self.rounds else 0)

    @property
    def _ring(self) -> RingAccumulator:
        return RingAccumulator(FP32, self.slots, self.pipeline.turns(self.slots), self.pipeline.two_path)

    def build(self) -> Module:
        m = Module()
        pipeline = self.pipeline
        m.submodules.multiply = multiply = Multiply(self.number, self.number, FP32, stages=pipeline.multiply)
        m.submodules.accumulate = accumulate = self._ring
        term = Signal(FP32.width, reset_less=True)
        valid = Signal()
        first = Signal(reset_less=True)
        m.d.comb += [
            multiply.a.eq(self.a),
            multiply.b.eq(self.b),
            accumulate.addend.eq(term),
            accumulate.enable.eq(valid),
            accumulate.first.eq(first),
        ]
        if self.rounds:
            m.submodules.convert = convert = Convert(FP32, self.number, stages=pipeline.convert)
            m.d.comb += [convert.a.eq(accumulate.sum), self.result.eq(convert.result)]
        else:
            m.d.comb += self.result.eq(accumulate.sum)
        multiplied = [self.valid, *delayed(m, "multiplied", self.valid, pipeline.multiply)][-1]
        first_of_sum = later(m, "first", self.first, pipeline.multiply)
        m.d.sync += valid.eq(multiplied)
        with m.If(multiplied):
            m.d.sync += [term.eq(multiply.result), first.eq(first_of_sum)]
        return m
