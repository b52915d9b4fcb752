"""Smoothing: activation outliers are moved into the weights, channel by channel.

Source: SmoothQuant (arXiv 2211.10438), equation 4: ``s_k = max|x_k|^alpha / max|w_k|^(1 - alpha)``; the activation is
divided by s, the weight multiplied. The multiplier ``m = 1/s`` is what the hardware applies, so it is rounded first and
the weight divided by the rounded m: the product is unchanged.
"""

from __future__ import annotations

import torch
from torch import Tensor

from sevedo.gen.config import FloatFormat

from .rounding import round_to


def channel_peaks(values: Tensor) -> Tensor:
    """max|value| of every column [K] over rows [R, K]; entries that are not finite do not count."""
    return torch.where(torch.isfinite(values), values.abs(), 0.0).amax(dim=0)


def smoothing_multiplier(activations: Tensor, weight: Tensor, alpha: float, data: FloatFormat) -> Tensor:
    """m of every input channel: float64 [K], positive normal numbers of `data`.

    Channels in which either maximum is zero keep the multiplier 1 (nothing to balance). A power of two common to the
    others makes the largest smoothed activation and weight equal to within a factor of two, so that neither leaves
    the formats.

    Parameters
    ----------
    activations : calibration [*, K] float64
    weight : [N, K] float64, finite
    alpha : 0 (weights are flattened) to 1 (activations are flattened)
    data : format of m

    Raises
    ------
    ValueError : alpha outside 0..1.
    """
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha={alpha} must be between 0 and 1")
    x_peak, w_peak = channel_peaks(activations), channel_peaks(weight)
    live = (x_peak > 0) & (w_peak > 0)
    if not bool(live.any()):
        return torch.ones_like(w_peak)
    # In logarithms: maxima near the ends of float64 must not overflow on the way.
    log_x, log_w = torch.log2(x_peak), torch.log2(w_peak)
    log_m = (1 - alpha) * log_w - alpha * log_x
    after_x, after_w = (log_x + log_m)[live].max(), (log_w - log_m)[live].max()
    log_m = torch.where(live, log_m + torch.round((after_w - after_x) / 2), 0.0)
    # The highest binade is left out: rounding up there could overflow.
    return round_to(torch.exp2(log_m.clamp(data.min_exponent, data.max_exponent)), data)
