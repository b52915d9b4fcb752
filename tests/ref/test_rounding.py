"""Rounding and codecs on tensors against the definitions of `FloatFormat`, bit for bit."""

from __future__ import annotations

import math
import random
import struct
from fractions import Fraction

import numpy as np
import pytest
import torch

from sevedo.gen.config import BF16, E4M3, E5M2, E8M0, FP16, FP32, FloatFormat, Kind, Number, Rounding
from sevedo.ref import rounding as rounding_module
from sevedo.ref.rounding import decode, encode, power_of_two, round_to

SMALL = FloatFormat("e3m2", 3, 2)
FLUSHING = FloatFormat("e4m3-flush", 4, 3, subnormals=False)


def number(value: float) -> Number:
    """The exact meaning of a float64."""
    if math.isnan(value):
        return Number(Kind.NAN, False, Fraction(0))
    negative = math.copysign(1, value) < 0
    if math.isinf(value):
        return Number(Kind.INFINITE, negative, Fraction(0))
    return Number(Kind.FINITE, negative, abs(Fraction(value)))


def float64_bits(value: float) -> bytes:
    return struct.pack("<d", math.nan if math.isnan(value) else value)


def as_float(meaning: Number) -> float:
    """A `Number` as float64."""
    sign = -1.0 if meaning.negative else 1.0
    match meaning.kind:
        case Kind.NAN:
            return math.nan
        case Kind.INFINITE:
            return sign * math.inf
    return sign * float(meaning.magnitude)


def adversarial(fmt: FloatFormat, count: int, seed: int) -> list[float]:
    """Float64 values on, and one unit beside, numbers and midpoints of `fmt`; ends of the range; anything at all."""
    rng = random.Random(seed)
    values = [
        0.0,
        -0.0,
        math.inf,
        -math.inf,
        math.nan,
        5e-324,
        -5e-324,
        1.7976931348623157e308,
        -1e300,
        1.0,
        -1.0,
    ]
    edges = [fmt.max_finite, fmt.min_positive, Fraction(2) ** fmt.min_exponent]
    for edge in edges:
        for scale in (Fraction(1, 2), Fraction(3, 4), Fraction(1), Fraction(3, 2), Fraction(2)):
            values += [float(edge * scale), -float(edge * scale)]
    step = Fraction(2) ** (fmt.max_exponent - fmt.fraction_bits)
    values += [float(fmt.max_finite + step * k / 4) for k in range(-4, 5)]
    while len(values) < count:
        exponent = rng.randint(fmt.min_exponent - fmt.fraction_bits - 2, fmt.max_exponent + 1)
        twice = rng.randint(1, 4 << fmt.fraction_bits)  # numbers and midpoints
        value = float(twice * Fraction(2) ** (exponent - fmt.fraction_bits - 1)) * rng.choice((1, -1))
        values += [value, math.nextafter(value, math.inf), math.nextafter(value, -math.inf)]
        values.append(struct.unpack("<d", rng.randbytes(8))[0])
    return values


@pytest.mark.parametrize("fmt", [FP16, BF16, E5M2, E4M3, E8M0, SMALL, FLUSHING], ids=lambda f: f.name)
def test_every_code_decodes_and_encodes_as_defined(fmt: FloatFormat) -> None:
    codes = torch.arange(1 << fmt.width)
    values = decode(codes, fmt)
    expected = [as_float(fmt.decode(code)) for code in range(1 << fmt.width)]
    assert [float64_bits(v) for v in values.tolist()] == [float64_bits(v) for v in expected]
    again = [fmt.encode(fmt.decode(code)) for code in range(1 << fmt.width)]
    assert encode(values, fmt).tolist() == again
    assert [float64_bits(v) for v in round_to(values, fmt).tolist()] == [float64_bits(v) for v in expected]


@pytest.mark.parametrize("fmt", [FP16, BF16, FP32, E5M2, E4M3, E8M0, SMALL, FLUSHING], ids=lambda f: f.name)
def test_adversarial_values_round_as_defined(fmt: FloatFormat) -> None:
    values = adversarial(fmt, 3000, seed=1)
    expected = [fmt.encode(number(v)) for v in values]
    assert encode(torch.tensor(values, dtype=torch.float64), fmt).tolist() == expected
    assert len(set(expected)) > min(500, (1 << fmt.width) // 2)


@pytest.mark.parametrize("fmt", [FP16, BF16, FP32, E4M3, E8M0], ids=lambda f: f.name)
def test_float32_rounds_as_defined(fmt: FloatFormat) -> None:
    """Values of float32 take a shorter way where PyTorch has the format."""
    values = torch.tensor(adversarial(fmt, 3000, seed=4), dtype=torch.float32)
    expected = [fmt.encode(number(v)) for v in values.tolist()]
    assert encode(values, fmt).tolist() == expected
    numbers = [as_float(fmt.decode(code)) for code in expected]
    assert [float64_bits(v) for v in round_to(values, fmt).tolist()] == [float64_bits(v) for v in numbers]


def test_rounding_twice_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """FP16 by way of float32, rounded to nearest there instead of to odd, is wrong on ties that are none."""
    values = adversarial(FP16, 3000, seed=1)
    expected = [FP16.encode(number(v)) for v in values]
    monkeypatch.setattr(rounding_module, "_to_odd", lambda v: v.to(torch.float32))
    wrong = encode(torch.tensor(values, dtype=torch.float64), FP16).tolist()
    assert 100 < sum(a != b for a, b in zip(wrong, expected, strict=True)) < 3000


@pytest.mark.parametrize("rounding", list(Rounding))
@pytest.mark.parametrize("fmt", [FP16, FP32, E4M3, E8M0, FLUSHING], ids=lambda f: f.name)
def test_every_direction_rounds_as_defined(fmt: FloatFormat, rounding: Rounding) -> None:
    values = adversarial(fmt, 1200, seed=2)
    expected = [as_float(fmt.decode(fmt.encode(number(v), rounding))) for v in values]
    rounded = round_to(torch.tensor(values, dtype=torch.float64), fmt, rounding).tolist()
    assert [float64_bits(v) for v in rounded] == [float64_bits(v) for v in expected]


def test_fp16_rounds_as_numpy_casts() -> None:
    bits = np.random.default_rng(3).integers(0, 1 << 64, 200_000, dtype=np.uint64)
    bits[::2] = (bits[::2] & np.uint64(0x800FFFFFFFFFFFFF)) | (
        (bits[::2] >> np.uint64(40)) % np.uint64(48) + np.uint64(995) << np.uint64(52)
    )
    values = bits.view(np.float64)
    with np.errstate(over="ignore"):
        cast = values.astype(np.float16)
    expected = np.where(np.isnan(cast), np.uint16(FP16.nan), cast.view(np.uint16))
    assert np.array_equal(encode(torch.from_numpy(values), FP16).numpy(), expected)


def test_powers_of_two_are_exact() -> None:
    exponents = range(-1022, 1024)
    assert power_of_two(torch.tensor(list(exponents))).tolist() == [math.ldexp(1.0, e) for e in exponents]


def test_bad_arguments_are_named() -> None:
    wide = FloatFormat("quad", 15, 112)
    with pytest.raises(ValueError, match=r"format=quad must fit float64"):
        round_to(torch.zeros(1), wide)
    with pytest.raises(ValueError, match=r"must fit the 16 bits of fp16"):
        decode(torch.tensor([1 << 16]), FP16)
    with pytest.raises(ValueError, match=r"must fit the 8 bits of e8m0"):
        decode(torch.tensor([-1]), E8M0)
