"""How activations are quantized, as the hardware needs it: formats, limits and the sizes that follow."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sevedo.gen.config import Config, FineLevel, FloatFormat
from sevedo.gen.config.design import ConfigError


@dataclass(frozen=True)
class ActivationRule:
    """Quantization of activations (docs/numerics.md) and the sizes of what computes it.

    Numbers are compared as integers: x is ``X * 2^(e - p + 1)`` and a scale ``M * 2^(E - p + 1)``, with significands of
    `precision` = p bits. The step is S * 2^-k, or s * S; with d = e - E + k, ``A = X * 2^(d + 1)`` is |x| in units of
    which half a step has M' = M, or s M. The code is c or more where A exceeds (2 c - 1) M', or equals it for even c.

    Parameters
    ----------
    data, scale : formats of the activations, of the scales
    digit_bits, digits : of a code
    divisor : the scale of a group is its maximum over this
    shift_bits, integer_bits : of the number of a fine group, k or s; 0 without
    """

    data: FloatFormat
    scale: FloatFormat
    digit_bits: int
    digits: int
    divisor: int
    shift_bits: int
    integer_bits: int = 0

    @classmethod
    def of(cls, config: Config, digits: int = 1) -> ActivationRule:
        """The rule of a configuration, for codes of one digit or two.

        Raises
        ------
        ConfigError : a size that the quantizer does not have.
        """
        groups, bits = config.groups, config.numbers.activation_bits
        if digits not in (1, 2):
            raise ConfigError(f"digits={digits} must be 1 or 2")
        if digits * bits > 8:
            raise ConfigError(f"numbers.activation_bits={bits} must be at most 4 for codes of two digits")
        fine_bits = groups.activation_fine_bits
        shift_bits = fine_bits if groups.level is FineLevel.SHIFT else 0
        integer_bits = fine_bits if groups.level is FineLevel.INTEGER else 0
        plain = cls(
            config.numbers.data_format, groups.scale_format, bits, digits, 1, shift_bits, integer_bits
        )
        return replace(plain, divisor=plain.limit if groups.scheme == "mx" else plain.largest_steps)

    @property
    def name(self) -> str:
        """Part of module names, distinct for distinct rules."""
        size = f"{self.digit_bits}" + (f"x{self.digits}" if self.digits > 1 else "")
        return (
            f"{self.data.name}_{self.scale.name}_{size}_{self.divisor}_{self.shift_bits}_{self.integer_bits}"
        )

    @property
    def qmax(self) -> int:
        """The largest code."""
        return ((1 << (self.digit_bits - 1)) - 1) * (1 if self.digits == 1 else 1 + (1 << self.digit_bits))

    @property
    def limit(self) -> int:
        """What a fine group's maximum may reach, in steps, before its step doubles."""
        return self.qmax + (2 if self.digits == 1 else 1)

    @property
    def largest_shift(self) -> int:
        """K."""
        return (1 << self.shift_bits) - 1

    @property
    def number_bits(self) -> int:
        """Bits of the number of a fine group, 0 without."""
        return self.shift_bits + self.integer_bits

    @property
    def largest_integer(self) -> int:
        """The largest s; 1 without."""
        return max(1, (1 << self.integer_bits) - 1)

    @property
    def largest_steps(self) -> int:
        """What a maximum is in units of its scale, but for rounding."""
        return self.qmax * self.largest_integer

    @property
    def peak_bits(self) -> int:
        """Bits of a magnitude: an encoding without its sign. They order as the numbers do, NaN above infinity."""
        return self.data.exponent_bits + self.data.fraction_bits

    @property
    def precision(self) -> int:
        """Bits of the significands X and M.

        Enough for 2^(p - 1), the X of an infinity, to exceed the largest threshold of a step with M = 1.
        """
        return max(self.data.precision, self.scale.precision, (2 * self.qmax).bit_length() + 1)

    @property
    def step_bits(self) -> int:
        """Bits of M'."""
        return self.precision + self.integer_bits

    @property
    def normalises(self) -> bool:
        """Whether M of a subnormal scale is normalised.

        Where the scale's smallest normal number is not above the data's, a subnormal M has d >= 0 and A is an integer
        as it is. (With a normal M, d <= -2 means less than half a step: code 0.)
        """
        return self.scale.has_zero and self.data.min_exponent < self.scale.min_exponent

    @property
    def lowest_exponent(self) -> int:
        """The least E."""
        return self.scale.min_exponent - (self.scale.fraction_bits if self.normalises else 0)

    @property
    def most_left(self) -> int:
        """The largest d + 1 of a number that is not 0, its group's scale being finite and not 0.

        It is at most 2 `largest_steps` of S, which bounds d where X is normal. Where not, e is the least; and X >= 1.
        """
        subnormal = self.data.min_exponent - self.lowest_exponent + self.largest_shift
        most = (2 * self.largest_steps).bit_length()
        return max(most, min(subnormal, most - 1 + self.precision)) + 1

    @property
    def distance_bits(self) -> int:
        """Bits of A. A maximum is at most `limit` steps, or `largest_steps` (S + half a unit in its last place)."""
        unit = 1 << (self.precision - self.scale.precision)
        largest = (1 << self.precision) - unit
        most = max(2 * self.limit * largest, self.largest_steps * (2 * largest + unit))
        if self.normalises:  # M = 2^(p - 1) may stand for a scale that was rounded from 3/2 of it
            most = max(most, 3 * self.largest_steps << (self.precision - 1))
        return most.bit_length()

    @property
    def exponent_bits(self) -> int:
        """Bits of a step's exponent, two's complement: `ActivationStep` explains it."""
        highest = max(self.scale.max_exponent + self.data.bias, 1 << self.data.exponent_bits)
        lowest = self.lowest_exponent + self.data.bias - self.largest_shift - 1
        return max(highest.bit_length(), (-lowest).bit_length() if lowest < 0 else 0) + 1
