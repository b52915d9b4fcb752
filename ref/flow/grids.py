"""Grids of weights: scales and numbers of fine groups of least weighted squared error, in float32, every scheme."""

from __future__ import annotations

import torch
from torch import Tensor

from sevedo.gen.config import FineLevel

from ..grouped import GroupScheme
from .fake import rounded


def scale_candidates(peaks: Tensor, scheme: GroupScheme, clips: tuple[float, ...]) -> list[Tensor]:
    """Scales [N] that coarse groups with these maxima may take.

    Schemes whose fine groups or powers of two already choose among clipped maxima (vs-quant, mx) try no clips.
    """
    if scheme.name == "mx":
        return [rounded(peaks / divisor, scheme.scale) for divisor in (2 * scheme.qmax, scheme.qmax)]
    if scheme.name == "vs-quant":
        return [rounded(peaks / (scheme.qmax * scheme.largest_number), scheme.scale)]
    return [rounded(peaks * clip / scheme.qmax, scheme.scale) for clip in clips]


def factors(scheme: GroupScheme) -> list[float]:
    """The factor of every number of a fine group; [1.0] in schemes without."""
    if scheme.level is FineLevel.NONE:
        return [1.0]
    numbers = torch.arange(scheme.largest_number + 1)
    return [float(f) * 2.0**-scheme.places for f in scheme.factors(numbers)]


def best_grid(
    group: Tensor, scheme: GroupScheme, importance: Tensor, clips: tuple[float, ...]
) -> tuple[Tensor, Tensor]:
    """Scale [N] and numbers [N, F] of one coarse group of every row.

    Parameters
    ----------
    group : [N, up to coarse]
    scheme : of the weights
    importance : weight of a squared error in each column
    clips : factors on the scales that are tried; 1 keeps the maximum
    """
    cut = scheme.cut(group)[:, 0]
    weights = scheme.cut(importance[None])[0]
    order = list(enumerate(factors(scheme)))
    if scheme.level is FineLevel.SHIFT:
        order.reverse()  # of equals the smaller factor
    best: tuple[Tensor, Tensor, Tensor] | None = None
    for scale in scale_candidates(cut.abs().amax(dim=(1, 2)), scheme, clips):
        least = torch.full(cut.shape[:2], torch.inf)
        numbers = torch.zeros(cut.shape[:2])
        for number, factor in order:
            step = (scale * factor)[:, None, None]
            codes = (cut * torch.where(step > 0, 1 / step, 0.0)).round_().clamp_(-scheme.qmax, scheme.qmax)
            error = (cut - codes.mul_(step)).square_().mul_(weights).sum(dim=2)
            numbers = torch.where(error < least, float(number), numbers)
            least = torch.minimum(error, least)
        total = least.sum(dim=1)
        if best is None:
            best = total, scale, numbers
        else:
            better = total < best[0]
            best = (
                torch.where(better, total, best[0]),
                torch.where(better, scale, best[1]),
                torch.where(better[:, None], numbers, best[2]),
            )
    assert best is not None
    return best[1], best[2]


def steps(scale: Tensor, numbers: Tensor, scheme: GroupScheme, inputs: int) -> Tensor:
    """Steps of every element [N, inputs] of one coarse group of scale [N] and numbers [N, F]."""
    table = torch.tensor(factors(scheme))
    return (scale[:, None] * table[numbers.long()]).repeat_interleave(scheme.fine, dim=1)[:, :inputs]
