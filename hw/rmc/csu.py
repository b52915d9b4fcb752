"""Coarse-scale unit: from the integer sums of coarse groups to floating-point sums."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib.wiring import In, Out

from sevedo.gen.config import FP32, NO_PIPELINE, FloatFormat, Pipeline
from sevedo.hw.float import IntegerToFloat, Multiply
from sevedo.hw.float.pipeline import later
from sevedo.hw.float.ring import RingAccumulator
from sevedo.hw.unit import Unit


class CoarseScaleUnit(Unit):
    """Scales the integer sum of a coarse group and adds it to one of `share` running sums.

    Timing: scales and conversion, multiplication, addition, each with a register behind and those that `pipeline` puts
    inside; one group per cycle, no back pressure; `result` shows the new sum `latency` cycles after its operands. The
    PEs that share the unit take strict turns.
    Numerics (docs/numerics.md): t = FP32(FP32(sum * 2**-places) * x_scale * w_scale), y = FP32(y + t); each rounding to
    nearest even. The product of the scales is exact, in a format of its own, and so is the converted sum up to 24
    significant bits: the multiplier is as wide as their significands, not as FP32's.

    Parameters
    ----------
    sum_bits : width of the integer sum, two's complement
    places : binary places of the integer sum (Kx + Kw)
    scale : format of both scales
    share : PEs that share the unit
    pipeline : registers inside

    Members
    -------
    sum : In(signed(sum_bits))
    x_scale, w_scale : In(scale.width)
    valid : In(1), the operands are a group's
    first : In(1), it is the first group of its output element
    result : Out(32), FP32
    """

    def __init__(
        self,
        sum_bits: int,
        places: int,
        scale: FloatFormat,
        share: int,
        pipeline: Pipeline = NO_PIPELINE,
    ) -> None:
        if share < 1:
            raise ValueError(f"share={share} must be at least 1")
        self.pipeline = pipeline
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
        return f"coarse_scale_unit_i{self.sum_bits}_{self.places}_{self.scale.name}_x{self.share}{self.pipeline.tag}"

    @property
    def latency(self) -> int:
        """Cycles from a group to its sum."""
        return self._to_multiply + 1 + self.pipeline.scale + 1 + self._ring.latency

    @property
    def _to_multiply(self) -> int:
        """Cycles of conversion and product of the scales, side by side."""
        return max(self.pipeline.convert, self._scales_stages)

    @property
    def _scales_stages(self) -> int:
        """Registers inside the product of the scales, which is narrower than that with the sum."""
        return min(self.pipeline.scale, 2)

    @property
    def _ring(self) -> RingAccumulator:
        return RingAccumulator(FP32, self.share, self.pipeline.turns(self.share), self.pipeline.two_path)

    def build(self) -> Module:
        m = Module()
        number_format, product_format = (
            sum_format(self.sum_bits, self.places),
            scale_product_format(self.scale),
        )
        pipeline, first_phase = self.pipeline, self._to_multiply
        m.submodules.convert = convert = IntegerToFloat(
            self.sum_bits, True, number_format, exponent=-self.places, stages=pipeline.convert
        )
        m.submodules.multiply_scales = scales = Multiply(
            self.scale, self.scale, product_format, stages=self._scales_stages
        )
        m.submodules.multiply = multiply = Multiply(
            number_format, product_format, FP32, stages=pipeline.scale
        )
        m.submodules.accumulate = accumulate = self._ring

        number = Signal(number_format.width, reset_less=True)
        scale = Signal(product_format.width, reset_less=True)
        term = Signal(FP32.width, reset_less=True)
        # Of groups on their way to the addition.
        valids = Signal(first_phase + pipeline.scale + 2)
        firsts = Signal(len(valids), reset_less=True)
        valid = Cat(self.valid, valids)
        wait = first_phase - pipeline.convert, first_phase - self._scales_stages
        m.d.comb += [
            convert.a.eq(later(m, "sum", self.sum, wait[0])),
            scales.a.eq(later(m, "x_scale", self.x_scale, wait[1])),
            scales.b.eq(later(m, "w_scale", self.w_scale, wait[1])),
            multiply.a.eq(number),
            multiply.b.eq(scale),
            accumulate.addend.eq(term),
            accumulate.enable.eq(valids[-1]),
            accumulate.first.eq(firsts[-1]),
            self.result.eq(accumulate.sum),
        ]
        m.d.sync += [
            valids.eq(valid),
            firsts.eq(Cat(self.first, firsts)),
        ]
        with m.If(valid[first_phase]):
            m.d.sync += [number.eq(convert.result), scale.eq(scales.result)]
        with m.If(valid[first_phase + 1 + pipeline.scale]):
            m.d.sync += term.eq(multiply.result)
        return m


def sum_format(sum_bits: int, places: int) -> FloatFormat:
    """The smallest format that holds every integer sum, in units of 2**-places; beyond 24 bits as precisely as FP32."""
    fraction_bits = min(max(sum_bits - 2, 1), FP32.fraction_bits)
    exponent_bits = max(sum_bits, places + 2).bit_length() + 1
    return FloatFormat(f"sum{sum_bits}_{places}", exponent_bits, fraction_bits)


def scale_product_format(scale: FloatFormat) -> FloatFormat:
    """The format that holds the product of any two scales exactly."""
    return FloatFormat(f"{scale.name}_squared", scale.exponent_bits + 2, 2 * scale.precision - 1)
