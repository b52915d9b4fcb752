"""HGQ: the contract's special cases one by one, exact quotients, codes of two digits."""

from __future__ import annotations

import math
import random
from fractions import Fraction

import pytest
import torch
from short_schemes import INF, NAN, TINY, hgq, quantize

from sevedo.gen.config import BF16, E8M0, FP16, FineLevel, FloatFormat, largest_code
from sevedo.ref.grouped import GroupedTensor, GroupScheme
from sevedo.ref.rounding import decode, round_to
from sevedo.ref.rows import quantize_activations


def test_worked_example() -> None:
    # S = 7/7 = 1; second fine group: 2 * 2^2 = 8 <= 9 * S, 2 * 2^3 = 16 > 9, so k = 2: 8 is clamped to 7, -1 is -4.
    assert quantize([7.0, -2.5, 2.0, -1.0]) == ([7, -2, 7, -4], [0, 2], [1.0])


def test_tail_is_padded_with_zeros() -> None:
    assert quantize([7.0]) == ([7, 0, 0, 0], [0, 3], [1.0])
    codes, shifts, scales = quantize([7.0, 0.0, 0.0, 0.0, -14.0])
    assert (codes, shifts, scales) == ([7, 0, 0, 0, -7, 0, 0, 0], [0, 3, 0, 3], [1.0, 2.0])


def test_zero_groups() -> None:
    assert quantize([0.0, -0.0, 0.0, 0.0]) == ([0] * 4, [3, 3], [0.0])
    e8m0 = hgq(4, 2, 2, 4, E8M0)
    assert quantize([0.0, -0.0, 0.0, 0.0], e8m0) == ([0] * 4, [3, 3], [2.0**-127])


def test_scale_that_rounds_to_zero() -> None:
    assert quantize([TINY, 0.0, 0.0, 0.0]) == ([0] * 4, [0, 3], [0.0])
    # 3/7 of the smallest number is below the tie. 4/7 is above: S = 1, and 4 * 2 <= 9 shifts it, so that 8 is clamped.
    assert quantize([3 * TINY, 0.0, 0.0, 0.0]) == ([0] * 4, [0, 3], [0.0])
    assert quantize([4 * TINY, TINY, 0.0, 0.0]) == ([7, 2, 0, 0], [1, 3], [TINY])


def test_subnormals() -> None:
    # In the format's smallest steps: S = 11/7 rounded, 2; 11/2 = 5.5 and -1.5 go to even; 1 * 2^3 / 2 = 4.
    assert quantize([11 * TINY, -3 * TINY, TINY, 0.0]) == ([6, -2, 4, 0], [0, 3], [2 * TINY])


def test_infinity_marks_the_group() -> None:
    assert quantize([INF, 5.0, -INF, 0.0]) == ([7, 0, -7, 0], [0, 0], [INF])
    codes, shifts, scales = quantize([INF, 5.0, -INF, 0.0], hgq(4, 2, 2, 4, E8M0))
    assert (codes, shifts) == ([7, 0, -7, 0], [0, 0])
    assert math.isnan(scales[0])


def test_nan_marks_the_group_and_no_other() -> None:
    codes, shifts, scales = quantize([NAN, INF, 1.0, 0.0, 7.0, 0.0, 0.0, 0.0])
    assert (codes, shifts) == ([0, 0, 0, 0, 7, 0, 0, 0], [0, 0, 0, 3])
    assert math.isnan(scales[0])
    assert scales[1] == 1.0


def test_scale_that_overflows() -> None:
    huge = float(BF16.max_finite)
    assert quantize([huge, 1.0, 0.0, 0.0]) == ([0] * 4, [0, 0], [INF])
    codes, shifts, scales = quantize([huge, 1.0, 0.0, 0.0], hgq(2, 2, 2, 4, E8M0))
    assert (codes, shifts) == ([0] * 4, [0, 0])
    assert math.isnan(scales[0])


def test_limit_of_the_format() -> None:
    codes, shifts, scales = quantize([65504.0, -65504.0, 32752.0, 1.0])
    assert (codes, shifts) == ([7, -7, 7, 0], [0, 1])
    assert scales == [9360.0]  # 65504 / 7 = 9357.7 to a multiple of 8


