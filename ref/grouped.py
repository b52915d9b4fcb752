"""Rows quantized in groups: how (`GroupScheme`) and what came out (`GroupedTensor`), for every scale scheme.

The exact rules are in docs/numerics.md; the sources of the schemes in gen/config/groups.py.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from sevedo.gen.config import Config, FineLevel, FloatFormat

from .rounding import encode

LEVELS = {
    "hgq": FineLevel.SHIFT,
    "vs-quant": FineLevel.INTEGER,
    "coarse": FineLevel.NONE,
    "fp-fine": FineLevel.NONE,
    "mx": FineLevel.NONE,
}
"""What the number of a fine group means in each scheme."""
_FINE_BITS = {FineLevel.NONE: (0, 0), FineLevel.SHIFT: (0, 4), FineLevel.INTEGER: (1, 8)}


@dataclass(frozen=True)
class GroupScheme:
    """How a row is quantized.

    Parameters
    ----------
    name : the scheme: a key of `LEVELS`
    code_bits : bits of a digit, two's complement, 2 to 8; at most 4 with two digits
    digits : digits of a code, 1 or 2
    level : what the number of a fine group means; the scheme decides it
    fine_bits : bits of that number: 0 without, 0 to 4 for shifts, 1 to 8 for integers
    fine : values that share a number
    coarse : values that share a scale, a multiple of `fine`
    scale : format of the scales

    Raises
    ------
    ValueError : naming the field, its value and the rule.
    """

    name: str
    code_bits: int
    digits: int
    level: FineLevel
    fine_bits: int
    fine: int
    coarse: int
    scale: FloatFormat

    def __post_init__(self) -> None:
        if self.name not in LEVELS:
            raise ValueError(f"name={self.name!r} must be one of {', '.join(LEVELS)}")
        if not 2 <= self.code_bits <= 8:
            raise ValueError(f"code_bits={self.code_bits} must be between 2 and 8")
        if self.digits not in (1, 2) or self.code_bits * self.digits > 8:
            raise ValueError(
                f"digits={self.digits} must be 1, or 2 with at most 4 bits each (code_bits={self.code_bits})"
            )
        if self.level is not LEVELS[self.name]:
            raise ValueError(
                f"level={self.level.value} of scheme {self.name} must be {LEVELS[self.name].value}"
            )
        low, high = _FINE_BITS[self.level]
        if not low <= self.fine_bits <= high:
            raise ValueError(
                f"fine_bits={self.fine_bits} of scheme {self.name} must be between {low} and {high}"
            )
        if self.fine < 1:
            raise ValueError(f"fine={self.fine} must be at least 1")
        if self.coarse < 1 or self.coarse % self.fine:
            raise ValueError(f"coarse={self.coarse} must be a positive multiple of fine={self.fine}")

    @classmethod
    def activations(cls, config: Config, digits: int = 1) -> GroupScheme:
        """The scheme of the activations of `config`."""
        return cls._of(config, config.numbers.activation_bits, digits, config.groups.activation_fine_bits)

    @classmethod
    def weights(cls, config: Config, digits: int = 1) -> GroupScheme:
        """The scheme of the weights of `config`."""
        return cls._of(config, config.numbers.weight_bits, digits, config.groups.weight_fine_bits)

    @classmethod
    def _of(cls, config: Config, code_bits: int, digits: int, fine_bits: int) -> GroupScheme:
        groups = config.groups
        return cls(
            groups.scheme,
            code_bits,
            digits,
            groups.level,
            fine_bits,
            groups.fine,
            groups.coarse,
            groups.scale_format,
        )

    @property
    def qmax(self) -> int:
        """The largest code that the quantizer emits: every digit 2^(code_bits - 1) - 1."""
        return ((1 << (self.code_bits - 1)) - 1) * (1 if self.digits == 1 else 1 + (1 << self.code_bits))

    @property
    def places(self) -> int:
        """Binary places of the fine factors."""
        return self.level.places(self.fine_bits)

    @property
    def largest_number(self) -> int:
        """The largest number of a fine group."""
        return self.level.largest(self.fine_bits)

    @property
    def plain_number(self) -> int:
        """The number of fine groups whose coarse group holds no finite scale: shift 0, integer 1."""
        return 1 if self.level is FineLevel.INTEGER else 0

    @property
    def bits_per_value(self) -> float:
        """Memory of a value, its share of the group's number and scale included."""
        return self.code_bits * self.digits + self.fine_bits / self.fine + self.scale.width / self.coarse

    def cut(self, values: Tensor) -> Tensor:
        """Rows [R, K], padded with zeros and cut: [R, coarse groups, fine groups of each, fine]."""
        rows, inputs = values.shape
        padded = torch.nn.functional.pad(values, (0, -inputs % self.coarse))
        return padded.reshape(rows, -1, self.coarse // self.fine, self.fine)

    def factors(self, numbers: Tensor) -> Tensor:
        """The exact factors of fine groups' numbers, int64, in units of 2^-`places`."""
        whole = numbers.to(torch.int64)
        match self.level:
            case FineLevel.SHIFT:
                return torch.ones_like(whole) << (self.largest_number - whole)
            case FineLevel.INTEGER:
                return whole
        return torch.ones_like(whole)


def balanced_digits(codes: Tensor, bits: int, digits: int) -> Tensor:
    """Codes in digits of -2^(bits - 1)..2^(bits - 1) - 1, int8 [digits, ...], the highest first."""
    half, found, rest = 1 << (bits - 1), [], codes.to(torch.int64)
    for _ in range(digits - 1):
        low = ((rest + half) & ((1 << bits) - 1)) - half
        found.append(low)
        rest = (rest - low) >> bits
    return torch.stack([rest, *reversed(found)]).to(torch.int8)


@dataclass(frozen=True)
class GroupedTensor:
    """Quantized rows. A value is ``code * factor * 2^-places * scale``, the factor from its fine group's number.

    Members
    -------
    codes : int8 [R, Kp], Kp = `inputs` rounded up to whole coarse groups
    fine : uint8 [R, Kp / fine], the numbers of the fine groups; [R, 0] in schemes without
    scales : float64 [R, Kp / coarse], numbers of ``scheme.scale``
    inputs : K, the values of a row
    scheme : how they were quantized
    """

    codes: Tensor
    fine: Tensor
    scales: Tensor
    inputs: int
    scheme: GroupScheme

    @property
    def rows(self) -> int:
        """R."""
        return self.codes.shape[0]

    @property
    def groups(self) -> int:
        """Coarse groups of a row."""
        return self.scales.shape[1]

    @property
    def scale_bits(self) -> Tensor:
        """The scales as encodings, int64."""
        return encode(self.scales, self.scheme.scale)

    def integers(self) -> Tensor:
        """Codes times fine factors, in units of the scale times 2^-places: int64 [R, Kp]."""
        whole = self.codes.to(torch.int64)
        if self.scheme.level is FineLevel.NONE:
            return whole
        return whole * self.scheme.factors(self.fine).repeat_interleave(self.scheme.fine, dim=1)

    def digits(self) -> Tensor:
        """The balanced digits, int8 [digits, R, Kp], the highest first: code = sum of digit * 2^(code_bits * place).

        Every digit is in -2^(code_bits - 1)..2^(code_bits - 1) - 1.
        """
        return balanced_digits(self.codes, self.scheme.code_bits, self.scheme.digits)

    def dequantize(self) -> Tensor:
        """The values, float64 [R, K], exact for finite scales."""
        scales = self.scales.repeat_interleave(self.scheme.coarse, dim=1) * 2.0**-self.scheme.places
        return (self.integers() * scales)[:, : self.inputs]
