"""What a scale scheme decides when a row is quantized: its scales and the numbers of its fine groups."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from sevedo.gen.config import Rounding

from ..grouped import GroupScheme
from ..rounding import round_to


class Quantizer(ABC):
    """The rules of one scheme.

    Numerics: exact by docs/numerics.md for values of at most 11 significand bits (FP16, BF16). Whatever the answer for
    groups that hold NaN or an infinity or whose scale is not finite: the caller replaces it.

    Parameters
    ----------
    scheme : how rows are quantized
    """

    def __init__(self, scheme: GroupScheme) -> None:
        self.scheme = scheme

    @property
    def limit(self) -> int:
        """What the maximum may reach, in steps, before a power-of-two step doubles: a sum or difference of two powers.

        Clamping the maximum a little costs less than a step of twice the size costs all its other values. Measured in
        docs/numerics.md.
        """
        return self.scheme.qmax + (2 if self.scheme.digits == 1 else 1)

    @abstractmethod
    def scales(self, groups: Tensor) -> Tensor:
        """Scales [R, G] of cut activations [R, G, F, fine]."""

    def weight_scales(self, groups: Tensor) -> list[Tensor]:
        """Scales [R, G] that cut weights may take; the least squared error decides, the first of equals."""
        return [self.scales(groups)]

    def numbers(self, groups: Tensor, scales: Tensor) -> Tensor:
        """Numbers of the fine groups of cut activations, int64 [R, G, F]; zeros in schemes without."""
        return torch.zeros(groups.shape[:3], dtype=torch.int64)

    def rounded_scales(self, groups: Tensor, divisor: int) -> Tensor:
        """The maximum of each coarse group over `divisor`, to nearest; up where the format has no fraction (E8M0)."""
        # One rounding in effect. An 11-bit significand over an integer D < 2^15 that is not on a boundary of the
        # rounding (a number B of at most 12 bits) is at least 1 / (B D) > 2^-27 (relative) from it: far more than the
        # 2^-53 of the division in float64.
        fmt = self.scheme.scale
        rounding = Rounding.NEAREST_EVEN if fmt.has_zero else Rounding.TOWARD_POSITIVE
        return round_to(groups.abs().amax(dim=(2, 3)) / divisor, fmt, rounding)
