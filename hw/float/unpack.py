"""The first step of every operation: an encoding taken apart."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib.wiring import In, Out

from sevedo.gen.config.formats import FloatFormat
from sevedo.hw.float.pipeline import float_name
from sevedo.hw.unit import Unit


class Unpack(Unit):
    """A floating-point encoding taken apart, subnormal significands left as they are.

    Timing: combinational.
    Numerics: exact; the value of a finite number is ``significand * 2**(exponent - bias - fraction_bits)``, negated
    when `negative`. A subnormal number has the exponent of the smallest normal one and a top significand bit of 0;
    a format without subnormals gives 0 for them.

    Parameters
    ----------
    format : the encoding

    Members
    -------
    encoding : In(format.width)
    negative : Out(1), the sign bit; 0 for unsigned formats
    nan, infinite, zero : Out(1), what kind of number it is; exponent and significand mean nothing for the first two
    exponent : Out(format.exponent_bits), biased exponent of the top significand bit, never 0 if the format has a zero
    significand : Out(format.precision), hidden bit included
    """

    def __init__(self, format: FloatFormat) -> None:
        self._format = format
        super().__init__(
            {
                "encoding": In(format.width),
                "negative": Out(1),
                "nan": Out(1),
                "infinite": Out(1),
                "zero": Out(1),
                "exponent": Out(format.exponent_bits),
                "significand": Out(format.precision),
            }
        )

    @property
    def module_name(self) -> str:
        return float_name("unpack", self._format)

    @property
    def latency(self) -> int:
        """Cycles from encoding to parts."""
        return 0

    def build(self) -> Module:
        m = Module()
        format = self._format
        fraction = self.encoding[: format.fraction_bits]
        exponent = self.encoding[format.fraction_bits : format.fraction_bits + format.exponent_bits]
        if format.signed:
            m.d.comb += self.negative.eq(self.encoding[-1])

        if not format.has_zero:
            m.d.comb += [self.exponent.eq(exponent), self.significand.eq(1), self.nan.eq(exponent.all())]
            return m

        normal = Signal()
        empty = Signal()
        m.d.comb += [
            normal.eq(exponent.any()),
            empty.eq(~fraction.any()),
            self.exponent.eq(Cat(exponent[0] | ~normal, exponent[1:])),
            self.significand.eq(
                Cat(fraction if format.subnormals else fraction & normal.replicate(len(fraction)), normal)
            ),
            self.zero.eq(~normal & (empty if format.subnormals else 1)),
        ]
        if not format.ieee_nan:
            m.d.comb += self.nan.eq(exponent.all() & fraction.all())
        elif not format.infinities:
            m.d.comb += self.nan.eq(exponent.all())
        else:
            m.d.comb += [self.nan.eq(exponent.all() & ~empty), self.infinite.eq(exponent.all() & empty)]
        return m
