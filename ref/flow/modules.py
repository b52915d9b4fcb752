"""Quantized layers as modules: in float32, in seconds; or bit for bit as the hardware computes them."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn.functional import linear

from ..classes import IntegerClass, wide_scheme
from ..linear import QuantizedLinear
from .fake import fake_activations, rounded, values


class GoldenLinear(nn.Module):
    """A layer run bit for bit as the hardware computes it."""

    def __init__(self, layer: QuantizedLinear) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        """Outputs [..., N], float32, of inputs [..., K]."""
        return self.layer.run(x.flatten(0, -2)).output.float().unflatten(0, x.shape[:-1])


class FakeLinear(nn.Module):
    """A layer in float32: the contract's codes but for ties, sums in another order.

    Members
    -------
    layer : what is run
    multiplier, u, v, bias : its numbers in float32
    weight : the dequantized residual [N, K]
    """

    def __init__(self, layer: QuantizedLinear) -> None:
        super().__init__()
        self.layer = layer
        self.multiplier = nn.Parameter(layer.multiplier.float(), requires_grad=False)
        self.u = nn.Parameter(layer.u.float(), requires_grad=False)
        self.v = nn.Parameter(layer.v.float(), requires_grad=False)
        self.bias = nn.Parameter(layer.bias.float(), requires_grad=False)
        self.weight = nn.Parameter(values(layer.weight), requires_grad=False)
        self.classes = [_FakeClass(part, wide_scheme(layer.config).qmax) for part in layer.classes]

    def forward(self, x: Tensor) -> Tensor:
        """Outputs [..., N] of inputs [..., K]."""
        data = self.layer.config.numbers.data_format
        smoothed = rounded(rounded(x.flatten(0, -2), data) * self.multiplier, data)
        y = linear(fake_activations(smoothed, self.layer.activation_scheme), self.weight)
        y = y + linear(rounded(linear(smoothed, self.v), data), self.u)
        if self.classes:
            wide = fake_activations(smoothed, wide_scheme(self.layer.config))
            for part in self.classes:
                y = y + part(wide)
        return rounded(y + self.bias, data).unflatten(0, x.shape[:-1])


class _FakeClass:
    """An integer class in float32; codes of z reach `most`."""

    def __init__(self, part: IntegerClass, most: int) -> None:
        self.most = most
        self.v = values(part.v)
        self.u = part.u.float() * part.scales.float()[:, None]

    def __call__(self, wide: Tensor) -> Tensor:
        return linear(linear(wide, self.v).round_().clamp_(-self.most, self.most), self.u)


def swap(
    module: nn.Module, make: Callable[[str, nn.Module], nn.Module | None], prefix: str = ""
) -> nn.Module:
    """Replace the descendants for which `make`, called with name and module, returns another; returns `module`."""
    for name, child in list(module.named_children()):
        full = f"{prefix}{name}"
        other = make(full, child)
        if other is not None:
            setattr(module, name, other)
        else:
            swap(child, make, f"{full}.")
    return module


def install(module: nn.Module, layers: dict[str, QuantizedLinear], golden: bool = True) -> nn.Module:
    """Put quantized layers where layers of their names are, in place; returns `module`.

    Parameters
    ----------
    golden : `GoldenLinear`, bit exact; else `FakeLinear`, in seconds
    """
    kind = GoldenLinear if golden else FakeLinear
    return swap(module, lambda name, _: kind(layers[name]) if name in layers else None)
