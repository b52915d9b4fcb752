"""One floating-point lane of the vector core."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib.wiring import In, Out

from sevedo.gen.config import FP32, FloatFormat
from sevedo.hw.float import Convert, Multiply, definition
from sevedo.hw.float.ring import RingAccumulator
from sevedo.hw.unit import Unit


class VectorLane(Unit):
    """Multiplies, or takes a ready sum, and adds to one of `slots` running sums.

    Timing: two stages (multiply, add); `result` shows the rounded sum `latency` cycles after its operands.
    Numerics (docs/numerics.md): sum = FP32(sum + FP32(a * b)), or FP32(sum + residual); result = DATA(sum).

    Parameters
    ----------
    number : format of operands and result
    slots : running sums that take strict turns

    Members
    -------
    a, b : In(number.width)
    residual : In(32), FP32
    use_residual : In(1), add `residual` instead of the product
    valid : In(1), the operands are there
    first : In(1), start the sum anew
    result : Out(number.width)
    """

    latency = 2

    def __init__(self, number: FloatFormat, slots: int) -> None:
        self.number = number
        self.slots = slots
        super().__init__(
            {
                "a": In(number.width),
                "b": In(number.width),
                "residual": In(FP32.width),
                "use_residual": In(1),
                "valid": In(1),
                "first": In(1),
                "result": Out(number.width),
            }
        )

    @property
    def module_name(self) -> str:
        return f"vector_lane_{self.number.name}_x{self.slots}"

    @property
    def definition(self) -> str | None:
        """The lane with the definitions of its parts, computed only where something is taken, as Verilog."""
        number, width = self.number, self.slots * FP32.width
        parts = Multiply(number, number, FP32), RingAccumulator(FP32, self.slots), Convert(FP32, number)
        if any(part.definition is None for part in parts):
            return None
        product = definition.multiply(number, number, FP32, "a", "b")
        total = definition.add(FP32, "restart ? 32'd0 : ring[31:0]", "term")
        ring = f"{{total, ring[{width - 1}:32]}}" if self.slots > 1 else "total"
        converted = definition.from_real(number, definition.to_real(FP32, "total"))
        return (
            definition.functions((number, FP32), (number, FP32))
            + f"""\
  reg [31:0] term = 0;
  reg restart = 0;
  reg pending = 0;
  reg [{width - 1}:0] ring = 0;
  reg [{number.width - 1}:0] converted = 0;
  reg [31:0] total;
  always @(posedge clk) begin
    pending <= valid & ~rst;
    if (valid) begin
      term <= use_residual ? residual : {product};
      restart <= first;
    end
    if (pending) begin
      ring <= {ring};
      converted <= {converted};
    end
  end
  always @*
    if (pending) total = {total};
    else total = 0;
  assign result = converted;
"""
        )

    def build(self) -> Module:
        m = Module()
        m.submodules.multiply = multiply = Multiply(self.number, self.number, FP32)
        m.submodules.accumulate = accumulate = RingAccumulator(FP32, self.slots)
        m.submodules.convert = convert = Convert(FP32, self.number)
        term = Signal(FP32.width, reset_less=True)
        valid = Signal()
        first = Signal(reset_less=True)
        m.d.comb += [
            multiply.a.eq(self.a),
            multiply.b.eq(self.b),
            accumulate.addend.eq(term),
            accumulate.enable.eq(valid),
            accumulate.first.eq(first),
            convert.a.eq(accumulate.sum),
            self.result.eq(convert.result),
        ]
        m.d.sync += valid.eq(self.valid)
        with m.If(self.valid):
            m.d.sync += [
                term.eq(Mux(self.use_residual, self.residual, multiply.result)),
                first.eq(self.first),
            ]
        return m
