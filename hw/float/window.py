"""Where an exact number is put before it is rounded."""

from __future__ import annotations

from amaranth.hdl import *

from sevedo.gen.config.formats import FloatFormat


class Window:
    """The fixed-point word in which a number of any exponent reaches `Round` without a right shift.

    A number whose top bit may lie below the smallest normal exponent gets zeros above it. Past ``precision + 1``
    zeros all its bits are below half of the smallest subnormal, so that only their disjunction counts and the
    exponent may as well stop at that of the smallest normal number.

    Parameters
    ----------
    format : the result
    bits : width of the number
    lowest, highest : range of the exponent of its top bit
    """

    def __init__(self, format: FloatFormat, bits: int, lowest: int, highest: int) -> None:
        # exponents are counted from 1 for the smallest normal number
        self._bias = 1 - format.min_exponent
        below = max(0, format.min_exponent - lowest)
        self.zeros = min(below, format.precision + 1)
        self.width = bits + self.zeros
        self._stops = below > self.zeros
        self.exponent_bits = max(highest + self.zeros + self._bias, 1).bit_length()
        self.subnormal = lowest - (bits - 1) < format.min_exponent
        self.overflow = highest >= format.max_exponent

    def exponent(self, m: Module, value: Value, offset: int) -> Value:
        """The exponent of the window's top bit, that of the number's top bit being ``value - offset``."""
        offset -= self._bias + self.zeros
        field = Signal(self.exponent_bits)
        sum_ = Signal(signed(max(len(value), self.exponent_bits, abs(offset).bit_length()) + 2))
        m.d.comb += [sum_.eq(value - offset), field.eq(sum_)]
        if self._stops:
            with m.If(sum_ < 1):
                m.d.comb += field.eq(1)
        return field
