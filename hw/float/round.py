"""The last step of every operation: an exact number normalised, rounded and encoded. There is no other rounder."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib.wiring import In, Out

from sevedo.gen.config.formats import FloatFormat, Kind, Number, Rounding
from sevedo.hw.float.normalise import leading_zeros, shift_left
from sevedo.hw.float.pipeline import check_stages, float_name, held
from sevedo.hw.unit import Unit


class Round(Unit):
    """An exact number normalised, rounded once and encoded.

    The number is `magnitude`, in fixed point, plus one unit of its lowest bit if `more`, plus something positive below
    its lowest bit if `rest` (never both). Whoever feeds this unit chooses the position of the top bit such that no
    right shift is ever needed: its exponent is at least that of the smallest normal number.

    Timing: `stages` cycles, one result per cycle. The cut is between normalising and rounding.
    Numerics: as `FloatFormat.encode` in direction `rounding`.

    Parameters
    ----------
    format : the result
    width : bits of the magnitude
    exponent_bits : bits of `exponent`
    rounding : direction
    stages : 0 or 1
    subnormal : whether the number, when not zero, can be below the smallest normal one
    overflow : whether it can, when rounded, be beyond the largest
    gated : whether the register inside moves in cycles with `enable` alone

    Members
    -------
    negative : In(1), sign
    zero_negative : In(1), sign when the number is zero
    nan, infinite : In(1), the result whatever the rest says; `nan` wins
    exponent : In(exponent_bits), exponent of the top bit of `magnitude`, counted from 1 for the smallest normal number
        of `format` (the biased exponent, in a format that has a zero)
    magnitude : In(width)
    more, rest : In(1)
    enable : In(1), when gated
    result : Out(format.width)

    Raises
    ------
    ValueError : stages out of range.
    """

    def __init__(
        self,
        format: FloatFormat,
        width: int,
        exponent_bits: int,
        rounding: Rounding = Rounding.NEAREST_EVEN,
        stages: int = 0,
        subnormal: bool = True,
        overflow: bool = True,
        gated: bool = False,
    ) -> None:
        check_stages(stages, 1)
        self._format, self._width, self._rounding, self._stages = format, width, rounding, stages
        self._gated = gated
        self._exponent_bits, self._subnormal, self._overflow = exponent_bits, subnormal, overflow
        super().__init__(
            {
                "negative": In(1),
                "zero_negative": In(1),
                "nan": In(1),
                "infinite": In(1),
                "exponent": In(exponent_bits),
                "magnitude": In(width),
                "more": In(1),
                "rest": In(1),
                "result": Out(format.width),
            }
            | ({"enable": In(1)} if gated else {})
        )

    @property
    def module_name(self) -> str:
        sizes = f"{self._width}_{self._exponent_bits}"
        range_ = ("" if self._subnormal else "_normal") + ("" if self._overflow else "_bounded")
        return float_name(
            "round",
            self._format,
            sizes + range_,
            rounding=self._rounding,
            stages=self._stages,
            gated=self._gated,
        )

    @property
    def latency(self) -> int:
        """Cycles from number to encoding."""
        return self._stages

    def build(self) -> Module:
        m = Module()
        # A zero above makes counts start at 1, as exponents do: their difference is then the exponent less one, and
        # the hidden bit, added to it, makes the exponent field. Below the smallest normal number the shift stops at
        # the exponent. `more` is an endless row of ones below the magnitude.
        word = Cat(self.more, self.magnitude, Const(0, 1))
        count = leading_zeros(m, word)
        size = max(self._exponent_bits, len(count))
        difference = Signal(size + 1)
        amount = Signal(len(count))
        m.d.comb += difference.eq(self.exponent - count)
        if self._subnormal:
            m.d.comb += amount.eq(Mux(difference[-1], self.exponent, count))
        else:
            m.d.comb += amount.eq(count)
        kept, some, every = shift_left(m, word, amount, self._format.precision + 1, self.more)
        zero = ~(self.magnitude.any() | self.more | self.rest)
        negative = Mux(zero & ~self.infinite, self.zero_negative, self.negative)
        self._encode(
            m,
            *held(
                m,
                self._stages > 0,
                kept,
                some | self.rest,
                every & self.more,
                difference[:size],
                negative,
                self.nan,
                self.infinite,
                enable=self.enable if self._gated else None,
            ),
        )
        return m

    def _encode(
        self,
        m: Module,
        kept: Value,
        some: Value,
        every: Value,
        less_one: Value,
        negative: Value,
        nan: Value,
        infinite: Value,
    ) -> None:
        """Round, and join the fields. `every` is only set when the row of ones reaches up to the half bit."""
        format = self._format
        hidden, fraction, half = kept[-1], kept[1:-1], kept[0]
        carry = Signal()
        increment = Signal()
        m.d.comb += increment.eq(
            (every & half)
            | self._rounding.increment(negative=negative, odd=kept[1], half=half ^ every, rest=some & ~every)
        )
        field = less_one & hidden.replicate(len(less_one))
        low = Signal(format.fraction_bits + 1)
        high = Signal(max(len(field), format.exponent_bits) + 1)
        if format.has_zero:
            m.d.comb += [
                Cat(low[:-1], carry).eq(fraction + increment),
                high.eq((Cat(Const(1, 1), field) + Cat(carry, hidden))[1:]),
            ]
        else:  # what is below the smallest number becomes the smallest number, rounded up or not
            m.d.comb += high.eq(field + (increment & hidden))
        encoding = Cat(low[:-1], high)

        body = format.fraction_bits + format.exponent_bits
        largest = format.encode(Number(Kind.FINITE, False, format.max_finite))
        to_infinity: Value = infinite
        encoded = Signal(body)
        m.d.comb += encoded.eq(encoding)
        if format.has_zero and not format.subnormals:
            with m.If(~high.any()):
                m.d.comb += encoded.eq(0)
        if self._overflow:
            overflow = Signal()
            m.d.comb += overflow.eq(
                high[: format.exponent_bits].all() | high[format.exponent_bits :].any()
                if format.ieee_nan
                else encoding > largest
            )
            with m.If(overflow):
                m.d.comb += encoded.eq(largest)
            to_infinity = infinite | (overflow & self._rounding.overflows_to_infinity(negative=negative))
        invalid: Value = nan
        if format.infinities:
            with m.If(to_infinity):
                m.d.comb += encoded.eq(format.infinity(False))
        else:
            invalid = invalid | to_infinity
        if not format.signed:
            invalid = invalid | (negative & (infinite | kept.any() | some))
        with m.If(invalid):
            m.d.comb += encoded.eq(format.nan)
        m.d.comb += self.result.eq(Cat(encoded, negative & ~invalid) if format.signed else encoded)
