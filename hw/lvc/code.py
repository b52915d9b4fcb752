"""From a floating-point z to its code."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib import data
from amaranth.lib.wiring import In, Out

from sevedo.gen.config import FP32
from sevedo.hw.float import FloatToInteger
from sevedo.hw.unit import Unit


class ZCode(Unit):
    """The code of a z of an integer class, in two balanced digits.

    Timing: combinational.
    Numerics (docs/numerics.md): clamp(round_half_even(z), -qmax, qmax) with qmax = (2^bits + 1)(2^(bits-1) - 1), 119
    for digits of four bits; NaN gives 0.

    Parameters
    ----------
    bits : of a digit, 2 to 4

    Members
    -------
    z : In(32), FP32
    digits : Out(ArrayLayout(signed(bits), 2)), the low one first
    """

    def __init__(self, bits: int) -> None:
        if not 2 <= bits <= 4:
            raise ValueError(f"bits={bits} must be between 2 and 4")
        self.bits = bits
        super().__init__({"z": In(FP32.width), "digits": Out(data.ArrayLayout(signed(bits), 2))})

    @property
    def module_name(self) -> str:
        return f"z_code_{self.bits}"

    def build(self) -> Module:
        m = Module()
        bits = self.bits
        largest = ((1 << bits) + 1) * ((1 << (bits - 1)) - 1)
        m.submodules.convert = convert = FloatToInteger(FP32, 2 * bits)
        m.d.comb += convert.a.eq(self.z)
        # It clamps to 2^(2 bits - 1) - 1, which is a little more.
        code = Signal(signed(2 * bits))
        m.d.comb += code.eq(convert.result)
        with m.If(convert.result > largest):
            m.d.comb += code.eq(largest)
        with m.Elif(convert.result < -largest):
            m.d.comb += code.eq(-largest)
        # A low digit of 2^(bits-1) or more stands for itself less 2^bits: the high one is one more.
        m.d.comb += [
            self.digits[0].eq(code[:bits].as_signed()),
            self.digits[1].eq(code[bits:].as_signed() + code[bits - 1]),
        ]
        return m
