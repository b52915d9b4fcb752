"""Any `FloatFormat` on whole tensors: rounding, and the codec between values and bits.

Values are float64 tensors, which hold every number of a format up to 53 significand bits exactly. The definitions are
`FloatFormat.encode` and `FloatFormat.decode`; the tests hold this module to them.
"""

from __future__ import annotations

import torch
from torch import Tensor

from sevedo.gen.config import BF16, FP16, FP32, FloatFormat, Rounding

_FLOAT64_BIAS = 1023
_DROPPED = (1 << 29) - 1
"""The fraction bits that float64 has and float32 has not."""


def power_of_two(exponents: Tensor) -> Tensor:
    """2^e in float64, exactly, for integer tensors with -1022 <= e <= 1023 (torch.ldexp goes through float32)."""
    return ((exponents.to(torch.int64) + _FLOAT64_BIAS) << 52).view(torch.float64)


def _require_exact(fmt: FloatFormat) -> None:
    if fmt.precision > 53 or fmt.max_exponent > 1022 or fmt.min_exponent - fmt.fraction_bits < -1022:
        raise ValueError(f"format={fmt.name} must fit float64 (53 significand bits, exponents -1022 to 1022)")


def _significands(magnitude: Tensor, fmt: FloatFormat) -> tuple[Tensor, Tensor]:
    """Finite magnitudes as (significand, exponent): significand * 2^exponent, unrounded, fraction bits below 1."""
    # Above the format's range every exponent overflows alike; clamping keeps the powers of two inside float64.
    exponent = torch.frexp(magnitude).exponent.to(torch.int64) - 1
    exponent = exponent.clamp(fmt.min_exponent, fmt.max_exponent + 1) - fmt.fraction_bits
    return magnitude * power_of_two(-exponent), exponent


def _to_odd(values: Tensor) -> Tensor:
    """Float32 of float64 values, rounded to odd where it is normal: a later rounding to FP16 is then a single one.

    Bits that are dropped leave a one in the last place that is kept, so that nothing looks like a tie that is none.
    Subnormal float32 may be off by one place: a quarter of FP16's smallest number is 2^100 times larger.
    """
    bits = values.contiguous().view(torch.int64)
    sticky = (bits & _DROPPED).add_(_DROPPED)
    return sticky.bitwise_or_(bits).bitwise_and_(~_DROPPED).view(torch.float64).to(torch.float32)


def _native(values: Tensor, fmt: FloatFormat) -> Tensor | None:
    """Values rounded to nearest even in PyTorch's own type of `fmt`, or None where that is not one exact rounding."""
    if fmt == FP32:
        return values.to(torch.float32)
    if values.dtype is torch.float32 and fmt in (FP16, BF16):
        return values.to(torch.float16 if fmt == FP16 else torch.bfloat16)
    if values.dtype is torch.float64 and fmt == FP16:
        return _to_odd(values).to(torch.float16)
    return None


def round_to(values: Tensor, fmt: FloatFormat, rounding: Rounding = Rounding.NEAREST_EVEN) -> Tensor:
    """Round every element to a number of `fmt`, once, as `FloatFormat.encode` defines it.

    Numerics: one rounding of the float64 argument; subnormals, overflow, formats without infinities, without zero or
    without sign included. Zeros keep their sign where the format has one.

    Parameters
    ----------
    values : float64, or another type whose numbers are float64's; any shape
    fmt : the format rounded to; its numbers must be float64 numbers
    rounding : the direction

    Raises
    ------
    ValueError : the format does not fit float64.
    """
    if rounding is Rounding.NEAREST_EVEN and (quick := _native(values, fmt)) is not None:
        return quick.to(torch.float64)
    return _round(values, fmt, rounding)


