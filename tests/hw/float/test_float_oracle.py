"""The fast oracles against the definition in rationals, NumPy's cast and Berkeley SoftFloat."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import softfloatpy

from sevedo.gen.config.formats import FLOAT_FORMATS, FP16, FP32, FloatFormat, Kind, Number, Rounding
from sevedo.sim import operands, oracle

FLUSHED = FloatFormat("flushed", 4, 3, subnormals=False)
UNSIGNED = FloatFormat("unsigned", 4, 3, signed=False, infinities=False)
FORMATS = [*FLOAT_FORMATS.values(), FLUSHED, UNSIGNED]


def exact_number(value: float) -> Number:
    """A float64 as the definition writes it."""
    if np.isnan(value):
        return Number(Kind.NAN, False, Fraction(0))
    if np.isinf(value):
        return Number(Kind.INFINITE, value < 0, Fraction(0))
    return Number(Kind.FINITE, bool(np.signbit(value)), abs(Fraction(value)))


@pytest.mark.parametrize("format", FORMATS, ids=lambda f: f.name)
def test_decode_is_the_definition(format):
    bits = operands.special(format, 1000)
    values = oracle.decode(format, bits)
    wrong = [
        (b, v)
        for b, v in zip(bits.tolist(), values.tolist(), strict=True)
        if exact_number(v) != format.decode(b) and not (np.isnan(v) and format.decode(b).kind is Kind.NAN)
    ]
    assert not wrong
    assert len(bits) == min(1000, 1 << format.width)


@pytest.mark.parametrize("rounding", Rounding)
@pytest.mark.parametrize("format", FORMATS, ids=lambda f: f.name)
def test_encode_is_the_definition(format, rounding):
    values = oracle.decode(format, operands.special(format, 200))
    generator = np.random.default_rng(1)
    wide = oracle.decode(FP32, operands.special(FP32, 100))
    with np.errstate(all="ignore"):
        values = np.concatenate(
            [
                values,
                wide,
                values * generator.choice(values, len(values)),
                values * (1 + 2.0**-format.precision),  # a tie
                values * (1 + 2.0**-format.precision + 2.0**-40),
                values * (1 + 2.0**-format.precision - 2.0**-40),
            ]
        )
    encodings = oracle.encode(format, values, rounding)
    wrong = [
        (v, e)
        for v, e in zip(values.tolist(), encodings.tolist(), strict=True)
        if format.encode(exact_number(v), rounding) != e
    ]
    assert not wrong


def test_sums_are_rounded_to_odd():
    a, b = operands.hard_sums(FP32, 2000, np.random.default_rng(2))
    x, y = oracle.decode(FP32, a), oracle.decode(FP32, b)
    finite = np.isfinite(x) & np.isfinite(y)
    totals = oracle.add(x, y)
    inexact = 0
    for left, right, total in zip(
        x[finite].tolist(), y[finite].tolist(), totals[finite].tolist(), strict=True
    ):
        exact = Fraction(left) + Fraction(right)
        if exact != Fraction(total):
            inexact += 1
            assert np.float64(total).view(np.uint64) & np.uint64(1) == 1
            below, above = sorted(
                [Fraction(np.nextafter(total, np.inf)), Fraction(np.nextafter(total, -np.inf))]
            )
            assert below < exact < above
    assert inexact > 100


def test_fp16_is_float64_and_one_cast():
    generator = np.random.default_rng(3)
    a, b, c = operands.hard_triples(FP16, FP16, 300_000, generator)
    x, y, z = (oracle.decode(FP16, v) for v in (a, b, c))
    with np.errstate(all="ignore"):
        pairs = [
            (oracle.add(x, z), x + z),
            (oracle.multiply(x, y), x * y),
            (oracle.fused_multiply_add(x, y, z), x * y + z),
        ]
        for ours, theirs in pairs:
            half = theirs.astype(np.float16)
            cast = np.where(np.isnan(half), FP16.nan, half.view(np.uint16)).astype(np.uint64)
            assert np.count_nonzero(oracle.encode(FP16, ours) != cast) == 0


def test_fp32_is_softfloat():
    a, b, c = operands.hard_triples(FP32, FP32, 20_000, np.random.default_rng(4))
    x, y, z = (oracle.decode(FP32, v) for v in (a, b, c))
    ours = oracle.encode(FP32, oracle.fused_multiply_add(x, y, z))

    def soft(values):
        return [softfloatpy.Float32.from_bytes(int(v).to_bytes(4, "big")) for v in values]

    theirs = [
        int.from_bytes(r.to_bytes(), "big") for r in map(softfloatpy.f32_mul_add, soft(a), soft(b), soft(c))
    ]
    bits = np.array(theirs, np.uint64)
    bits = np.where(np.isnan(oracle.decode(FP32, bits)), np.uint64(FP32.nan), bits)
    assert np.count_nonzero(ours != bits) == 0
    assert len(np.unique(ours)) > 5000
