"""What all schemes share: offline weights, errors within bounds, bits per value, bad arguments."""

from __future__ import annotations

import math

import pytest
import torch
from short_schemes import INT4, NAN, plain, spread_weight, vs_quant

from sevedo.gen.config import BF16, E8M0, FP16, FineLevel, FloatFormat, preset
from sevedo.ref.grouped import LEVELS, GroupScheme
from sevedo.ref.rounding import round_to
from sevedo.ref.rows import quantize_activations, quantize_weights


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
    factors = torch.ones(1)
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