def _round(values: Tensor, fmt: FloatFormat, rounding: Rounding) -> Tensor:
    """As `round_to`, for every format and direction."""
    _require_exact(fmt)
    values = values.to(torch.float64)
    magnitude = values.abs()
    finite = torch.isfinite(values)
    significand, exponent = _significands(torch.where(finite, magnitude, 0.0), fmt)
    negative = torch.signbit(values)
    if rounding is Rounding.NEAREST_EVEN:
        significand = torch.round(significand)
    else:
        whole = torch.floor(significand)
        rest = significand - whole
        odd = torch.remainder(whole, 2) == 1
        half, sticky = rest >= 0.5, (rest != 0) & (rest != 0.5)
        # Bits as 0/1 integers: `increment` inverts with ``^ 1``.
        up = rounding.increment(
            negative=negative.long(), odd=odd.long(), half=half.long(), rest=sticky.long()
        )
        significand = whole + up
    result = significand * power_of_two(exponent)
    beyond = rounding.overflows_to_infinity(negative=negative.long()).bool()
    largest = float(fmt.max_finite)
    overflowed = result > largest
    result = torch.where(overflowed & ~beyond, largest, result)
    smallest = float(fmt.min_positive)
    if not fmt.has_zero:
        result = result.clamp(min=smallest)
    elif not fmt.subnormals:
        result = torch.where(result < smallest, 0.0, result)
    infinite = (overflowed & beyond) | torch.isinf(values)
    result = torch.where(infinite, torch.inf if fmt.infinities else torch.nan, result)
    invalid = torch.isnan(values)
    if fmt.signed:
        result = torch.where(negative, -result, result)
    else:
        invalid = invalid | (values < 0)
    return torch.where(invalid, torch.nan, result)


def encode(values: Tensor, fmt: FloatFormat) -> Tensor:
    """The bits (int64) of every element, rounded to nearest even; every NaN is the canonical one."""
    quick = _native(values, fmt)
    if quick is not None:
        kind = torch.int32 if fmt == FP32 else torch.int16
        bits = quick.view(kind).to(torch.int64) & ((1 << fmt.width) - 1)
        return torch.where(torch.isnan(quick), fmt.nan, bits)
    numbers = round_to(values, fmt)
    magnitude = numbers.abs()
    finite = torch.isfinite(numbers)
    significand, exponent = _significands(torch.where(finite, magnitude, 0.0), fmt)
    whole = significand.to(torch.int64)
    field = exponent + fmt.fraction_bits + fmt.bias
    normal = whole >> fmt.fraction_bits != 0
    bits = torch.where(normal, (field << fmt.fraction_bits) | (whole & ((1 << fmt.fraction_bits) - 1)), whole)
    bits = torch.where(torch.isinf(numbers), fmt.infinity(negative=False), bits)
    if fmt.signed:
        bits = bits | (torch.signbit(numbers).to(torch.int64) << (fmt.width - 1))
    return torch.where(torch.isnan(numbers), fmt.nan, bits)


def decode(bits: Tensor, fmt: FloatFormat) -> Tensor:
    """The value (float64) of every encoding.

    Raises
    ------
    ValueError : the format does not fit float64, or bits do not fit the format.
    """
    _require_exact(fmt)
    bits = bits.to(torch.int64)
    if bits.numel() and (int(bits.min()) < 0 or int(bits.max()) >> fmt.width):
        raise ValueError(
            f"bits={int(bits.min())}..{int(bits.max())} must fit the {fmt.width} bits of {fmt.name}"
        )
    fraction = bits & ((1 << fmt.fraction_bits) - 1)
    top = (1 << fmt.exponent_bits) - 1
    field = (bits >> fmt.fraction_bits) & top
    denormal = (field == 0) & fmt.has_zero
    exponent = torch.where(denormal, fmt.min_exponent, field - fmt.bias) - fmt.fraction_bits
    whole = torch.where(denormal, fraction * int(fmt.subnormals), fraction | (1 << fmt.fraction_bits))
    values = whole.to(torch.float64) * power_of_two(exponent)
    if fmt.ieee_nan:
        special = torch.where((fraction == 0) & fmt.infinities, torch.inf, torch.nan)
        values = torch.where(field == top, special, values)
    else:
        values = torch.where((field == top) & (fraction == (1 << fmt.fraction_bits) - 1), torch.nan, values)
    if fmt.signed:
        values = torch.where(bits >> (fmt.width - 1) != 0, -values, values)
    return values
