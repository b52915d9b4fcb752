"""Hierarchical group quantization (SeVeDo, arXiv 2512.12930): one scale a coarse group, one shift a fine group."""

from __future__ import annotations

import torch
from torch import Tensor

from .base import Quantizer


class HgqQuantizer(Quantizer):
    """The largest shift at which the fine group's maximum stays within `limit` steps."""

    def scales(self, groups: Tensor) -> Tensor:
        """max / qmax."""
        return self.rounded_scales(groups, self.scheme.qmax)

    def numbers(self, groups: Tensor, scales: Tensor) -> Tensor:
        """Shifts; the comparisons are exact in float64."""
        peaks = groups.abs().amax(dim=3)
        limits = (scales * self.limit)[..., None]
        shifts = torch.zeros(peaks.shape, dtype=torch.int64)
        for shift in range(1, self.scheme.largest_number + 1):
            shifts += (peaks * 2.0**shift <= limits).to(torch.int64)
        return shifts
