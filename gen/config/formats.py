"""Number formats and rounding modes: what every bit means, in exact rationals.

This module is the single definition that the golden model (``ref``) and the gates (``hw``) share. It imports
neither torch nor Amaranth. Sources: IEEE 754-2019 for binary16, binary32, bfloat16-style layouts and the five
rounding directions; the OCP 8-bit floating point specification 1.0 for E5M2 and E4M3; the OCP microscaling (MX)
specification 1.0 for E8M0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from typing import Any, NamedTuple


class Rounding(Enum):
    """A rounding direction: its definition on exact rationals and its one-bit decision in gates."""

    NEAREST_EVEN = "nearest-even"
    NEAREST_AWAY = "nearest-away"
    TOWARD_ZERO = "toward-zero"
    TOWARD_POSITIVE = "toward-positive"
    TOWARD_NEGATIVE = "toward-negative"

    def apply(self, value: Fraction) -> int:
        """The integer that `value` rounds to: the definition."""
        match self:
            case Rounding.NEAREST_EVEN:
                return round(value)
            case Rounding.NEAREST_AWAY:
                magnitude = math.floor(abs(value) + Fraction(1, 2))
                return -magnitude if value < 0 else magnitude
            case Rounding.TOWARD_ZERO:
                return math.trunc(value)
            case Rounding.TOWARD_POSITIVE:
                return math.ceil(value)
            case Rounding.TOWARD_NEGATIVE:
                return math.floor(value)

    def increment(self, *, negative: Any, odd: Any, half: Any, rest: Any) -> Any:
        """Whether a truncated magnitude must be incremented: the gates.

        All arguments are single bits, as Python 0/1 integers, Amaranth values or integer tensors: only ``&``, ``|``
        and ``^`` are applied to them.

        Parameters
        ----------
        negative : sign of the value
        odd : lowest kept bit of the magnitude
        half : first dropped bit
        rest : disjunction of all further dropped bits (sticky)
        """
        match self:
            case Rounding.NEAREST_EVEN:
                return half & (odd | rest)
            case Rounding.NEAREST_AWAY:
                return half
            case Rounding.TOWARD_ZERO:
                return half ^ half
            case Rounding.TOWARD_POSITIVE:
                return (half | rest) & (negative ^ 1)
            case Rounding.TOWARD_NEGATIVE:
                return (half | rest) & negative

    def overflows_to_infinity(self, *, negative: Any) -> Any:
        """Whether a magnitude beyond the largest finite number becomes infinity (IEEE 754-2019, 7.4)."""
        match self:
            case Rounding.NEAREST_EVEN | Rounding.NEAREST_AWAY:
                return (negative ^ negative) ^ 1
            case Rounding.TOWARD_ZERO:
                return negative ^ negative
            case Rounding.TOWARD_POSITIVE:
                return negative ^ 1
            case Rounding.TOWARD_NEGATIVE:
                return negative


class Kind(Enum):
    """What a floating-point encoding stands for."""

    FINITE = "finite"
    INFINITE = "infinite"
    NAN = "nan"


class Number(NamedTuple):
    """The exact meaning of an encoding. `magnitude` is meaningful for finite numbers only; zero keeps its sign."""

    kind: Kind
    negative: bool
    magnitude: Fraction

    @property
    def value(self) -> Fraction:
        """The signed value of a finite number."""
        if self.kind is not Kind.FINITE:
            raise ValueError(f"a number of kind {self.kind.value} has no rational value")
        return -self.magnitude if self.negative else self.magnitude


@dataclass(frozen=True)
class FloatFormat:
    """A binary floating-point format.

    Parameters
    ----------
    name : the name users write, such as ``fp16``
    exponent_bits : width of the exponent field
    fraction_bits : width of the fraction field (the significand has one bit more)
    signed : whether there is a sign bit
    infinities : whether infinities can be encoded; when not, they and all overflows become NaN
    subnormals : whether numbers below the smallest normal are kept; when not, they are zero both read and written
    ieee_nan : NaN is an all-ones exponent with a non-zero fraction (infinity: zero fraction). Otherwise the only
        NaN is the all-ones encoding and all other all-ones exponents are ordinary numbers (E4M3, E8M0).

    A format without fraction bits and without subnormals has no zero (E8M0): its smallest encoding is its smallest
    number.

    Raises
    ------
    ValueError : naming the field, its value and the rule.
    """

    name: str
    exponent_bits: int
    fraction_bits: int
    signed: bool = True
    infinities: bool = True
    subnormals: bool = True
    ieee_nan: bool = True

    def __post_init__(self) -> None:
        if not 2 <= self.exponent_bits <= 15:
            raise ValueError(
                f"exponent_bits={self.exponent_bits} of format {self.name} must be between 2 and 15"
            )
        if not 0 <= self.fraction_bits <= 112:
            raise ValueError(
                f"fraction_bits={self.fraction_bits} of format {self.name} must be between 0 and 112"
            )
        if self.infinities and not self.ieee_nan:
            raise ValueError(f"infinities={self.infinities} of format {self.name} needs ieee_nan=True")
        if self.ieee_nan and self.fraction_bits == 0:
            raise ValueError(f"fraction_bits=0 of format {self.name} leaves no encoding for an IEEE NaN")
        if self.subnormals and self.fraction_bits == 0:
            raise ValueError(f"subnormals=True of format {self.name} needs fraction_bits of at least 1")

    # -- parameters -------------------------------------------------------------------------------------------

    @property
    def width(self) -> int:
        """Bits of an encoding."""
        return int(self.signed) + self.exponent_bits + self.fraction_bits

    @property
    def precision(self) -> int:
        """Bits of the significand, the hidden bit included."""
        return self.fraction_bits + 1

    @property
    def bias(self) -> int:
        """Exponent bias."""
        return (1 << (self.exponent_bits - 1)) - 1

    @property
    def has_zero(self) -> bool:
        """Whether zero can be encoded."""
        return self.fraction_bits > 0

    @property
    def min_exponent(self) -> int:
        """Exponent of the smallest normal number (of its leading bit)."""
        return (1 if self.has_zero else 0) - self.bias

    @property
    def max_exponent(self) -> int:
        """Exponent of the largest finite number (of its leading bit)."""
        top = (1 << self.exponent_bits) - 1 - self.bias
        return top - 1 if self.ieee_nan or self.fraction_bits == 0 else top

    @property
    def max_finite(self) -> Fraction:
        """The largest finite number."""
        significand = (1 << self.precision) - 1
        if not self.ieee_nan and self.fraction_bits > 0:
            significand -= 1  # the all-ones encoding is NaN
        return self._scaled(significand, self.max_exponent - self.fraction_bits)

    @property
    def min_positive(self) -> Fraction:
        """The smallest positive number."""
        return self._scaled(1, self.min_exponent - (self.fraction_bits if self.subnormals else 0))

    @property
    def one(self) -> int:
        """The encoding of 1."""
        return self.bias << self.fraction_bits

    @property
    def nan(self) -> int:
        """The canonical quiet NaN: sign 0, only the top fraction bit set (IEEE); all ones otherwise."""
        if self.ieee_nan:
            return (((1 << self.exponent_bits) - 1) << self.fraction_bits) | (1 << (self.fraction_bits - 1))
        return (1 << (self.exponent_bits + self.fraction_bits)) - 1

    def infinity(self, negative: bool) -> int:
        """The encoding of an infinity; the canonical NaN where the format has none."""
        if not self.infinities:
            return self.nan
        return self._sign(negative) | (((1 << self.exponent_bits) - 1) << self.fraction_bits)

    @staticmethod
    def _scaled(significand: int, exponent: int) -> Fraction:
        return Fraction(significand) * (Fraction(2) ** exponent)

    def _sign(self, negative: bool) -> int:
        return int(negative and self.signed) << (self.exponent_bits + self.fraction_bits)

    # -- meaning ----------------------------------------------------------------------------------------------

    def decode(self, bits: int) -> Number:
        """The exact meaning of an encoding."""
        if not 0 <= bits < 1 << self.width:
            raise ValueError(f"bits={bits} do not fit the {self.width} bits of {self.name}")
        fraction = bits & ((1 << self.fraction_bits) - 1)
        exponent = (bits >> self.fraction_bits) & ((1 << self.exponent_bits) - 1)
        negative = self.signed and bool(bits >> (self.exponent_bits + self.fraction_bits))
        all_ones = exponent == (1 << self.exponent_bits) - 1
        if self.ieee_nan and all_ones:
            if fraction or not self.infinities:
                return Number(Kind.NAN, False, Fraction(0))
            return Number(Kind.INFINITE, negative, Fraction(0))
        if not self.ieee_nan and all_ones and fraction == (1 << self.fraction_bits) - 1:
            return Number(Kind.NAN, False, Fraction(0))
        if exponent == 0 and self.has_zero:
            if not self.subnormals:
                fraction = 0
            return Number(
                Kind.FINITE, negative, self._scaled(fraction, self.min_exponent - self.fraction_bits)
            )
        significand = (1 << self.fraction_bits) | fraction
        return Number(
            Kind.FINITE, negative, self._scaled(significand, exponent - self.bias - self.fraction_bits)
        )

    def encode(self, number: Number, rounding: Rounding = Rounding.NEAREST_EVEN) -> int:
        """The encoding of an exact number, rounded once.

        Overflow follows `rounding` (IEEE 754-2019, 7.4); a format without infinities turns it into NaN. A format
        without subnormals rounds as if it had them and then replaces a result below the smallest normal by a zero of
        the same sign. An unsigned format turns negative non-zero numbers into NaN. A format without zero (E8M0)
        encodes everything that rounds below its smallest number as its smallest number.
        """
        if number.kind is Kind.NAN:
            return self.nan
        if number.negative and not self.signed and (number.kind is Kind.INFINITE or number.magnitude):
            return self.nan
        sign = self._sign(number.negative)
        if number.kind is Kind.INFINITE:
            return self.infinity(number.negative)
        if number.magnitude == 0:
            return sign
        exponent = max(floor_log2(number.magnitude), self.min_exponent)
        step = Fraction(2) ** (exponent - self.fraction_bits)
        scaled = number.magnitude / step
        significand = abs(rounding.apply(-scaled if number.negative else scaled))
        if significand * step > self.max_finite:
            if rounding.overflows_to_infinity(negative=int(number.negative)):
                return self.infinity(number.negative)
            return self.encode(Number(Kind.FINITE, number.negative, self.max_finite), rounding)
        if significand >> self.precision:
            significand, exponent = significand >> 1, exponent + 1
        if significand >> self.fraction_bits == 0:  # below the smallest normal
            return sign | (significand if self.subnormals else 0)
        field = exponent + self.bias
        return sign | (field << self.fraction_bits) | (significand & ((1 << self.fraction_bits) - 1))


def floor_log2(value: Fraction) -> int:
    """The exponent of the leading bit of a positive rational."""
    exponent = value.numerator.bit_length() - value.denominator.bit_length()
    return exponent if Fraction(2) ** exponent <= value else exponent - 1


FP16 = FloatFormat("fp16", 5, 10)
BF16 = FloatFormat("bf16", 8, 7)
FP32 = FloatFormat("fp32", 8, 23)
E5M2 = FloatFormat("e5m2", 5, 2)
E4M3 = FloatFormat("e4m3", 4, 3, infinities=False, ieee_nan=False)
E8M0 = FloatFormat("e8m0", 8, 0, signed=False, infinities=False, subnormals=False, ieee_nan=False)

FLOAT_FORMATS: dict[str, FloatFormat] = {f.name: f for f in (FP16, BF16, FP32, E5M2, E4M3, E8M0)}
"""The named formats."""
