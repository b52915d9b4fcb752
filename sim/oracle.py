"""Exact results of floating-point operations, millions at a time, without bit tricks shared with the gates.

Every number of a format with at most 24 bits of precision and 8 of exponent is a float64, and so is every product of
two. A sum need not be: it is rounded to float64 *to odd* (the error term of Knuth's TwoSum, which is exact, decides),
which keeps on which side of every number and tie of the small format it lies, since 53 >= 24 + 2 (Boldo and Melquiond,
"Emulation of FMA and correctly rounded sums", IEEE Trans. Computers 2008). `encode` then rounds that once, in any
direction. The definition these functions are tested against is `FloatFormat`, in rationals.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sevedo.gen.config.formats import FloatFormat, Rounding

Encodings = NDArray[np.uint64]
Floats = NDArray[np.float64]


def decode(format: FloatFormat, bits: Encodings) -> Floats:
    """The numbers that encodings stand for, exactly; NaN and infinities as such, zeros with their sign."""
    _check(format)
    bits = np.asarray(bits).astype(np.uint64)
    fraction = (bits & np.uint64((1 << format.fraction_bits) - 1)).astype(np.float64)
    field = ((bits >> np.uint64(format.fraction_bits)) & np.uint64((1 << format.exponent_bits) - 1)).astype(
        np.int32
    )
    top = (1 << format.exponent_bits) - 1
    hidden = 1 << format.fraction_bits
    if format.has_zero:
        small = fraction if format.subnormals else np.zeros_like(fraction)
        significand = np.where(field > 0, fraction + hidden, small)
        exponent = np.maximum(field, 1)
    else:
        significand, exponent = fraction + hidden, field
    values = np.ldexp(significand, exponent - np.int32(format.bias + format.fraction_bits))
    if format.ieee_nan:
        special = np.where((fraction == 0) & format.infinities, np.inf, np.nan)
        values = np.where(field == top, special, values)
    else:
        values = np.where((field == top) & (fraction == hidden - 1), np.nan, values)
    if format.signed:
        values = np.where(bits >> np.uint64(format.width - 1) == 1, -values, values)
    return values


def encode(format: FloatFormat, values: Floats, rounding: Rounding = Rounding.NEAREST_EVEN) -> Encodings:
    """The encodings of float64 numbers, rounded once; as `FloatFormat.encode`."""
    _check(format)
    size = np.abs(values)
    finite = np.isfinite(size)
    size = np.where(finite, size, 0)
    negative = np.signbit(values)
    exponent = np.maximum(np.frexp(size)[1] - 1, format.min_exponent)
    exponent = np.where(size == 0, format.min_exponent, exponent).astype(np.int32)
    scaled = np.ldexp(size, format.fraction_bits - exponent)
    whole = np.floor(scaled)
    part = scaled - whole
    match rounding:
        case Rounding.NEAREST_EVEN:
            whole = np.rint(scaled)
        case Rounding.NEAREST_AWAY:
            whole = whole + (part >= 0.5)
        case Rounding.TOWARD_POSITIVE:
            whole = whole + ((part > 0) & ~negative)
        case Rounding.TOWARD_NEGATIVE:
            whole = whole + ((part > 0) & negative)
    limit = float(format.max_finite)
    over = np.ldexp(whole, exponent - format.fraction_bits) > limit
    infinite = np.isinf(values)
    match rounding:
        case Rounding.NEAREST_EVEN | Rounding.NEAREST_AWAY:
            infinite = infinite | over
        case Rounding.TOWARD_POSITIVE:
            infinite = infinite | (over & ~negative)
        case Rounding.TOWARD_NEGATIVE:
            infinite = infinite | (over & negative)
    largest_exponent = int(np.frexp(limit)[1]) - 1
    exponent = np.where(over, largest_exponent, exponent)
    whole = np.where(over, np.ldexp(limit, format.fraction_bits - largest_exponent), whole).astype(np.int64)

    carried = whole >> format.precision > 0
    whole = np.where(carried, whole >> 1, whole)
    exponent = exponent + carried
    hidden = 1 << format.fraction_bits
    low = whole if format.subnormals else np.zeros_like(whole)
    body = np.where(
        whole < hidden,
        low,
        ((exponent.astype(np.int64) + format.bias) << format.fraction_bits) | (whole & (hidden - 1)),
    )
    body = np.where(infinite, format.infinity(False), body)
    invalid = np.isnan(values)
    if not format.infinities:
        invalid = invalid | infinite
    if format.signed:
        body = body | (negative.astype(np.int64) << (format.width - 1))
    else:
        invalid = invalid | (negative & (values != 0))
    return np.where(invalid, format.nan, body).astype(np.uint64)


def add(a: Floats, b: Floats, rounding: Rounding = Rounding.NEAREST_EVEN) -> Floats:
    """Sums, rounded to odd; zeros of operands with unequal signs get the sign that `rounding` gives them."""
    with np.errstate(all="ignore"):
        total = a + b
        shadow = total - a
        error = (a - (total - shadow)) + (b - shadow)
        inexact = np.isfinite(total) & (error != 0)
        even = total.view(np.uint64) & np.uint64(1) == 0
        total = np.where(inexact & even, np.nextafter(total, np.where(error > 0, np.inf, -np.inf)), total)
    if rounding is Rounding.TOWARD_NEGATIVE:
        total = np.where((total == 0) & (np.signbit(a) != np.signbit(b)), -0.0, total)
    return total


def multiply(a: Floats, b: Floats) -> Floats:
    """Products, exact."""
    with np.errstate(all="ignore"):
        return a * b


def fused_multiply_add(a: Floats, b: Floats, c: Floats, rounding: Rounding = Rounding.NEAREST_EVEN) -> Floats:
    """Products plus addends, rounded to odd."""
    return add(multiply(a, b), c, rounding)


def to_integer(
    values: Floats, code_bits: int, rounding: Rounding = Rounding.NEAREST_EVEN
) -> NDArray[np.int64]:
    """Codes: rounded once, clamped to the symmetric range, NaN as 0."""
    largest = (1 << (code_bits - 1)) - 1
    values = np.clip(np.where(np.isnan(values), 0, values), -(largest + 1), largest + 1)  # keeps the rounding
    match rounding:
        case Rounding.NEAREST_EVEN:
            whole = np.rint(values)
        case Rounding.NEAREST_AWAY:
            size = np.abs(values)
            whole = np.copysign(np.floor(size) + (size - np.floor(size) >= 0.5), values)
        case Rounding.TOWARD_ZERO:
            whole = np.trunc(values)
        case Rounding.TOWARD_POSITIVE:
            whole = np.ceil(values)
        case Rounding.TOWARD_NEGATIVE:
            whole = np.floor(values)
    return np.clip(whole, -largest, largest).astype(np.int64)


def _check(format: FloatFormat) -> None:
    if format.precision > 24 or format.exponent_bits > 8:
        raise ValueError(f"format={format.name} must have at most 24 bits of precision and 8 of exponent")
