"""The last step of every operation: an exact number normalised, rounded and encoded. There is no other rounder."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib.wiring import In, Out

from sevedo.gen.config.formats import FloatFormat, Kind, Number, Rounding
from sevedo.hw.float.pipeline import check_stages, float_name, held
from sevedo.hw.unit import Unit


class Round(Unit):
    """An exact number normalised, rounded once and encoded.

    The number is ``magnitude`` (fixed point, its top bit having the given exponent) plus, if `rest`, something
    positive below its lowest bit. Whoever feeds this unit chooses the position of the top bit such that no right
    shift is ever needed: its exponent is at least that of the smallest normal number.

    Timing: `stages` cycles, one result per cycle. The cut is between normalising and rounding.
    Numerics: as `FloatFormat.encode` in direction `rounding`.

    Parameters
    ----------
    format : the result
    width : bits of the magnitude
    exponent_bits : bits of `exponent`
    rounding : direction
    stages : 0 or 1

    Members
    -------
    negative : In(1), sign, that of a zero result included
    nan, infinite : In(1), the result whatever the rest says; `nan` wins
    exponent : In(exponent_bits), biased exponent (of `format`) of the top bit of `magnitude`, at least that of the
        smallest normal number
    magnitude : In(width)
    rest : In(1)
    result : Out(format.width)

    Raises
    ------
    ValueError : stages out of range.
    """

    def __init__(self, format: FloatFormat, width: int, exponent_bits: int,
                 rounding: Rounding = Rounding.NEAREST_EVEN, stages: int = 0) -> None:
        check_stages(stages, 1)
        self._format, self._width, self._rounding, self._stages = format, width, rounding, stages
        self._exponent_bits = exponent_bits
        super().__init__({
            "negative": In(1),
            "nan": In(1),
            "infinite": In(1),
            "exponent": In(exponent_bits),
            "magnitude": In(width),
            "rest": In(1),
            "result": Out(format.width),
        })

    @property
    def module_name(self) -> str:
        return float_name("round", f"{self._width}_{self._exponent_bits}", self._format, rounding=self._rounding,
                          stages=self._stages)

    @property
    def latency(self) -> int:
        """Cycles from number to encoding."""
        return self._stages

    def build(self) -> Module:
        m = Module()
        format, precision = self._format, self._format.precision
        width = max(self._width, precision + 2)
        magnitude = Cat(Const(0, width - self._width), self.magnitude)

        # Normalise, but not below the smallest normal number: a marker at its place stops the count of zeros.
        limit = Signal(self._exponent_bits)
        marked = Signal(width)
        count = leading_zeros(m, marked)
        shifted = Signal(width)
        biased = Signal(self._exponent_bits)
        m.d.comb += [
            limit.eq(self.exponent - int(format.has_zero)),
            marked.eq(magnitude | (Const(1 << (width - 1), width) >> limit)),
            shifted.eq(magnitude << count),
            biased.eq(self.exponent - count),
        ]
        shifted_, biased_, negative, nan, infinite, rest = held(
            m, self._stages > 0, shifted, biased, self.negative, self.nan, self.infinite, self.rest)

        kept = shifted_[width - precision:]
        hidden = kept[-1]
        increment = Signal()
        m.d.comb += increment.eq(self._rounding.increment(
            negative=negative, odd=kept[0], half=shifted_[width - precision - 1],
            rest=shifted_[:width - precision - 1].any() | rest))
        field = biased_ & hidden.replicate(self._exponent_bits)
        body = format.fraction_bits + format.exponent_bits
        joined = Signal(max(body, format.fraction_bits + self._exponent_bits) + 1)
        if format.has_zero:
            m.d.comb += joined.eq(Cat(kept[:-1], field) + increment)
        else:  # what is below the smallest number becomes the smallest number, rounded up or not
            m.d.comb += joined.eq(field + (increment & hidden))

        largest = format.encode(Number(Kind.FINITE, False, format.max_finite))
        overflow = Signal()
        encoded = Signal(body)
        m.d.comb += [overflow.eq(joined > largest), encoded.eq(joined)]
        if format.has_zero and not format.subnormals:
            with m.If(~joined[format.fraction_bits:].any()):
                m.d.comb += encoded.eq(0)
        with m.If(overflow):
            m.d.comb += encoded.eq(largest)
        with m.If(infinite | (overflow & self._rounding.overflows_to_infinity(negative=negative))):
            m.d.comb += encoded.eq(format.infinity(False))
        invalid = Signal()
        m.d.comb += invalid.eq(nan)
        sign = negative
        if not format.infinities:
            # infinities, too, are the NaN, which has no sign
            invalid = invalid | infinite | (overflow & self._rounding.overflows_to_infinity(negative=negative))
        if not format.signed:
            invalid = invalid | (negative & (infinite | shifted_.any() | rest))
        with m.If(invalid):
            m.d.comb += encoded.eq(format.nan)
        m.d.comb += self.result.eq(Cat(encoded, sign & ~invalid) if format.signed else encoded)
        return m


def leading_zeros(m: Module, value: Value) -> Value:
    """How many zeros `value` has above its highest one; anything at least that of a one in bit 0 if it has none."""
    if len(value) == 1:
        return Const(0, 1)
    low_width = 1 << ((len(value) - 1).bit_length() - 1)  # a power of two, so that counts join without an adder
    # Zeros below make the lower half that wide; they are not counted, since a one above stops the count.
    padded = Cat(Const(0, 2 * low_width - len(value)), value)
    high, low = padded[low_width:], padded[:low_width]
    count = Signal(range(2 * low_width))
    empty = ~high.any()
    lower = Mux(empty, leading_zeros(m, low), leading_zeros(m, high)) if low_width > 1 else Const(0, 0)
    m.d.comb += count.eq(Cat(lower, empty))
    return count
