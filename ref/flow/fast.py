"""Quantization in float32 for searches: the contract's rules for shift schemes, not its exact rounding of ties.

Where a quotient is so near a tie that float32 and the exact rules differ, a code is off by one; nothing else differs.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..grouped import GroupScheme


def _half(values: Tensor) -> Tensor:
    return values.to(torch.float16).to(torch.float32)


def fast_activations(x: Tensor, scheme: GroupScheme, signed: bool = False) -> Tensor:
    """Dequantized activations, float32 [T, K], of smoothed ones in scheme `hgq`, `coarse` or `fp-fine`.

    Parameters
    ----------
    x : [T, K] float32, FP16 numbers
    scheme : how rows are quantized
    signed : the maximum takes code -2^(b-1), its sign going into the scale
    """
    groups = scheme.cut(x)
    if signed:
        flat = groups.flatten(2)
        peak = flat.gather(2, flat.abs().argmax(dim=2, keepdim=True))[..., 0]
        scale, low, high = _half(-peak / (scheme.qmax + 1)), -scheme.qmax - 1, scheme.qmax
    else:
        scale, low, high = _half(groups.abs().amax(dim=(2, 3)) / scheme.qmax), -scheme.qmax, scheme.qmax
    step = scale[..., None].expand(groups.shape[:3])
    if scheme.places:
        peaks = groups.abs().amax(dim=3)
        limits = (scale.abs() * (scheme.qmax + 2))[..., None]
        shifts = torch.zeros_like(peaks)
        for shift in range(1, scheme.largest_number + 1):
            shifts += peaks * 2.0**shift <= limits
        step = step * torch.exp2(-shifts)
    step = step[..., None]
    codes = torch.where(step != 0, groups / step, 0.0).round_().clamp_(low, high)
    return (codes * step).reshape(x.shape[0], -1)[:, : x.shape[1]]


def weight_steps(
    w: Tensor,
    scheme: GroupScheme,
    importance: Tensor,
    clips: tuple[float, ...] = (1.0,),
    signed: bool = False,
) -> tuple[Tensor, Tensor]:
    """Scales and shifts of least weighted squared error: [N, G] scales (FP16 numbers) and shifts [N, G, F].

    Parameters
    ----------
    w : [N, K] float32, one or more coarse groups
    scheme : how
    importance : [K], the weight of a squared error in each input channel
    clips : factors on the scale that are tried; 1 alone keeps the maximum
    signed : as `fast_activations`
    """
    groups = scheme.cut(w)
    weights = scheme.cut(importance[None])
    flat = groups.flatten(2)
    peak = flat.gather(2, flat.abs().argmax(dim=2, keepdim=True))[..., 0]
    variants = [(peak.abs() / scheme.qmax, -scheme.qmax, scheme.qmax)]
    if signed:
        variants.append((-peak / (scheme.qmax + 1), -scheme.qmax - 1, scheme.qmax))
    best_scale = torch.zeros_like(peak)
    best_shift = torch.zeros(groups.shape[:3])
    least = torch.full_like(peak, torch.inf)
    for base, low, high in variants:
        for clip in clips:
            scale = _half(base * clip)
            errors, shifts = None, None
            for shift in range(scheme.largest_number + 1):
                step = (scale * 2.0**-shift)[..., None, None]
                codes = torch.where(step != 0, groups / step, 0.0).round_().clamp_(low, high)
                error = ((groups - codes * step).square_() * weights).sum(dim=3)
                if errors is None:
                    errors, shifts = error, torch.zeros_like(error)
                else:
                    better = error < errors
                    shifts = torch.where(better, float(shift), shifts)
                    errors = torch.where(better, error, errors)
            total = errors.sum(dim=2)
            better = total < least
            least = torch.where(better, total, least)
            best_scale = torch.where(better, scale, best_scale)
            best_shift = torch.where(better[..., None], shifts, best_shift)
    return best_scale, best_shift


def expand(scale: Tensor, shift: Tensor, scheme: GroupScheme, inputs: int) -> Tensor:
    """The step of every element [N, K] of scales [N, G] and shifts [N, G, F]."""
    step = scale[..., None] * torch.exp2(-shift)
    return step.flatten(1).repeat_interleave(scheme.fine, dim=1)[:, :inputs]
