"""Number formats and rounding modes against independent definitions: NumPy, ml_dtypes, IEEE 754 by hand."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest

from sevedo.gen.config import (
    BF16,
    E4M3,
    E5M2,
    E8M0,
    FLOAT_FORMATS,
    FP16,
    FP32,
    FloatFormat,
    Kind,
    Number,
    Rounding,
)

DTYPES = {
    "fp16": np.dtype(np.float16),
    "bf16": np.dtype(ml_dtypes.bfloat16),
    "fp32": np.dtype(np.float32),
    "e5m2": np.dtype(ml_dtypes.float8_e5m2),
    "e4m3": np.dtype(ml_dtypes.float8_e4m3fn),
    "e8m0": np.dtype(ml_dtypes.float8_e8m0fnu),
}
SMALL = [FP16, BF16, E5M2, E4M3, E8M0]
UNSIGNED = {8: np.uint8, 16: np.uint16, 32: np.uint32}


def to_float(fmt: FloatFormat, codes: np.ndarray) -> np.ndarray:
    """The values of encodings as the independent library sees them; exact in float64."""
    with np.errstate(invalid="ignore"):  # signalling NaN
        return codes.astype(UNSIGNED[fmt.width]).view(DTYPES[fmt.name]).astype(np.float64)


def to_codes(fmt: FloatFormat, values: np.ndarray) -> np.ndarray:
    """The encodings that the independent library rounds values to; NaN canonical."""
    with np.errstate(over="ignore", invalid="ignore"):
        rounded = values.astype(DTYPES[fmt.name])
    return np.where(np.isnan(rounded), fmt.nan, rounded.view(UNSIGNED[fmt.width]))


def number(value: float | Fraction) -> Number:
    """A Python number as our exact number, the sign of zero kept."""
    if isinstance(value, float) and not math.isfinite(value):
        return Number(Kind.NAN if math.isnan(value) else Kind.INFINITE, value < 0, Fraction(0))
    negative = math.copysign(1, value) < 0 if isinstance(value, float) else value < 0
    return Number(Kind.FINITE, negative, abs(Fraction(value)))


def check_decode(fmt: FloatFormat, codes: np.ndarray) -> int:
    """Hold `decode` to the library, and `encode` to be its inverse; return how many codes were compared."""
    directions = list(Rounding)
    for code, value in zip(codes.tolist(), to_float(fmt, codes).tolist(), strict=True):
        meaning = fmt.decode(code)
        if math.isnan(value):
            assert meaning.kind is Kind.NAN
            assert fmt.encode(meaning) == fmt.nan
        else:
            assert meaning == number(value), (fmt.name, code)
            for rounding in Rounding if fmt.width == 8 else (directions[code % len(directions)],):
                assert fmt.encode(meaning, rounding) == code
    return len(codes)


def check_encode(fmt: FloatFormat, values: np.ndarray) -> int:
    """Hold `encode`, nearest even, to the library; return how many values were compared."""
    expected = to_codes(fmt, values)
    for value, code in zip(values.tolist(), expected.tolist(), strict=True):
        assert fmt.encode(number(value)) == code, (fmt.name, value)
    return len(values)


@pytest.mark.parametrize("fmt", SMALL, ids=lambda fmt: fmt.name)
def test_every_code_means_what_the_library_says(fmt: FloatFormat) -> None:
    assert check_decode(fmt, np.arange(1 << fmt.width)) == 1 << fmt.width


def fp32_codes() -> np.ndarray:
    """Every exponent with fractions at the borders and random ones, both signs."""
    generator = np.random.default_rng(1)
    borders = np.array([0, 1, 2, 0x3FFFFF, 0x400000, 0x7FFFFE, 0x7FFFFF])
    codes = [
        (sign << 31) | (exponent << 23) | np.concatenate([borders, generator.integers(0, 1 << 23, 3)])
        for sign in (0, 1)
        for exponent in range(256)
    ]
    return np.concatenate(codes)


def test_fp32_codes_mean_what_numpy_says() -> None:
    assert check_decode(FP32, fp32_codes()) == 5120


@pytest.mark.parametrize("fmt", [FP16, BF16, E5M2, E4M3], ids=lambda fmt: fmt.name)
def test_ties_and_their_neighbours_round_as_the_library(fmt: FloatFormat) -> None:
    """Between every two neighbouring numbers: the tie, and the float32 on either side of it."""
    finite = np.array([v for v in to_float(fmt, np.arange(1 << (fmt.width - 1))) if np.isfinite(v)])
    ulp = finite[-1] - finite[-2]
    ties = (finite + np.append(finite[1:], finite[-1] + ulp)) / 2
    exact = ties.astype(np.float32)
    assert (exact == ties).all()
    values = np.concatenate(
        [exact, np.nextafter(exact, np.float32(np.inf)), np.nextafter(exact, np.float32(0))]
    )
    beyond = np.array([finite[-1] + ulp, finite[-1] * 2, np.inf])
    values = np.concatenate([values.astype(np.float64), beyond[beyond < 3.5e38], [np.inf, np.nan]])
    values[
        1::2
    ] *= -1  # 16-bit formats: every other case negative, to save time; 8-bit formats: both signs of all
    values = np.concatenate([values, -values]) if fmt.width == 8 else values
    assert check_encode(fmt, values) >= 3 * len(finite)


def test_fp32_ties_round_as_numpy() -> None:
    codes = fp32_codes()
    finite = to_float(FP32, codes[np.isfinite(to_float(FP32, codes))])
    ulp = np.ldexp(1.0, np.maximum(np.frexp(np.abs(finite))[1] - 24, -149))
    ties = finite + ulp / 2
    values = np.concatenate([ties, np.nextafter(ties, np.inf), np.nextafter(ties, -np.inf)])
    assert check_encode(FP32, values) == 3 * 5100


def test_e8m0_ties_go_away_from_zero() -> None:
    """IEEE 754-2019, 4.3.1: where no neighbour is even (one-digit significands), a tie takes the larger one."""
    for code in range(254):
        power = Fraction(2) ** (code - 127)
        assert E8M0.encode(number(power * Fraction(3, 2))) == code + 1
        assert E8M0.encode(number(power * Fraction(149, 100))) == code
        assert E8M0.encode(number(power), Rounding.TOWARD_POSITIVE) == code
        assert E8M0.encode(number(power * Fraction(101, 100)), Rounding.TOWARD_POSITIVE) == code + 1
        assert E8M0.encode(number(power * Fraction(199, 100)), Rounding.TOWARD_ZERO) == code


def test_e8m0_borders() -> None:
    assert E8M0.encode(number(0.0)) == 0  # no zero: the smallest number stands for it
    assert E8M0.encode(number(Fraction(1, 1 << 300))) == 0
    assert E8M0.encode(number(Fraction(2) ** 127 * Fraction(149, 100))) == 254
    assert E8M0.encode(number(Fraction(2) ** 127 * Fraction(3, 2))) == E8M0.nan == 255
    assert E8M0.encode(number(Fraction(2) ** 128), Rounding.TOWARD_ZERO) == 254
    assert E8M0.encode(number(-1.0)) == E8M0.nan
    assert E8M0.encode(number(-0.0)) == 0
    assert E8M0.encode(number(math.inf)) == E8M0.nan


@pytest.mark.parametrize("fmt", [FP16, BF16, FP32, E5M2, E4M3], ids=lambda fmt: fmt.name)
def test_overflow_follows_the_rounding_direction(fmt: FloatFormat) -> None:
    """IEEE 754-2019, 7.4: to infinity or to the largest finite number, by direction and sign."""
    beyond = fmt.max_finite * 4
    largest = fmt.encode(number(fmt.max_finite))
    sign = 1 << (fmt.width - 1)
    negative_infinity = sign | fmt.infinity(False) if fmt.infinities else fmt.nan
    up, down = fmt.infinity(False), negative_infinity
    expected = {
        Rounding.NEAREST_EVEN: (up, down),
        Rounding.NEAREST_AWAY: (up, down),
        Rounding.TOWARD_ZERO: (largest, sign | largest),
        Rounding.TOWARD_POSITIVE: (up, sign | largest),
        Rounding.TOWARD_NEGATIVE: (largest, down),
    }
    found = {r: (fmt.encode(number(beyond), r), fmt.encode(number(-beyond), r)) for r in Rounding}
    assert found == expected


@pytest.mark.parametrize("fmt", [FP16, E4M3], ids=lambda fmt: fmt.name)
@pytest.mark.parametrize("rounding", Rounding)
def test_directed_rounding_brackets_every_gap(fmt: FloatFormat, rounding: Rounding) -> None:
    """A quarter, a half and three quarters of every gap go to the neighbour that the direction's name says."""
    codes = [c for c in range(1 << (fmt.width - 1)) if fmt.decode(c).kind is Kind.FINITE]
    sign = 1 << (fmt.width - 1)
    step = 1 if fmt.width == 8 else 37
    compared = 0
    for low, high in itertools.islice(itertools.pairwise(codes), 0, None, step):
        bottom, gap = fmt.decode(low).magnitude, fmt.decode(high).magnitude - fmt.decode(low).magnitude
        for quarter, negative in itertools.product((1, 2, 3), (False, True)):
            upper = {
                Rounding.NEAREST_EVEN: quarter > 2 or (quarter == 2 and low % 2 == 1),
                Rounding.NEAREST_AWAY: quarter >= 2,
                Rounding.TOWARD_ZERO: False,
                Rounding.TOWARD_POSITIVE: not negative,
                Rounding.TOWARD_NEGATIVE: negative,
            }[rounding]
            exact = Number(Kind.FINITE, negative, bottom + gap * quarter / 4)
            assert fmt.encode(exact, rounding) == (high if upper else low) | (sign if negative else 0)
            compared += 1
    assert compared >= 700


