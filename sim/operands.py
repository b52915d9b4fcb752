"""Operands that floating-point units get wrong, as encodings."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sevedo.gen.config.formats import FloatFormat
from sevedo.sim import oracle

Encodings = NDArray[np.uint64]


def everything(format: FloatFormat) -> Encodings:
    """All encodings of a format of up to 20 bits."""
    if format.width > 20:
        raise ValueError(f"format={format.name} of {format.width} bits must have at most 20")
    return np.arange(1 << format.width, dtype=np.uint64)


def special(format: FloatFormat, count: int = 2000, seed: int = 0) -> Encodings:
    """About `count` distinct encodings, or all there are: every border of the format, then at random.

    Borders are fractions near 0, 1/2 and 1 with few ones or few zeros, at every exponent near the ends and near 1,
    at some others, with both signs; NaNs with various fractions.
    """
    if 1 << format.width <= count:
        return everything(format)
    generator = np.random.default_rng(seed)
    bits, top = format.fraction_bits, (1 << format.exponent_bits) - 1
    ones = (1 << bits) - 1
    middle = 1 << max(bits - 1, 0)
    fractions = {f & ones for f in (0, 1, 2, 3, ones, ones - 1, middle, middle + 1, middle - 1)}
    fractions |= {1 << i for i in range(bits)} | {ones ^ (1 << i) for i in range(bits)}
    bias = format.bias
    near = {0, 1, 2, top, top - 1, top - 2, bias, bias - 1, bias + 1}
    far = {bias + d for d in (-bits - 2, -bits - 1, -bits, bits, bits + 1, -2 * bits, -2, 2)}
    fields = sorted(near | {f for f in far if 0 <= f <= top})
    bodies = np.array([(e << bits) | f for e in fields for f in sorted(fractions)], np.uint64)
    generator.shuffle(bodies)
    first = {0, 1, ones, 1 << bits, (top << bits), (top << bits) - 1, (top << bits) | 1, (top << bits) | ones}
    chosen = list(dict.fromkeys([*first, *bodies.tolist()]))[: count * 2 // 5]
    both = [b | (s << (format.width - 1)) for b in chosen for s in ((0, 1) if format.signed else (0,))]
    random = generator.integers(0, 1 << format.width, 2 * count, np.uint64).tolist()
    return np.array(list(dict.fromkeys([*both, *random]))[:count], np.uint64)


def uniform(format: FloatFormat, count: int, generator: np.random.Generator) -> Encodings:
    """Encodings of equal probability."""
    return generator.integers(0, 1 << format.width, count, np.uint64)


def pairs(values: Encodings, others: Encodings | None = None) -> tuple[Encodings, Encodings]:
    """All pairs."""
    others = values if others is None else others
    return np.repeat(values, len(others)), np.tile(others, len(values))


def hard_sums(format: FloatFormat, count: int, generator: np.random.Generator) -> tuple[Encodings, Encodings]:
    """Pairs that cancel, tie or only just touch: the second is near the first, or half of its last place away."""
    a = _sparse(format, count, generator)
    value = oracle.decode(format, a)
    with np.errstate(all="ignore"):
        spacing = np.ldexp(
            1.0,
            np.maximum(np.frexp(np.abs(np.where(np.isfinite(value), value, 0)))[1] - 1, format.min_exponent)
            - format.fraction_bits,
        )
        near = oracle.encode(format, -value)
        steps = generator.integers(-3, 4, count)
        near = (near.astype(np.int64) + steps).clip(0, (1 << format.width) - 1).astype(np.uint64)
        tie = oracle.encode(
            format,
            spacing
            * generator.choice([0.5, -0.5, 0.25, 1.5, -2.5], count)
            * (1 + generator.integers(-1, 2, count) * 2.0**-format.fraction_bits),
        )
    kind = generator.integers(0, 3, count)
    return a, np.select([kind == 0, kind == 1], [near, tie], _sparse(format, count, generator))


def hard_products(
    a_format: FloatFormat,
    b_format: FloatFormat,
    target: FloatFormat,
    count: int,
    generator: np.random.Generator,
) -> tuple[Encodings, Encodings]:
    """Pairs whose product is next to a border of `target`: a tie, the smallest subnormal, overflow, 0."""
    a = _sparse(a_format, count, generator)
    value = oracle.decode(a_format, a)
    goal = oracle.decode(
        target, special(target, 4000)[generator.integers(0, min(4000, 1 << target.width), count)]
    )
    with np.errstate(all="ignore"):
        spacing = np.ldexp(
            1.0,
            np.maximum(np.frexp(np.abs(np.where(np.isfinite(goal), goal, 0)))[1] - 1, target.min_exponent)
            - target.fraction_bits,
        )
        goal = goal + spacing * generator.choice([0, 0.5, -0.5], count)
        b = oracle.encode(b_format, goal / value)
    b = (
        (b.astype(np.int64) + generator.integers(-1, 2, count))
        .clip(0, (1 << b_format.width) - 1)
        .astype(np.uint64)
    )
    return a, b


def hard_triples(
    operand: FloatFormat, format: FloatFormat, count: int, generator: np.random.Generator
) -> tuple[Encodings, Encodings, Encodings]:
    """Factors and an addend that cancels the product but for a few places, makes it a tie, or only just matters."""
    a, b = hard_products(operand, operand, format, count, generator)
    other = _sparse(operand, count, generator)
    b = np.where(generator.integers(0, 2, count) == 0, b, other)
    product = oracle.multiply(oracle.decode(operand, a), oracle.decode(operand, b))
    with np.errstate(all="ignore"):
        cancel = oracle.encode(format, -product).astype(np.int64) + generator.integers(-2, 3, count)
        apart = np.ldexp(
            product * generator.choice([1.0, -1.0], count),
            generator.integers(-3 * format.precision, 2 * format.precision + 4, count).astype(np.int32),
        )
        distant = oracle.encode(format, apart)
    kind = generator.integers(0, 4, count)
    c = np.select(
        [kind < 2, kind == 2],
        [cancel.clip(0, (1 << format.width) - 1).astype(np.uint64), distant],
        _sparse(format, count, generator),
    )
    return a, b, c


def _sparse(format: FloatFormat, count: int, generator: np.random.Generator) -> Encodings:
    """Encodings with long runs in the fraction and exponents often at the ends of the range."""
    bits, top = format.fraction_bits, (1 << format.exponent_bits) - 1
    any_fraction = generator.integers(0, 1 << bits, count)
    cut = generator.integers(0, bits + 1, count)
    kind = generator.integers(0, 4, count)
    fraction = np.select(
        [kind == 0, kind == 1, kind == 2],
        [(any_fraction >> cut) << cut, any_fraction | ((1 << cut) - 1), any_fraction >> cut],
        any_fraction,
    )
    field = np.where(
        generator.integers(0, 3, count) > 0,
        generator.integers(0, top + 1, count),
        np.where(
            generator.integers(0, 2, count) == 0,
            generator.integers(0, min(top, 4), count),
            generator.integers(max(0, top - 3), top + 1, count),
        ),
    )
    sign = generator.integers(0, 2, count) if format.signed else np.zeros(count, np.int64)
    return ((sign << (format.width - 1 if format.signed else 0)) | (field << bits) | fraction).astype(
        np.uint64
    )
