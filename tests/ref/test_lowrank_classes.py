"""Integer classes of the low-rank path against exact rationals, one output at a time."""

from __future__ import annotations

from fractions import Fraction

import pytest
import torch

from sevedo.gen.config import FP32, ConfigError, Kind, Number, preset
from sevedo.ref.classes import expand, z_codes
from sevedo.ref.linear import quantize_linear

TINY = preset("tiny").replace(groups__fine=4, groups__coarse=16, rmc__lanes=4)


def _round_half_even(value: Fraction) -> int:
    low = value.numerator // value.denominator
    rest = value - low
    return low + (rest > Fraction(1, 2) or (rest == Fraction(1, 2) and low % 2 == 1))


def _fp32(value: Fraction) -> Fraction:
    return FP32.decode(FP32.encode(Number(Kind.FINITE, value < 0, abs(value)))).value


@pytest.mark.parametrize("scheme", ["hgq", "vs-quant", "coarse", "fp-fine", "mx"])
@pytest.mark.parametrize("digits", [1, 2])
def test_against_rationals(scheme: str, digits: int) -> None:
    config = TINY.with_scheme(scheme)
    generator = torch.Generator().manual_seed(digits)
    weight = torch.randn(3, 37, generator=generator, dtype=torch.float64)
    x = torch.randn(4, 37, generator=generator, dtype=torch.float64)
    x[:, 5] *= 30
    names = {1: "int4_rank", 2: "int8_rank"}
    layer = quantize_linear(weight, None, x, config, 0, **{names[digits]: 2})
    inputs = layer.prepare(x)
    (part,) = layer.classes
    q, v = layer.wide(inputs), part.v
    assert (part.digits, q.scheme.digits) == (digits, 2)
    got_z, got = expand(q, part)
    for t in range(4):
        codes = []
        for r in range(part.ranks):
            z = Fraction(0)
            for group in range(q.groups):
                total = 0
                for k in range(group * q.scheme.coarse, (group + 1) * q.scheme.coarse):
                    fx = fw = 1
                    if q.fine.numel():
                        fx = int(q.scheme.factors(q.fine[t, k // q.scheme.fine]))
                        fw = int(v.scheme.factors(v.fine[r, k // v.scheme.fine]))
                    total += int(q.codes[t, k]) * int(v.codes[r, k]) * fx * fw
                scaled = _fp32(Fraction(total, 2 ** (q.scheme.places + v.scheme.places)))
                term = scaled * Fraction(float(q.scales[t, group])) * Fraction(float(v.scales[r, group]))
                z = _fp32(z + _fp32(term))
            codes.append(max(-119, min(119, _round_half_even(z))))
        assert got_z[t].tolist() == codes
        for n in range(3):
            whole = sum(code * int(part.u[n, r]) for r, code in enumerate(codes))
            assert Fraction(float(got[t, n])) == _fp32(whole * Fraction(float(part.scales[n])))
    assert int(part.u.abs().max()) <= part.qmax == (119 if digits == 2 else 7)
    assert len(set(got_z.reshape(-1).tolist())) > 4


def test_z_that_is_no_number() -> None:
    z = torch.tensor([torch.nan, torch.inf, -torch.inf, 0.5, 1.5, -119.6, 6.5, -0.0])
    assert z_codes(z, 119).tolist() == [0, 119, -119, 0, 2, -119, 6, 0]
    assert z_codes(z, 7).tolist() == [0, 7, -7, 0, 2, -7, 6, 0]


def test_wide_codes_of_activations_are_their_own() -> None:
    """The classes read x' quantized with two digits, whatever the residual path reads."""
    generator = torch.Generator().manual_seed(3)
    weight = torch.randn(4, 48, generator=generator, dtype=torch.float64)
    x = torch.randn(3, 48, generator=generator, dtype=torch.float64)
    layer = quantize_linear(weight, None, x, TINY, 0, None, int4_rank=1)
    inputs = layer.prepare(x)
    wide = layer.wide(inputs)
    assert inputs.quantized.scheme.digits == 1
    assert 7 < int(wide.codes.abs().max()) <= 119
    both = quantize_linear(
        weight, None, x, TINY.replace(rmc__activation_passes=2), 0, None, activation_digits=2, int4_rank=1
    )
    assert both.wide(both.prepare(x)).codes.equal(wide.codes)


def test_codes_of_more_than_a_byte_are_refused() -> None:
    weight = torch.ones(3, 8, dtype=torch.float64)
    wide = TINY.replace(lvc__int8_ranks=0, lvc__int4_ranks=0, numbers__activation_bits=5)
    with pytest.raises(ValueError, match="digits=2 must be 1"):
        quantize_linear(weight, None, None, wide, 0, int4_rank=1)
    with pytest.raises(ConfigError, match="int8_ranks=2 must be 0 with"):
        TINY.replace(numbers__activation_bits=5)


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_special_inputs_stay_special(value: float) -> None:
    """A token with NaN or infinity gives NaN or infinity, whatever the integer classes make of it."""
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(5, 40, generator=generator, dtype=torch.float64)
    x = torch.randn(3, 40, generator=generator, dtype=torch.float64)
    layer = quantize_linear(weight, None, x, TINY, 1, int8_rank=1, int4_rank=2)
    x[1, 7] = value
    output = layer.run(x).output
    assert not torch.isfinite(output[1]).any()
    assert torch.isfinite(output[[0, 2]]).all()


def test_classes_take_error_away() -> None:
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(64, 8, generator=generator, dtype=torch.float64) @ torch.randn(
        8, 96, generator=generator, dtype=torch.float64
    ) + torch.randn(64, 96, generator=generator, dtype=torch.float64)
    x = torch.randn(32, 96, generator=generator, dtype=torch.float64)
    exact = x @ weight.T
    errors = [
        float((quantize_linear(weight, None, x, TINY, 0, None, int8_rank=ranks).run(x).output - exact).norm())
        for ranks in (0, 4, 8)
    ]
    assert errors[0] > errors[1] > errors[2]
