"""Every scheme: the contract's special cases one by one, offline weights, exact quotients, bad arguments."""

from __future__ import annotations

import math
import random
from fractions import Fraction

import pytest
import torch

from sevedo.gen.config import BF16, E8M0, FP16, FineLevel, FloatFormat, largest_code, preset
from sevedo.ref.grouped import LEVELS, GroupedTensor, GroupScheme
from sevedo.ref.quantize import quantize_activations, quantize_weights
from sevedo.ref.rounding import decode, round_to


def hgq(
    bits: int, shift_bits: int, fine: int, coarse: int, scale: FloatFormat, digits: int = 1
) -> GroupScheme:
    return GroupScheme("hgq", bits, digits, FineLevel.SHIFT, shift_bits, fine, coarse, scale)


def vs_quant(bits: int, scale_bits: int, scale: FloatFormat, digits: int = 1) -> GroupScheme:
    return GroupScheme("vs-quant", bits, digits, FineLevel.INTEGER, scale_bits, 2, 4, scale)


def plain(name: str, bits: int, scale: FloatFormat, digits: int = 1) -> GroupScheme:
    return GroupScheme(name, bits, digits, FineLevel.NONE, 0, 4, 4, scale)


INT4 = hgq(4, 2, 2, 4, FP16)
TINY, INF, NAN = 2.0**-24, math.inf, math.nan


def quantize(row: list[float], scheme: GroupScheme = INT4) -> tuple[list[int], list[int], list[float]]:
    q = quantize_activations(torch.tensor([row], dtype=torch.float64), scheme)
    return q.codes[0].tolist(), q.fine[0].tolist(), q.scales[0].tolist()


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


