"""From the integer sums of a class to its low-rank sums."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib.wiring import In, Out

from sevedo.gen.config import FP16, FP32, NO_PIPELINE, Pipeline
from sevedo.hw.float import IntegerToFloat, Multiply
from sevedo.hw.float.pipeline import later
from sevedo.hw.rmc.csu import sum_format
from sevedo.hw.unit import Unit


class ClassScaleUnit(Unit):
    """Scales the integer sum of an integer class: there is nothing to add up, and z has no scale.

    Timing: conversion, multiplication, each with a register behind and those that `pipeline` puts inside; one sum per
    cycle, no back pressure; `result` is that of
    the operands `latency` cycles before.
    Numerics (docs/numerics.md): FP32(sum * scale), one rounding: the converted sum is exact.

    Parameters
    ----------
    sum_bits : width of the integer sum, two's complement, at most 25
    pipeline : registers inside

    Members
    -------
    sum : In(signed(sum_bits))
    scale : In(16), FP16
    valid : In(1), the operands are a class's
    result : Out(32), FP32

    Raises
    ------
    ValueError : when sums could have more significant bits than FP32.
    """

    def __init__(self, sum_bits: int, pipeline: Pipeline = NO_PIPELINE) -> None:
        if not 2 <= sum_bits <= FP32.precision + 1:
            raise ValueError(f"sum_bits={sum_bits} must be between 2 and {FP32.precision + 1}")
        self.sum_bits = sum_bits
        self.pipeline = pipeline
        super().__init__(
            {
                "sum": In(signed(sum_bits)),
                "scale": In(FP16.width),
                "valid": In(1),
                "result": Out(FP32.width),
            }
        )

    @property
    def module_name(self) -> str:
        return f"class_scale_unit_i{self.sum_bits}{self.pipeline.tag}"

    @property
    def latency(self) -> int:
        """Cycles from a sum to its result."""
        return self.pipeline.convert + 1 + self.pipeline.scale + 1

    def build(self) -> Module:
        m = Module()
        number_format = sum_format(self.sum_bits, 0)
        m.submodules.convert = convert = IntegerToFloat(
            self.sum_bits, True, number_format, stages=self.pipeline.convert
        )
        m.submodules.multiply = multiply = Multiply(number_format, FP16, FP32, stages=self.pipeline.scale)
        number = Signal(number_format.width, reset_less=True)
        scale = Signal(FP16.width, reset_less=True)
        result = Signal(FP32.width, reset_less=True)
        valids = Signal(self.latency - 1)
        valid = Cat(self.valid, valids)
        m.d.comb += [
            convert.a.eq(self.sum),
            multiply.a.eq(number),
            multiply.b.eq(scale),
            self.result.eq(result),
        ]
        m.d.sync += valids.eq(valid)
        waited = later(m, "scale", self.scale, self.pipeline.convert)
        with m.If(valid[self.pipeline.convert]):
            m.d.sync += [number.eq(convert.result), scale.eq(waited)]
        with m.If(valids[-1]):
            m.d.sync += result.eq(multiply.result)
        return m
