"""HGQ: the special cases of the contract one by one, the offline weights, exactness of the quotients, bad arguments."""

from __future__ import annotations

import math
import random
from fractions import Fraction

import pytest
import torch

from sevedo.gen.config import BF16, E8M0, FP16, FloatFormat
from sevedo.ref.hgq import HgqScheme, HgqTensor, quantize_activations, quantize_weights
from sevedo.ref.rounding import decode, round_to

INT4 = HgqScheme(code_bits=4, shift_bits=2, fine=2, coarse=4, scale=FP16)
TINY, INF, NAN = 2.0**-24, math.inf, math.nan


def quantize(row: list[float], scheme: HgqScheme = INT4) -> tuple[list[int], list[int], list[float]]:
    q = quantize_activations(torch.tensor([row], dtype=torch.float64), scheme)
    return q.codes[0].tolist(), q.shifts[0].tolist(), q.scales[0].tolist()


def test_worked_example() -> None:
    # S = 7/7 = 1; second fine group: 2 * 2^2 = 8 <= 9 * S, 2 * 2^3 = 16 > 9, so k = 2: 8 is clamped to 7, -1 is -4.
    assert quantize([7.0, -2.5, 2.0, -1.0]) == ([7, -2, 7, -4], [0, 2], [1.0])


def test_tail_is_padded_with_zeros() -> None:
    assert quantize([7.0]) == ([7, 0, 0, 0], [0, 3], [1.0])
    codes, shifts, scales = quantize([7.0, 0.0, 0.0, 0.0, -14.0])
    assert (codes, shifts, scales) == ([7, 0, 0, 0, -7, 0, 0, 0], [0, 3, 0, 3], [1.0, 2.0])


def test_zero_groups() -> None:
    assert quantize([0.0, -0.0, 0.0, 0.0]) == ([0] * 4, [3, 3], [0.0])
    e8m0 = HgqScheme(4, 2, 2, 4, E8M0)
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
    codes, shifts, scales = quantize([INF, 5.0, -INF, 0.0], HgqScheme(4, 2, 2, 4, E8M0))
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
    codes, shifts, scales = quantize([huge, 1.0, 0.0, 0.0], HgqScheme(2, 2, 2, 4, E8M0))
    assert (codes, shifts) == ([0] * 4, [0, 0])
    assert math.isnan(scales[0])


def test_limit_of_the_format() -> None:
    codes, shifts, scales = quantize([65504.0, -65504.0, 32752.0, 1.0])
    assert (codes, shifts) == ([7, -7, 7, 0], [0, 1])
    assert scales == [9360.0]  # 65504 / 7 = 9357.7 to a multiple of 8


def test_without_shifts() -> None:
    codes, shifts, _ = quantize([7.0, 0.4, 0.6, 0.0], HgqScheme(4, 0, 2, 4, FP16))
    assert (codes, shifts) == ([7, 0, 1, 0], [0, 0])


@pytest.mark.parametrize(("data", "scale"), [(FP16, FP16), (BF16, BF16), (FP16, E8M0), (BF16, FP16)])
def test_float64_quotients_round_as_exact_ones(data: FloatFormat, scale: FloatFormat) -> None:
    """The proof in `hgq._codes`, tried where it is tightest: quotients near ties, all significands."""
    rng = random.Random(5)
    top = 1 << data.fraction_bits
    scheme = HgqScheme(8, 0, 1, 2, scale)
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


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
@pytest.mark.parametrize("shift_bits", [0, 1, 2, 4])
def test_weights_take_the_best_shift(bits: int, shift_bits: int) -> None:
    generator = torch.Generator().manual_seed(bits * 8 + shift_bits)
    scheme = HgqScheme(bits, shift_bits, 4, 16, FP16)
    weight = torch.randn(5, 39, generator=generator, dtype=torch.float64)
    weight *= torch.exp2(3 * torch.randn(5, 39, generator=generator, dtype=torch.float64))
    weight[2, 16:32] = 0
    q = quantize_weights(weight, scheme)
    rows = torch.nn.functional.pad(weight, (0, 9))
    for row in range(5):
        for fine in range(12):
            values = rows[row, 4 * fine : 4 * fine + 4].tolist()
            scale = q.scales[row, fine // 4].item()
            errors = []
            for shift in range(scheme.max_shift + 1):
                step = scale / 2**shift
                codes = [max(-scheme.qmax, min(scheme.qmax, round(v / step))) if step else 0 for v in values]
                errors.append(
                    (sum((v - c * step) ** 2 for v, c in zip(values, codes, strict=True)), -shift, codes)
                )
            best = min(errors, key=lambda error: error[:2])
            assert (-best[1], best[2]) == (
                q.shifts[row, fine].item(),
                q.codes[row, 4 * fine : 4 * fine + 4].tolist(),
            )
    assert not q.codes[:, 39:].any()
    assert q.shifts[2, 4:8].tolist() == [scheme.max_shift] * 4
    assert q.dequantize().shape == weight.shape


def test_dequantize_is_code_scale_shift() -> None:
    scheme = HgqScheme(4, 2, 2, 4, FP16)
    codes = torch.tensor([[-8, 7, 3, -1]], dtype=torch.int8)
    q = HgqTensor(
        codes, torch.tensor([[0, 3]], dtype=torch.uint8), decode(torch.tensor([[0x3E00]]), FP16), 3, scheme
    )
    assert q.dequantize().tolist() == [[-12.0, 10.5, 0.5625]]
    assert q.integers().tolist() == [[-64, 56, 3, -1]]
    assert q.scale_bits.tolist() == [[0x3E00]]


def test_bad_arguments_are_named() -> None:
    for arguments, message in (
        ((1, 0, 1, 1), "code_bits=1 must be between 2 and 8"),
        ((4, 5, 1, 1), "shift_bits=5 must be between 0 and 4"),
        ((4, 0, 0, 1), "fine=0 must be at least 1"),
        ((4, 0, 2, 3), "coarse=3 must be a positive multiple of fine=2"),
    ):
        with pytest.raises(ValueError, match=message):
            HgqScheme(*arguments, FP16)
    with pytest.raises(ValueError, match="every weight must be finite"):
        quantize_weights(torch.tensor([[NAN]], dtype=torch.float64), INT4)
    with pytest.raises(ValueError, match="holds magnitude 1e\\+06; a scale of format fp16"):
        quantize_weights(torch.tensor([[1e6]], dtype=torch.float64), INT4)
