"""Power-of-two scales: E8M0, as in the OCP microscaling (MX) specification 1.0.

The conversion of its section 6.3 (leading bits of the maximum and of the largest code aligned, the rest saturates) has
a larger error on all data we measured: docs/numerics.md.
"""

from __future__ import annotations

from torch import Tensor

from .base import Quantizer


class MxQuantizer(Quantizer):
    """The smallest power of two with which the group's maximum stays within `limit` steps."""

    def scales(self, groups: Tensor) -> Tensor:
        """max / limit, rounded up."""
        return self.rounded_scales(groups, self.limit)

    def weight_scales(self, groups: Tensor) -> list[Tensor]:
        """The smallest with which nothing saturates, and half of it; one of these has the least error."""
        return [self.rounded_scales(groups, divisor) for divisor in (2 * self.scheme.qmax, self.scheme.qmax)]