@pytest.mark.parametrize("rounding", Rounding)
def test_definition_equals_gates(rounding: Rounding) -> None:
    """`apply` on the exact value is the truncated magnitude plus `increment` of its dropped bits: all cases."""
    compared = 0
    for magnitude, shift, negative in itertools.product(range(512), range(8), (0, 1)):
        kept, dropped = magnitude >> shift, magnitude & ((1 << shift) - 1)
        half = dropped >> (shift - 1) if shift else 0
        rest = int(dropped & ((1 << shift >> 1) - 1) != 0) if shift else 0
        up = rounding.increment(negative=negative, odd=kept & 1, half=half, rest=rest)
        exact = Fraction(-magnitude if negative else magnitude, 1 << shift)
        assert up in (0, 1)
        assert rounding.apply(exact) == (-(kept + up) if negative else kept + up)
        compared += 1
    assert compared == 8192


def test_rounding_directions_by_hand() -> None:
    values = [Fraction(n, 4) for n in (-10, -7, -6, -5, -2, 0, 2, 5, 6, 7, 10)]
    expected = {
        Rounding.NEAREST_EVEN: [-2, -2, -2, -1, 0, 0, 0, 1, 2, 2, 2],
        Rounding.NEAREST_AWAY: [-3, -2, -2, -1, -1, 0, 1, 1, 2, 2, 3],
        Rounding.TOWARD_ZERO: [-2, -1, -1, -1, 0, 0, 0, 1, 1, 1, 2],
        Rounding.TOWARD_POSITIVE: [-2, -1, -1, -1, 0, 0, 1, 2, 2, 2, 3],
        Rounding.TOWARD_NEGATIVE: [-3, -2, -2, -2, -1, 0, 0, 1, 1, 1, 2],
    }
    assert {r: [r.apply(v) for v in values] for r in Rounding} == expected