@pytest.mark.parametrize("name", ["hgq", "vs-quant"])
@pytest.mark.parametrize(("bits", "digits"), [(2, 1), (3, 1), (4, 1), (8, 1), (2, 2), (4, 2)])
@pytest.mark.parametrize("fine_bits", [0, 1, 2, 4])
def test_weights_take_the_best_number(name: str, bits: int, digits: int, fine_bits: int) -> None:
    if name == "vs-quant" and not fine_bits:
        fine_bits = 3
    scheme = GroupScheme(name, bits, digits, LEVELS[name], fine_bits, 4, 16, FP16)
    weight = spread_weight(bits * 8 + fine_bits)
    q = quantize_weights(weight, scheme)
    rows = torch.nn.functional.pad(weight, (0, 9))
    for row in range(5):
        for fine in range(12):
            values = rows[row, 4 * fine : 4 * fine + 4].tolist()
            scale = q.scales[row, fine // 4].item()
            errors = []
            for number in range(2**fine_bits):
                step = scale / 2**number if name == "hgq" else scale * number
                codes = [max(-scheme.qmax, min(scheme.qmax, round(v / step))) if step else 0 for v in values]
                error = sum((v - c * step) ** 2 for v, c in zip(values, codes, strict=True))
                errors.append((error, -number if name == "hgq" else number, codes))
            best = min(errors, key=lambda error: error[:2])
            assert (abs(best[1]), best[2]) == (
                q.fine[row, fine].item(),
                q.codes[row, 4 * fine : 4 * fine + 4].tolist(),
            )
    assert not q.codes[:, 39:].any()
    assert q.fine[2, 4:8].tolist() == [2**fine_bits - 1 if name == "hgq" else 0] * 4
    assert q.dequantize().shape == weight.shape


@pytest.mark.parametrize(("bits", "digits"), [(2, 1), (4, 1), (8, 1), (4, 2)])
def test_mx_weights_take_the_best_power_of_two(bits: int, digits: int) -> None:
    scheme = GroupScheme("mx", bits, digits, FineLevel.NONE, 0, 4, 4, E8M0)
    weight = spread_weight(bits)
    q = quantize_weights(weight, scheme)
    for row in range(5):
        for group in range(10):
            values = torch.nn.functional.pad(weight, (0, 1))[row, 4 * group : 4 * group + 4]
            top = math.ceil(math.log2(values.abs().max() / scheme.qmax)) if values.any() else -127
            errors = {}
            for exponent in range(max(top - 3, -127), top + 3):
                codes = torch.round(values / 2.0**exponent).clamp(-scheme.qmax, scheme.qmax)
                errors[exponent] = float((values - codes * 2.0**exponent).square().sum())
            found = math.log2(q.scales[row, group].item())
            assert errors[int(found)] == min(errors[e] for e in errors if e in (top, top - 1) or top == -127)
            if bits * digits > 2:
                assert errors[int(found)] <= min(errors.values()) * (1 + 1e-9)


def spread_weight(seed: int) -> torch.Tensor:
    """[5, 39] over many binades, with a coarse group of zeros."""
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(5, 39, generator=generator, dtype=torch.float64)
    weight *= torch.exp2(3 * torch.randn(5, 39, generator=generator, dtype=torch.float64))
    weight[2, 16:32] = 0
    return weight


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


@pytest.mark.parametrize("scale", [FP16, BF16, E8M0], ids=lambda f: f.name)
@pytest.mark.parametrize("data", [FP16, BF16], ids=lambda f: f.name)
@pytest.mark.parametrize(("bits", "digits"), [(2, 1), (4, 1), (8, 1), (4, 2)])
@pytest.mark.parametrize("name", list(LEVELS))
def test_values_in_range_are_within_half_a_step(
    name: str, bits: int, digits: int, data: FloatFormat, scale: FloatFormat
) -> None:
    """Clamped values lose more, but never more than the limit allows, and keep their sign."""
    if name == "mx":
        scale = E8M0
    level = LEVELS[name]
    fine, fine_bits = 16 if name == "coarse" else 4, 0 if level is FineLevel.NONE else 3
    coarse = 16 if name in ("hgq", "vs-quant", "coarse") else fine
    scheme = GroupScheme(name, bits, digits, level, fine_bits, fine, coarse, scale)
    generator = torch.Generator().manual_seed(bits)
    x = torch.randn(40, 61, generator=generator, dtype=torch.float64)
    x = round_to(x * torch.exp2(2 * torch.randn(40, 61, generator=generator, dtype=torch.float64)), data)
    q = quantize_activations(x, scheme)
    factors = 1.0
    if level is not FineLevel.NONE:
        factors = (scheme.factors(q.fine) * 2.0**-scheme.places).repeat_interleave(fine, dim=1)[:, :61]
    step = q.scales.repeat_interleave(coarse, dim=1)[:, :61] * factors
    codes = q.codes[:, :61]
    error = (q.dequantize() - x).abs()
    clamped = codes.abs() == scheme.qmax
    assert bool((error <= step / 2)[~clamped].all())
    assert bool((x * codes >= 0).all())
    # A scale of 8 significand bits may lie 2^-9 below the exact one.
    slack = {"hgq": 2, "mx": 2, "vs-quant": 0.5}.get(name, 0) + 0.5 + scheme.qmax * 2.0**-8
    assert bool((error <= step * slack).all())
    assert 0 < int(clamped.sum()) < clamped.numel()
    assert int(q.codes.abs().max()) == scheme.qmax


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


def test_bits_per_value_and_schemes_of_a_configuration() -> None:
    config = preset("tiny").replace(rmc__activation_passes=2)
    expected = {"hgq": 4.375, "vs-quant": 4.5, "coarse": 4.25, "fp-fine": 5.0, "mx": 4.5}
    for name, bits in expected.items():
        scheme = GroupScheme.activations(config.with_scheme(name))
        assert (scheme.name, scheme.bits_per_value) == (name, bits)
        assert GroupScheme.activations(config.with_scheme(name), digits=2).bits_per_value == bits + 4
    assert GroupScheme.weights(config).bits_per_value == 4.3125
    assert [GroupScheme.activations(config, d).qmax for d in (1, 2)] == [7, 119]


def test_bad_arguments_are_named() -> None:
    for arguments, message in (
        (("hgq", 1, 1, FineLevel.SHIFT, 0, 1, 1), "code_bits=1 must be between 2 and 8"),
        (("hgq", 4, 1, FineLevel.SHIFT, 5, 1, 1), "fine_bits=5 of scheme hgq must be between 0 and 4"),
        (("vs-quant", 4, 1, FineLevel.INTEGER, 0, 1, 1), "fine_bits=0 of scheme vs-quant must be between 1"),
        (("mx", 4, 1, FineLevel.NONE, 1, 1, 1), "fine_bits=1 of scheme mx must be between 0 and 0"),
        (("hgq", 4, 1, FineLevel.SHIFT, 0, 0, 1), "fine=0 must be at least 1"),
        (("hgq", 4, 1, FineLevel.SHIFT, 0, 2, 3), "coarse=3 must be a positive multiple of fine=2"),
        (("hgq", 4, 3, FineLevel.SHIFT, 0, 1, 1), "digits=3 must be 1, or 2 with at most 4 bits each"),
        (("hgq", 5, 2, FineLevel.SHIFT, 0, 1, 1), "digits=2 must be 1, or 2 with at most 4 bits each"),
        (("mx", 4, 1, FineLevel.SHIFT, 0, 1, 1), "level=shift of scheme mx must be none"),
        (("int4", 4, 1, FineLevel.SHIFT, 0, 1, 1), "name='int4' must be one of hgq, vs-quant"),
    ):
        with pytest.raises(ValueError, match=message):
            GroupScheme(*arguments, FP16)
    for scheme in (INT4, vs_quant(4, 2, FP16), plain("coarse", 4, FP16), plain("mx", 4, E8M0)):
        with pytest.raises(ValueError, match="every weight must be finite"):
            quantize_weights(torch.tensor([[NAN]], dtype=torch.float64), scheme)
        size = "1e\\+06" if scheme.scale is FP16 and scheme.name != "vs-quant" else "1e\\+60"
        with pytest.raises(
            ValueError, match=f"holds magnitude {size}; a scale of format {scheme.scale.name}"
        ):
            quantize_weights(torch.tensor([[float(size.replace("\\", ""))]], dtype=torch.float64), scheme)
