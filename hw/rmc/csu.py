"""Coarse-scale unit: from the integer sums of coarse groups to floating-point sums."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib.wiring import In, Out

from sevedo.gen.config import FP32, FloatFormat
from sevedo.hw.float import IntegerToFloat, Multiply
from sevedo.hw.float.ring import RingAccumulator
from sevedo.hw.unit import Unit


class CoarseScaleUnit(Unit):
    """Scales the integer sum of a coarse group and adds it to one of `share` running sums.

    Timing: three pipeline stages (scale and convert, multiply, add), one group per cycle, no back pressure; `result`
    shows the new sum `latency` cycles after its operands. The PEs that share the unit take strict turns.
    Numerics (docs/numerics.md): P = FP32(x_scale * w_scale), t = FP32(FP32(sum * 2**-places) * P), y = FP32(y + t);
    every rounding to nearest even.

    Parameters
    ----------
    sum_bits : width of the integer sum, two's complement
    places : binary places of the integer sum (Kx + Kw)
    scale : format of both scales
    share : PEs that share the unit

    Members
    -------
    sum : In(signed(sum_bits))
    x_scale, w_scale : In(scale.width)
    valid : In(1), the operands are a group's
    first : In(1), it is the first group of its output element
    result : Out(32), FP32
    """

    latency = 3

    def __init__(self, sum_bits: int, places: int, scale: FloatFormat, share: int) -> None:
        if share < 1:
            raise ValueError(f"share={share} must be at least 1")
        self.sum_bits = sum_bits
        self.places = places
        self.scale = scale
        self.share = share
        super().__init__(
            {
                "sum": In(signed(sum_bits)),
                "x_scale": In(scale.width),
                "w_scale": In(scale.width),
                "valid": In(1),
                "first": In(1),
                "result": Out(FP32.width),
            }
        )

    @property
    def module_name(self) -> str:
        return f"coarse_scale_unit_i{self.sum_bits}_{self.places}_{self.scale.name}_x{self.share}"

    def build(self) -> Module:
        m = Module()
        m.submodules.convert = convert = IntegerToFloat(self.sum_bits, True, FP32, exponent=-self.places)
        m.submodules.multiply_scales = scales = Multiply(self.scale, self.scale, FP32)
        m.submodules.multiply = multiply = Multiply(FP32, FP32, FP32)
        m.submodules.accumulate = accumulate = RingAccumulator(FP32, self.share)

        number = Signal(FP32.width, reset_less=True)
        scale = Signal(FP32.width, reset_less=True)
        term = Signal(FP32.width, reset_less=True)
        valid = Signal(2)
        first = Signal(2, reset_less=True)
        m.d.comb += [
            convert.a.eq(self.sum),
            scales.a.eq(self.x_scale),
            scales.b.eq(self.w_scale),
            multiply.a.eq(number),
            multiply.b.eq(scale),
            accumulate.addend.eq(term),
            accumulate.enable.eq(valid[1]),
            accumulate.first.eq(first[1]),
            self.result.eq(accumulate.sum),
        ]
        m.d.sync += [
            valid.eq(Cat(self.valid, valid[0])),
            first.eq(Cat(self.first, first[0])),
        ]
        with m.If(self.valid):
            m.d.sync += [number.eq(convert.result), scale.eq(scales.result)]
        with m.If(valid[0]):
            m.d.sync += term.eq(multiply.result)
        return m