def test_without_shifts() -> None:
    codes, shifts, _ = quantize([7.0, 0.4, 0.6, 0.0], hgq(4, 0, 2, 4, FP16))
    assert (codes, shifts) == ([7, 0, 1, 0], [0, 0])


@pytest.mark.parametrize(("data", "scale"), [(FP16, FP16), (BF16, BF16), (FP16, E8M0), (BF16, FP16)])
def test_float64_quotients_round_as_exact_ones(data: FloatFormat, scale: FloatFormat) -> None:
    """The proof in `hgq._codes`, tried where it is tightest: quotients near ties, all significands."""
    rng = random.Random(5)
    top = 1 << data.fraction_bits
    scheme = hgq(8, 0, 1, 2, scale)
    rows = []
    for _ in range(4000):
        peak = (top + rng.randrange(top)) * Fraction(2) ** rng.randint(-8, 0)
        step = Fraction(float(round_to(torch.tensor([float(peak / 127)], dtype=torch.float64), scale)))
        near = round_to(
            torch.tensor([float(step * Fraction(2 * rng.randint(0, 127) + 1, 2))], dtype=torch.float64), data
        )
        rows.append([float(peak), float(near)])
    q = quantize_activations(torch.tensor(rows, dtype=torch.float64), scheme)
    for row, codes, scales in zip(rows, q.codes.tolist(), q.scales.tolist(), strict=True):
        step = Fraction(scales[0])
        exact = [max(-127, min(127, round(Fraction(value) / step))) for value in row]
        assert codes == exact
    assert len(set(q.codes[:, 1].tolist())) > 90


def test_dequantize_is_code_scale_shift() -> None:
    scheme = hgq(4, 2, 2, 4, FP16)
    codes = torch.tensor([[-8, 7, 3, -1]], dtype=torch.int8)
    q = GroupedTensor(
        codes, torch.tensor([[0, 3]], dtype=torch.uint8), decode(torch.tensor([[0x3E00]]), FP16), 3, scheme
    )
    assert q.dequantize().tolist() == [[-12.0, 10.5, 0.5625]]
    assert q.integers().tolist() == [[-64, 56, 3, -1]]
    assert q.scale_bits.tolist() == [[0x3E00]]


def test_two_digits() -> None:
    # S = 119/119 = 1; 30 * 2^2 = 120 <= 120 * S: k = 2, 120 is clamped to 119. 31 * 4 = 124 > 120: k = 1.
    scheme = hgq(4, 2, 2, 4, FP16, digits=2)
    assert quantize([119.0, -8.4, 30.0, -1.0], scheme) == ([119, -8, 119, -4], [0, 2], [1.0])
    assert quantize([119.0, 0.0, 31.0, -1.0], scheme) == ([119, 0, 62, -2], [0, 1], [1.0])
    q = quantize_activations(torch.tensor([[119.0, -8.4, 30.0, -1.0]], dtype=torch.float64), scheme)
    assert q.digits().tolist() == [[[7, 0, 7, 0]], [[7, -8, 7, -4]]]


@pytest.mark.parametrize("bits", [2, 3, 4])
def test_digits_are_balanced_and_complete(bits: int) -> None:
    scheme = GroupScheme("coarse", bits, 2, FineLevel.NONE, 0, 1, 1, FP16)
    low, high = -largest_code(bits, 2), scheme.qmax
    codes = torch.arange(low, high + 1, dtype=torch.int16)[None]
    q = GroupedTensor(codes, torch.zeros(1, 0), torch.ones(1, codes.shape[1]), codes.shape[1], scheme)
    upper, lower = q.digits()[:, 0].to(torch.int64)
    assert torch.equal(upper * 2**bits + lower, codes[0].to(torch.int64))
    for digit in (upper, lower):
        assert digit.unique().tolist() == list(range(-(2 ** (bits - 1)), 2 ** (bits - 1)))
    assert len(codes[0]) == 4**bits
