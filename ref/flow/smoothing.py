"""Smoothing multipliers of one layer, fitted to what quantization does to its inputs and its residual weight."""

from __future__ import annotations

import torch
from torch import Tensor

from sevedo.gen.config import FP16, FloatFormat

from .fake import rounded
from .split import leading
from .statistics import LayerStatistics

ROUNDS = 2


def multiplier(
    weight: Tensor, seen: LayerStatistics, rank: int, kind: str, data: FloatFormat = FP16
) -> Tensor:
    """m [K], numbers of `data`: inputs are multiplied, the weight's columns divided by it.

    "balance": the activations' error is sum over channels of noise_k |R_k|^2, R what the low-rank path leaves of the
    weight, since that path reads unquantized activations. With steps common to a group it is least, for a given sum
    of weights' and activations' errors, where m_k = sqrt(rms(R_k) / rms(x_k)). R depends on m: `ROUNDS` alternations.

    Parameters
    ----------
    weight : [N, K]
    seen : the inputs
    rank : of the low-rank path
    kind : a smoothing of the recipe
    data : format of m
    """
    if kind == "none":
        return torch.ones(weight.shape[1])
    if kind == "peak":
        x_peak, w_peak = seen.sample.abs().amax(0), weight.abs().amax(0)
        live = (x_peak > 0) & (w_peak > 0)
        return _rounded(torch.where(live, w_peak / x_peak.clamp(min=1e-30), 1.0).sqrt(), weight, seen, data)
    rms = seen.gram.diagonal().sqrt()
    live = (rms > 0) & (weight != 0).any(0)
    columns = _balanced(weight)
    for step in range(ROUNDS + 1):
        m = torch.where(live, columns / rms.clamp(min=1e-8), 1.0).sqrt()
        if step < ROUNDS:
            u, v = leading(weight / m, rank)
            columns = _balanced(weight - (u @ v) * m)
    return _rounded(m, weight, seen, data)


def _balanced(weight: Tensor) -> Tensor:
    """Root mean squares of columns; those near zero are lifted."""
    columns = weight.square().mean(0).sqrt()
    return columns.clamp(min=max(1e-3 * float(columns.mean()), 1e-8))


def _rounded(m: Tensor, weight: Tensor, seen: LayerStatistics, data: FloatFormat) -> Tensor:
    """With a common power of two that makes the largest |x m| and |w / m| equal to within a factor of two."""
    w_peak, x_peak = (weight / m).abs().max(), (seen.sample * m).abs().max()
    if float(w_peak) > 0 and float(x_peak) > 0:
        m = m * torch.exp2((torch.log2(w_peak / x_peak) / 2).round())
    return rounded(m.clamp(min=2.0**-14, max=2.0**15), data)
