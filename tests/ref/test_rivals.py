"""The other schemes: the contract's special cases one by one, exact decisions."""

from __future__ import annotations

import math
import random
from fractions import Fraction

import pytest
import torch
from short_schemes import INF, NAN, TINY, plain, quantize, vs_quant

from sevedo.gen.config import BF16, E8M0, FP16, FineLevel
from sevedo.ref.grouped import GroupScheme
from sevedo.ref.rounding import round_to
from sevedo.ref.rows import quantize_activations


def test_vs_quant() -> None:
    scheme = vs_quant(4, 2, FP16)
    # S = 21 / (7 * 3) = 1. max 21 = 7 * 3; max 7.5 <= 7.5 * 1: s = 1, 7.5 is a tie to 8 and clamped.
    assert quantize([21.0, -4.5, 7.5, -1.5], scheme) == ([7, -2, 7, -2], [3, 1], [1.0])
    # One FP16 step more needs s = 2.
    assert quantize([21.0, 0.0, 7.50390625, 1.0], scheme) == ([7, 0, 4, 0], [3, 2], [1.0])
    assert quantize([21.0, 0.0, 0.0, -0.0], scheme) == ([7, 0, 0, 0], [3, 0], [1.0])
    two = vs_quant(4, 2, FP16, digits=2)
    assert quantize([357.0, 1.0, 119.5, 120.0], two) == ([119, 0, 60, 60], [3, 2], [1.0])
    assert quantize([357.0, 1.0, 119.5, -7.0], two) == ([119, 0, 119, -7], [3, 1], [1.0])


def test_vs_quant_special_values() -> None:
    scheme, huge = vs_quant(4, 2, FP16), float(BF16.max_finite)
    assert quantize([0.0, -0.0, 0.0, 0.0], scheme) == ([0] * 4, [0, 0], [0.0])
    assert quantize([TINY, 0.0, 0.0, 0.0], scheme) == ([0] * 4, [3, 0], [0.0])  # S rounds to 0
    # S = 11/21 of the smallest number, rounded up: 11 <= 7.5 * 2.
    assert quantize([11 * TINY, -3 * TINY, TINY, 0.0], scheme) == ([6, -2, 1, 0], [2, 1], [TINY])
    assert quantize([INF, 5.0, -INF, 0.0], scheme) == ([7, 0, -7, 0], [1, 1], [INF])
    codes, fine, scales = quantize([NAN, INF, 1.0, 0.0], scheme)
    assert (codes, fine, math.isnan(scales[0])) == ([0] * 4, [1, 1], True)
    assert quantize([huge, 1.0, 0.0, 0.0], scheme) == ([0] * 4, [1, 1], [INF])
    assert quantize([0.0, -0.0, 0.0, 0.0], vs_quant(4, 2, E8M0)) == ([0] * 4, [0, 0], [2.0**-127])
    codes, fine, scales = quantize([INF, 5.0, -INF, 0.0], vs_quant(4, 2, E8M0))
    assert (codes, fine, math.isnan(scales[0])) == ([7, 0, -7, 0], [1, 1], True)


@pytest.mark.parametrize("name", ["coarse", "fp-fine"])
def test_single_scales(name: str) -> None:
    scheme, huge = plain(name, 4, FP16), float(BF16.max_finite)
    assert quantize([7.0, -2.5, 0.6, -1.5], scheme) == ([7, -2, 1, -2], [], [1.0])
    assert quantize([0.0, 0.0, 0.0, -0.0, 14.0], scheme) == ([0] * 4 + [7, 0, 0, 0], [], [0.0, 2.0])
    assert quantize([TINY] * 4, scheme) == ([0] * 4, [], [0.0])
    assert quantize([INF, 5.0, -INF, 0.0], scheme) == ([7, 0, -7, 0], [], [INF])
    assert quantize([huge, 1.0, 0.0, 0.0], scheme) == ([0] * 4, [], [INF])
    assert quantize([119.0, -2.5, 0.6, 1.0], plain(name, 4, FP16, 2)) == ([119, -2, 1, 1], [], [1.0])
    assert math.isnan(quantize([INF, NAN], scheme)[2][0])
    q = quantize_activations(torch.ones(3, 5, dtype=torch.float64), scheme)
    assert q.fine.shape == (3, 0)


