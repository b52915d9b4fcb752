"""Quantization in float32 for searches, training and evaluation in seconds: the contract's rules, every scheme.

Where a quotient is so near a tie that float32 and the exact rules differ, a code is off by one; sums are not the
contract's chains. Nothing else differs.
"""

from __future__ import annotations

from functools import reduce

import torch
from torch import Tensor

from sevedo.gen.config import BF16, FP16, FloatFormat

from ..grouped import GroupedTensor, GroupScheme


def rounded(x: Tensor, fmt: FloatFormat) -> Tensor:
    """Rounded to FP16 or BF16, to nearest; or, not negative, up to a power of two (E8M0, which has no fraction)."""
    if fmt == FP16:
        return x.to(torch.float16).to(torch.float32)
    if fmt == BF16:
        return x.to(torch.bfloat16).to(torch.float32)
    fraction, exponent = torch.frexp(x)
    exponent = torch.where(fraction == 0.5, exponent - 1, exponent)
    return torch.ldexp(torch.ones_like(x), torch.where(x > 0, exponent, -127).clamp(-127, 127))


def activation_steps(groups: Tensor, scheme: GroupScheme) -> Tensor:
    """Steps of the fine groups [R, G, F] of cut activations [R, G, F, fine]; not negative."""
    # A third of the time of a reduction over so short a dimension.
    peaks = reduce(torch.maximum, groups.abs().unbind(dim=3))
    top = peaks.amax(dim=2, keepdim=True)
    match scheme.name:
        case "hgq":
            scale = rounded(top / scheme.qmax, scheme.scale)
            limits = scale * (scheme.qmax + (2 if scheme.digits == 1 else 1))
            shifts = torch.zeros_like(peaks)
            for shift in range(1, scheme.largest_number + 1):
                shifts += peaks * 2.0**shift <= limits
            return scale * torch.exp2(-shifts)
        case "vs-quant":
            scale = rounded(top / (scheme.qmax * scheme.largest_number), scheme.scale)
            wanted = torch.ceil(2 * peaks / (scale * (2 * scheme.qmax + 1)).clamp(min=1e-30))
            return scale * wanted.clamp(max=scheme.largest_number)
        case "mx":
            return rounded(top / (scheme.qmax + (2 if scheme.digits == 1 else 1)), scheme.scale)
    return rounded(top / scheme.qmax, scheme.scale).expand_as(peaks)


def fake_activations(x: Tensor, scheme: GroupScheme) -> Tensor:
    """Dequantized activations, float32 [T, K], of smoothed ones."""
    groups = scheme.cut(x)
    step = activation_steps(groups, scheme)[..., None]
    codes = groups.mul(torch.where(step > 0, 1 / step, 0.0)).round_().clamp_(-scheme.qmax, scheme.qmax)
    return codes.mul_(step).reshape(x.shape[0], -1)[:, : x.shape[1]]


def values(grouped: GroupedTensor) -> Tensor:
    """Dequantized, float32."""
    return grouped.dequantize().to(torch.float32)
