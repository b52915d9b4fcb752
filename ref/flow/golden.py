"""Fitted layers as the golden model runs them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sevedo.gen.config import Config

from ..grouped import GroupedTensor
from ..linear import QuantizedLinear
from .layer import FittedLayer


def golden_layer(fitted: FittedLayer, config: Config) -> QuantizedLinear:
    """The layer in the arithmetic of docs/numerics.md.

    Raises
    ------
    ValueError : the layer was fitted for another rule for activations.
    """
    if fitted.signed_x:
        raise ValueError("signed_x=True is not a rule of the contract; fit with signed_x=False")
    inputs, coarse = fitted.codes.shape[1], fitted.w_scheme.coarse
    codes = nn.functional.pad(fitted.codes, (0, -inputs % coarse)).to(torch.int8)
    weight = GroupedTensor(
        codes, fitted.shifts.flatten(1).to(torch.uint8), fitted.scales.double(), inputs, fitted.w_scheme
    )
    return QuantizedLinear(
        config,
        weight,
        fitted.u.double(),
        fitted.v.double(),
        fitted.multiplier.double(),
        fitted.bias.double(),
        fitted.x_scheme,
    )


class GoldenLinear(nn.Module):
    """A layer run bit for bit as the hardware computes it."""

    def __init__(self, layer: QuantizedLinear) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        """Outputs [..., N], float32, of inputs [..., K]."""
        return self.layer.run(x.flatten(0, -2)).output.float().unflatten(0, x.shape[:-1])