def test_mx() -> None:
    scheme = plain("mx", 4, E8M0)
    assert quantize([7.0, -2.5, 0.6, -1.5], scheme) == ([7, -2, 1, -2], [], [1.0])
    assert quantize([9.0, 1.0, 0.0, 0.0], scheme) == ([7, 1, 0, 0], [], [1.0])  # 9 <= 9 * S
    assert quantize([9.0078125, 1.0, 0.0, 0.0], scheme) == ([5, 0, 0, 0], [], [2.0])
    assert quantize([120.0, 1.0, 0.0, 0.0], plain("mx", 4, E8M0, 2)) == ([119, 1, 0, 0], [], [1.0])
    assert quantize([120.0625, 1.0, 0.0, 0.0], plain("mx", 4, E8M0, 2)) == ([60, 0, 0, 0], [], [2.0])
    assert quantize([0.0, -0.0], scheme) == ([0] * 4, [], [2.0**-127])
    tiny = 2.0**-133  # BF16's smallest: far below half of the smallest scale
    assert quantize([tiny, -tiny], scheme) == ([0] * 4, [], [2.0**-127])
    assert quantize([3 * 2.0**-127, 2.0**-128], scheme) == ([3, 0, 0, 0], [], [2.0**-127])
    assert quantize([float(BF16.max_finite)], scheme) == ([7, 0, 0, 0], [], [2.0**125])
    for row in ([INF, 5.0, -INF, 0.0], [NAN, INF, 0.0, 1.0]):
        codes, fine, scales = quantize(row, scheme)
        assert (codes, fine) == ([0] * 4 if row[0] is NAN else [7, 0, -7, 0], [])
        assert math.isnan(scales[0])


@pytest.mark.parametrize(("scale_bits", "digits"), [(4, 1), (8, 1), (4, 2), (8, 2)])
def test_vs_quant_decisions_are_exact(scale_bits: int, digits: int) -> None:
    """Maxima and values on the very edges of integers and codes, against rationals."""
    rng, rows = random.Random(6), []
    scheme = GroupScheme("vs-quant", 4, digits, FineLevel.INTEGER, scale_bits, 1, 2, FP16)
    top, qmax = 2**scale_bits - 1, scheme.qmax
    for _ in range(4000):
        peak = (1024 + rng.randrange(1024)) * Fraction(2) ** rng.randint(-8, 0)
        step = Fraction(
            float(round_to(torch.tensor([float(peak / (qmax * top))], dtype=torch.float64), FP16))
        )
        edge = step * rng.randint(1, top) * Fraction(2 * qmax + 1, 2)
        if rng.random() < 0.5:
            edge = step * rng.randint(1, top) * Fraction(2 * rng.randint(0, qmax) + 1, 2)
        near = round_to(torch.tensor([min(float(edge), float(peak))], dtype=torch.float64), FP16)
        rows.append([float(peak), float(near)])
    q = quantize_activations(torch.tensor(rows, dtype=torch.float64), scheme)
    for row, codes, fine, scales in zip(
        rows, q.codes.tolist(), q.fine.tolist(), q.scales.tolist(), strict=True
    ):
        step = Fraction(scales[0])
        for value, code, number in zip(row, codes, fine, strict=True):
            least = math.ceil(Fraction(value) / (step * Fraction(2 * qmax + 1, 2)))
            assert number == min(top, least)
            assert code == max(-qmax, min(qmax, round(Fraction(value) / (step * number))))
    assert len(set(q.fine[:, 1].tolist())) > top // 2
