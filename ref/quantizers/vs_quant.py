"""Two-level scales (VS-Quant, arXiv 2102.04503): one scale a coarse group, one unsigned integer a fine group."""

from __future__ import annotations

import torch
from torch import Tensor

from .base import Quantizer


class VsQuantizer(Quantizer):
    """The smallest integer with which the fine group's maximum loses at most half a step to saturation."""

    def scales(self, groups: Tensor) -> Tensor:
        """max / (qmax * largest integer)."""
        return self.rounded_scales(groups, self.scheme.qmax * self.scheme.largest_number)

    def numbers(self, groups: Tensor, scales: Tensor) -> Tensor:
        """The smallest s with max <= (qmax + 1/2) * s * scale, or the largest there is."""
        peaks = groups.abs().amax(dim=3)
        positive = (scales > 0)[..., None]
        # An integer quotient is exact in float64, any other at least 2^-19 from an integer: ceil is exact.
        halves = torch.where(scales > 0, scales * (2 * self.scheme.qmax + 1), 1.0)[..., None]
        wanted = torch.where(positive, torch.ceil(2 * peaks / halves), torch.where(peaks > 0, torch.inf, 0.0))
        largest = float(self.scheme.largest_number)
        return torch.nan_to_num(wanted, nan=0.0, posinf=largest).clamp(0, largest).to(torch.int64)