def test_format_parameters() -> None:
    sizes = {
        f.name: (f.width, f.precision, f.bias, f.min_exponent, f.max_exponent) for f in FLOAT_FORMATS.values()
    }
    assert sizes == {
        "fp16": (16, 11, 15, -14, 15),
        "bf16": (16, 8, 127, -126, 127),
        "fp32": (32, 24, 127, -126, 127),
        "e5m2": (8, 3, 15, -14, 15),
        "e4m3": (8, 4, 7, -6, 8),
        "e8m0": (8, 1, 127, -127, 127),
    }
    for fmt in FLOAT_FORMATS.values():
        limits = ml_dtypes.finfo(DTYPES[fmt.name])
        assert float(fmt.max_finite) == float(limits.max)
        assert float(fmt.min_positive) == float(limits.smallest_subnormal)
    assert (FP16.nan, BF16.nan, FP32.nan) == (0x7E00, 0x7FC0, 0x7FC00000)
    assert (E5M2.nan, E4M3.nan, E8M0.nan) == (0x7E, 0x7F, 0xFF)


def test_flushed_subnormals() -> None:
    """Without subnormals: read as zero, written as zero of the same sign after rounding at their own precision."""
    flushed = FloatFormat("flushed", 5, 10, subnormals=False)
    for code in [
        *range(0x1000),
        *range(0x1000, 0x8000, 61),
        *range(0x8000, 0x9000),
        *range(0x9000, 0x10000, 61),
    ]:
        meaning, subnormal = FP16.decode(code), code & 0x7C00 == 0 and code & 0x3FF
        zero = Number(Kind.FINITE, bool(code >> 15), Fraction(0))
        assert flushed.decode(code) == (zero if subnormal else meaning)
        assert flushed.encode(meaning) == (code & 0x8000 if subnormal else FP16.encode(meaning))
    smallest = FP16.decode(0x0400).magnitude
    assert flushed.min_positive == smallest
    assert flushed.encode(number(smallest * Fraction(4095, 4096))) == 0x0400
    assert flushed.encode(number(-smallest * Fraction(2046, 2048))) == 0x8000


@pytest.mark.parametrize(
    ("parameters", "rule"),
    [
        ({"exponent_bits": 1}, "exponent_bits=1 of format x must be between 2 and 15"),
        ({"exponent_bits": 16}, "exponent_bits=16 of format x must be between 2 and 15"),
        ({"fraction_bits": -1}, "fraction_bits=-1 of format x must be between 0 and 112"),
        ({"fraction_bits": 113}, "fraction_bits=113 of format x must be between 0 and 112"),
        ({"fraction_bits": 0}, "fraction_bits=0 of format x leaves no encoding for an IEEE NaN"),
        ({"ieee_nan": False}, "infinities=True of format x needs ieee_nan=True"),
        (
            {"fraction_bits": 0, "infinities": False, "ieee_nan": False},
            "subnormals=True of format x needs fraction_bits of at least 1",
        ),
    ],
)
def test_bad_format_is_refused(parameters: dict[str, int], rule: str) -> None:
    with pytest.raises(ValueError, match="of format x") as caught:
        FloatFormat(**({"name": "x", "exponent_bits": 5, "fraction_bits": 10} | parameters))  # type: ignore[arg-type]
    assert str(caught.value) == rule


def test_bits_that_do_not_fit() -> None:
    for bits in (-1, 1 << 16):
        with pytest.raises(ValueError, match=f"^bits={bits} do not fit the 16 bits of fp16$"):
            FP16.decode(bits)
    with pytest.raises(ValueError, match="of kind nan has no rational value"):
        _ = FP16.decode(0x7E00).value
