"""One floating-point scale a group and nothing finer: schemes `coarse` and `fp-fine`."""

from __future__ import annotations

from torch import Tensor

from .base import Quantizer


class SingleQuantizer(Quantizer):
    """The maximum gets the largest code."""

    def scales(self, groups: Tensor) -> Tensor:
        """max / qmax."""
        return self.rounded_scales(groups, self.scheme.qmax)
