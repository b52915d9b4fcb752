"""Whole layers: accuracy, where NaN and infinity go, the error bound, offline parts, bad input."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from sevedo.gen.config import BF16, FP16, SCHEMES, Config, largest_code, preset
from sevedo.ref.bench import measure
from sevedo.ref.decompose import split
from sevedo.ref.grouped import LEVELS, GroupedTensor, GroupScheme
from sevedo.ref.linear import quantize_linear
from sevedo.ref.metrics import exact_linear, per_token_int4, relative_error
from sevedo.ref.residual import accumulators, residual
from sevedo.ref.rounding import round_to
from sevedo.ref.smoothing import smoothing_multiplier

TINY = preset("tiny")


def layer(outputs: int, inputs: int, tokens: int, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Weight, bias and activations with a few outlier channels."""
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(outputs, inputs, generator=generator, dtype=torch.float64) / inputs**0.5
    bias = torch.randn(outputs, generator=generator, dtype=torch.float64)
    activations = torch.randn(tokens, inputs, generator=generator, dtype=torch.float64)
    activations[:, :: max(1, inputs // 5)] *= 30
    return weight, bias, activations


def test_accuracy_beats_the_baseline_and_wide_codes_are_close() -> None:
    weight, bias, x = layer(96, 200, 40)
    reference = exact_linear(x, weight, bias)
    error = relative_error(quantize_linear(weight, bias, x, TINY, 32).run(x).output, reference)
    assert error < 0.6 * relative_error(per_token_int4(x, weight, bias), reference)
    bits = {"numbers__activation_bits": 8, "numbers__weight_bits": 8}
    wide = TINY.replace(**bits, lvc__int8_ranks=0, lvc__int4_ranks=0)
    assert relative_error(quantize_linear(weight, bias, x, wide, 32).run(x).output, reference) < 0.01


@pytest.mark.parametrize("data", ["fp16", "bf16"])
def test_sums_are_within_the_bound_of_exact_arithmetic(data: str) -> None:
    """Before the final rounding: relative error below 2^-14 of the sum of magnitudes, on the same codes and z."""
    config = TINY.replace(numbers__data=data, groups__scale=data)
    for seed, (outputs, inputs) in enumerate([(48, 3000), (64, 64), (5, 777)]):
        weight, bias, x = layer(outputs, inputs, 9, seed)
        q = quantize_linear(weight, bias, x, config, 16)
        inputs_ = q.prepare(x)
        trace = q.compute(inputs_)
        xs, ws = inputs_.quantized.dequantize(), q.weight.dequantize()
        exact = xs @ ws.T
        size = xs.abs() @ ws.abs().T
        assert bool(((trace.residual.double() - exact).abs() <= 2.0**-14 * size).all())
        low = trace.z @ q.u.T
        low_size = trace.z.abs() @ q.u.abs().T
        assert bool(((trace.low_rank.double() - low).abs() <= 2.0**-14 * low_size).all())
        before = (trace.residual + trace.low_rank) + q.bias.float()
        total = exact + low + q.bias
        assert bool(((before.double() - total).abs() <= 2.0**-14 * (size + low_size + q.bias.abs())).all())


def test_nan_and_infinity_reach_exactly_what_depends_on_them() -> None:
    weight, bias, x = layer(12, 150, 6, seed=3)
    q = quantize_linear(weight, bias, x, TINY, 4)
    clean = q.run(x)
    assert bool(torch.isfinite(clean.output).all())
    for value in (math.nan, math.inf, -math.inf):
        bad = x.clone()
        bad[2, 149] = value
        bad[4, 0] = value
        trace = q.run(bad)
        hit = torch.tensor([2, 4])
        rest = torch.tensor([0, 1, 3, 5])
        assert bool((~torch.isfinite(trace.output[hit])).all())
        assert torch.equal(trace.output_bits[rest], clean.output_bits[rest])
        if math.isnan(value):
            assert bool((trace.output_bits[hit] == FP16.nan).all())


def test_last_step_overflows_to_infinity() -> None:
    weight, x = torch.full((2, 64), 100.0), torch.full((1, 64), 1000.0)
    weight[1] = -100.0
    assert quantize_linear(weight, None, None, TINY, 0).run(x).output.tolist() == [[math.inf, -math.inf]]


@pytest.mark.parametrize(("outputs", "inputs", "tokens"), [(1, 1, 1), (1, 65, 2), (3, 63, 1), (7, 130, 5)])
def test_any_shape(outputs: int, inputs: int, tokens: int) -> None:
    weight, bias, x = layer(outputs, inputs, tokens, seed=7)
    q = quantize_linear(weight, bias, x, TINY, 32)
    assert (q.outputs, q.inputs, q.rank) == (outputs, inputs, min(outputs, inputs))
    trace = q.run(x)
    assert trace.output.shape == (tokens, outputs)
    assert relative_error(trace.output, exact_linear(x, weight, bias)) < 0.05


def test_parts_that_are_left_out() -> None:
    weight, _, x = layer(8, 70, 3)
    q = quantize_linear(weight, None, None, TINY, 0)
    trace = q.run(x)
    assert (q.multiplier == 1).all()
    assert (q.smooth == 1).all()
    assert not q.bias.any()
    assert trace.z.shape == (3, 0)
    assert not trace.low_rank.any()
    assert torch.equal(trace.output, round_to(trace.residual.double(), FP16))
    assert not quantize_linear(torch.zeros(4, 9), None, x[:, :9], TINY, 2).run(x[:, :9]).output.any()


@pytest.mark.parametrize("scale", [1e-30, 1e-4, 1.0, 3e4])
def test_calibration_of_any_size_keeps_the_formats(scale: float) -> None:
    weight, bias, x = layer(20, 80, 10)
    x = (x * scale).clamp(-60000, 60000)
    x[0, 3], x[1, 4] = math.nan, math.inf
    for alpha in (0.0, 0.5, 1.0, None):
        q = quantize_linear(weight, bias, x, TINY, 8, alpha)
        for values in (q.multiplier, q.u, q.v, q.weight.scales):
            assert bool(torch.isfinite(values).all())
        assert bool((q.multiplier >= 2.0**-14).all())
        assert bool(torch.isfinite(q.prepare(round_to(x, FP16)[2:]).values).all() or alpha is None)


def test_factors_are_data_numbers_and_residual_absorbs_their_rounding() -> None:
    weight, _, x = layer(40, 60, 30)
    for data in (FP16, BF16):
        u, v, rest = split(weight, 8, data, x)
        assert torch.equal(round_to(u, data), u)
        assert torch.equal(round_to(v, data), v)
        assert torch.allclose(u @ v + rest, weight, rtol=0, atol=1e-14)
        best = torch.linalg.svd(weight).S[8:].square().sum().sqrt()
        assert best * 0.999 <= torch.linalg.vector_norm(rest) < 1.01 * best
        peaks = torch.log2((x @ v.T).abs().amax(dim=0))
        assert bool(((peaks >= 7.4) & (peaks <= 8.6)).all())
    with pytest.raises(ValueError, match="rank=-1 must be at least 0"):
        split(weight, -1, FP16)
    with pytest.raises(ValueError, match="low-rank factors must fit fp16"):
        split(weight * 1e12, 2, FP16)


def test_smoothing_levels_the_channels() -> None:
    weight, _, x = layer(16, 50, 40)
    weight[:, 7], x[:, 9] = 0, 0
    m = smoothing_multiplier(x, weight, 0.5, FP16)
    assert torch.equal(round_to(m, FP16), m)
    assert m[7] == m[9] == 1
    live = torch.ones(50, dtype=torch.bool)
    live[[7, 9]] = False
    ratio = ((x * m).abs().amax(dim=0) / (weight / m).abs().amax(dim=0))[live]
    assert float(ratio.max() / ratio.min()) < 1.01  # alpha 1/2: both maxima alike in every channel
    flat = (x * smoothing_multiplier(x, weight, 1.0, FP16)).abs().amax(dim=0)[live]
    assert float(flat.max() / flat.min()) < 1.01
    assert torch.equal(smoothing_multiplier(x * 0, weight, 0.5, FP16), torch.ones(50, dtype=torch.float64))
    with pytest.raises(ValueError, match=r"alpha=1.5 must be between 0 and 1"):
        smoothing_multiplier(x, weight, 1.5, FP16)


@pytest.mark.parametrize(
    ("name", "bits", "digits", "fine_bits"),
    [
        ("hgq", 4, 1, 2),
        ("hgq", 4, 1, 4),
        ("hgq", 4, 2, 2),
        ("hgq", 8, 1, 0),
        ("hgq", 8, 1, 4),
        ("vs-quant", 4, 1, 4),
        ("vs-quant", 4, 2, 4),
        ("vs-quant", 8, 1, 8),
        ("coarse", 4, 2, 0),
        ("mx", 4, 1, 0),
    ],
)
def test_accumulators_are_exact_at_the_extremes(name: str, bits: int, digits: int, fine_bits: int) -> None:
    scheme = GroupScheme(name, bits, digits, LEVELS[name], fine_bits, 16, 64, FP16)
    generator = torch.Generator().manual_seed(1)
    low, high = -largest_code(bits, digits), scheme.qmax

    def rows(count: int) -> GroupedTensor:
        codes = torch.randint(low, high + 1, (count, 192), generator=generator).to(torch.int16)
        codes[0] = low
        fine = torch.randint(0, scheme.largest_number + 1, (count, 12), generator=generator).to(torch.uint8)
        fine[0] = scheme.largest_number if name == "vs-quant" else 0
        return GroupedTensor(codes, fine, torch.ones(count, 3, dtype=torch.float64), 192, scheme)

    x, w = rows(5), rows(6)
    for group, sums in enumerate(accumulators(x, w)):
        at = slice(64 * group, 64 * group + 64)
        expected = (x.integers()[:, None, at] * w.integers()[None, :, at]).sum(dim=2)
        assert torch.equal(sums.to(torch.int64), expected)
        assert int(expected[0, 0]) == 64 * (low * scheme.level.largest_factor(fine_bits)) ** 2


@pytest.mark.parametrize("scheme", SCHEMES)
def test_two_digits_are_codes_of_twice_the_bits(scheme: str) -> None:
    weight, bias, x = layer(48, 200, 20)
    config = TINY.replace(groups__scheme=scheme, rmc__activation_passes=2, rmc__weight_passes=2)
    reference = exact_linear(x, weight, bias)
    errors = []
    for digits in ((1, 1), (2, 1), (1, 2), (2, 2)):
        q = quantize_linear(weight, bias, x, config, 8, activation_digits=digits[0], weight_digits=digits[1])
        assert (q.activation_scheme.digits, q.weight.scheme.digits) == digits
        trace = q.run(x)
        assert bool(torch.isfinite(trace.output).all())
        errors.append(relative_error(trace.output, reference))
    assert 0 < errors[3] < 0.12 * errors[0]
    assert errors[3] < min(errors[1:3])
    assert max(errors[1:3]) < errors[0] < 0.2


def test_digits_need_passes() -> None:
    for name in ("activation", "weight"):
        for digits in (0, 2):
            message = f"{name}_digits={digits} must be between 1 and rmc.{name}_passes=1"
            with pytest.raises(ValueError, match=message):
                quantize_linear(torch.ones(3, 4), None, None, TINY, 0, **{f"{name}_digits": digits})


def test_flushed_subnormals_are_refused() -> None:
    weight, _, x = layer(2, 4, 1)
    q = quantize_linear(weight, None, None, TINY, 0)
    if not torch.set_flush_denormal(True):
        pytest.skip("this processor cannot flush subnormals")
    try:
        with pytest.raises(RuntimeError, match="float32 subnormals are flushed"):
            q.run(x)
    finally:
        torch.set_flush_denormal(False)
    assert bool(torch.isfinite(q.run(x).output).all())


def test_relative_error() -> None:
    a = torch.tensor([3.0, 4.0, math.nan, 1.0])
    assert relative_error(a, torch.tensor([3.0, 4.0, 1.0, math.inf])) == 0
    assert relative_error(a, torch.tensor([0.0, 4.0, 1.0, math.inf])) == 0.75
    assert relative_error(torch.zeros(2), torch.zeros(2)) == 0
    assert relative_error(torch.ones(2), torch.zeros(2)) == math.inf
    assert math.isnan(relative_error(torch.full((2,), math.nan), torch.ones(2)))
    with pytest.raises(ValueError, match="output has shape"):
        relative_error(torch.ones(2), torch.ones(3))


def _bad(position: tuple[int, int], value: float) -> Tensor:
    weight = torch.ones(3, 4, dtype=torch.float64)
    weight[position] = value
    return weight


@pytest.mark.parametrize(
    ("weight", "bias", "calibration", "rank", "message"),
    [
        (
            _bad((0, 1), math.nan),
            None,
            None,
            0,
            "weight holds 1 NaN or infinite values; every value must be finite",
        ),
        (
            _bad((2, 3), math.inf),
            None,
            None,
            0,
            "weight holds 1 NaN or infinite values; every value must be finite",
        ),
        (_bad((0, 0), 1e9), None, None, 0, "holds magnitude 1e\\+09"),
        (torch.ones(3), None, None, 0, "weight has shape \\(3,\\); it must be \\[outputs, inputs\\]"),
        (torch.ones(0, 4), None, None, 0, "weight has shape \\(0, 4\\); it must be \\[outputs, inputs\\]"),
        (torch.ones(3, 4), torch.ones(4), None, 0, "bias has shape \\(4,\\); it must be \\[3\\]"),
        (torch.ones(3, 4), torch.full((3,), math.nan), None, 0, "bias holds 3 NaN or infinite values"),
        (torch.ones(3, 4), None, torch.ones(2, 3), 0, "calibration has shape \\(2, 3\\)"),
        (torch.ones(3, 4), None, None, 65, "rank=65 must be between 0 and lvc.max_rank=64"),
        (torch.ones(3, 4), None, None, -1, "rank=-1 must be between 0 and lvc.max_rank=64"),
    ],
)
def test_bad_layers_are_named(
    weight: Tensor, bias: Tensor | None, calibration: Tensor | None, rank: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        quantize_linear(weight, bias, calibration, TINY, rank)


def test_bad_activations_and_operands_are_named() -> None:
    q = quantize_linear(torch.ones(3, 4), None, None, TINY, 0)
    for shape in ((2, 3), (0, 4), (4,)):
        with pytest.raises(ValueError, match="input has shape"):
            q.run(torch.ones(shape))
    other: Config = TINY.replace(groups__coarse=32)
    x = quantize_linear(torch.ones(3, 4), None, None, other, 0).prepare(torch.ones(1, 4)).quantized
    with pytest.raises(ValueError, match="must equal those of"):
        residual(x, q.weight)
    x = quantize_linear(torch.ones(3, 5), None, None, TINY, 0).prepare(torch.ones(1, 5)).quantized
    with pytest.raises(ValueError, match="inputs=5 of the activations must equal inputs=4"):
        residual(x, q.weight)


def test_bench_measures() -> None:
    speed = measure(TINY, inputs=128, outputs=64, tokens=8, rank=4, repeats=1)
    assert speed.macs == 128 * 64 * 8
    assert min(speed.quantize, speed.prepare, speed.residual, speed.layer) > 0
    assert speed.residual_rate == speed.macs / speed.residual
    assert speed.layer_rate == speed.macs / speed.layer
