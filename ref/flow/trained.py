"""A quantized layer whose numbers are trained: forward as the hardware rounds, gradients through the rounding.

Source of the gradient: straight-through estimator (arXiv 1308.3432).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, pad

from ..classes import IntegerClass, code_class, wide_scheme
from ..grouped import GroupScheme
from ..linear import QuantizedLinear
from ..rounding import round_to
from .fake import fake_activations, rounded, values

BIAS_SIZE = 0.03
"""What stands for the root mean square of biases, which may all be 0."""
LEARNING = 2
"""Digits of the ranks of integer classes that are trained."""
NARROW = ("avx512_bf16", "amx_bf16", "bf16")
"""What processors call their products of bfloat16, x86 and Arm; `torch.cpu.get_capabilities`."""


class _Activations(torch.autograd.Function):
    """Quantized activations; gradients pass through."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, scheme: GroupScheme) -> Tensor:
        return fake_activations(x, scheme)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient, None


class _Codes(torch.autograd.Function):
    """Rounded and clamped to -most..most; gradients pass through where nothing was clamped."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, most: int) -> Tensor:
        ctx.save_for_backward(x.abs() <= most + 0.5)
        return x.round().clamp_(-most, most)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient * ctx.saved_tensors[0], None


@cache
def product_type() -> torch.dtype:
    """Of factors in training: bfloat16 where the processor multiplies it, in half the time of float32; else float32.

    Emulated, products of bfloat16 take four times as long as those of float32 (AVX2).
    """
    found = torch.cpu.get_capabilities()
    return torch.bfloat16 if any(found.get(name) for name in NARROW) else torch.float32


def narrow(x: Tensor) -> Tensor:
    """As factors of products are."""
    return x.to(product_type())


def trainable(parameter: nn.Parameter, rate: float, size: float | None = None) -> list[dict[str, Any]]:
    """An optimizer's group, its rate relative to the parameter's root mean square; none for an empty parameter."""
    if not parameter.numel():
        return []
    if size is None:
        size = float(parameter.detach().square().mean().sqrt())
    return [{"params": [parameter], "base": rate * max(size, 1e-8)}]


def factors(parts: Sequence[IntegerClass]) -> tuple[Tensor, Tensor]:
    """U [N, r] and V [r, K] of the ranks of all integer classes, float32; products of V with x' are codes of z."""
    u = torch.cat([part.u.float() * part.scales.float()[:, None] for part in parts], dim=1)
    return u, torch.cat([values(part.v) for part in parts])


class TrainedLinear(nn.Module):
    """A quantized layer: U, V, smoothing, bias and the residual's scales are trained; its codes and fine numbers stay.

    Scales are trained as gains, one for each coarse group; powers of two (E8M0) have no place for what is learnt, and
    stay.

    U and V of ranks of two digits (INT8) are trained in floating point and coded again at the end: their steps are of
    the size of what is learnt, and what rounding adds is lost in the noise of the residual's 4 bits. Ranks of one digit
    (INT4) stay as they are: in as few steps as there are no code moves by the half step that it takes, and training the
    scales of its U and V instead was worse: divergence on held-out text 0.168 in place of 0.156 (SmolLM2, 8 + 8 + 16
    ranks). z is rounded to its codes; x' is not quantized to two digits for it, which is lost in the noise of z.
    """

    def __init__(self, layer: QuantizedLinear) -> None:
        super().__init__()
        self.layer = layer
        self.u, self.v = nn.Parameter(layer.u.float()), nn.Parameter(layer.v.float())
        self.multiplier, self.bias = nn.Parameter(layer.multiplier.float()), nn.Parameter(layer.bias.float())
        scheme = layer.weight.scheme
        padded = pad(values(layer.weight), (0, -layer.inputs % scheme.coarse))
        self.weight = narrow(padded.unflatten(1, (-1, scheme.coarse)))
        groups = layer.weight.scales.shape if scheme.scale.fraction_bits else (layer.outputs, 0)
        self.gains = nn.Parameter(torch.ones(groups))
        learning = [factors([part]) for part in layer.classes if part.digits == LEARNING]
        self.coded = nn.ParameterList([nn.Parameter(each) for pair in learning for each in pair])
        kept = [part for part in layer.classes if part.digits != LEARNING]
        self.fixed = [factors(kept)] if kept else []
        self.most = wide_scheme(layer.config).qmax

    def forward(self, x: Tensor) -> Tensor:
        """Outputs [..., N] of inputs [..., K]."""
        smoothed = x.flatten(0, -2) * self.multiplier
        quantized = _Activations.apply(smoothed, self.layer.activation_scheme)
        weight = self.weight * narrow(self.gains)[:, :, None] if self.gains.numel() else self.weight
        y = linear(narrow(quantized), weight.flatten(1)[:, : self.layer.inputs]).float() + self.bias
        ranks = self.u.shape[1]
        pairs = [(self.u, self.v), *zip(self.coded[::2], self.coded[1::2], strict=True), *self.fixed]
        u, v = torch.cat([u for u, _ in pairs], dim=1), torch.cat([v for _, v in pairs])
        if u.shape[1]:
            z = linear(narrow(smoothed), narrow(v))
            if u.shape[1] > ranks:
                z = torch.cat([z[:, :ranks], _Codes.apply(z[:, ranks:], self.most)], dim=1)
            y = y + linear(z, narrow(u)).float()
        return y.unflatten(0, x.shape[:-1])

    def groups(self, rate: float) -> list[dict[str, Any]]:
        """For the optimizer."""
        found = trainable(self.bias, rate, BIAS_SIZE)
        for parameter in (self.u, self.v, *self.coded, self.multiplier, self.gains):
            found += trainable(parameter, rate)
        return found

    def finish(self) -> QuantizedLinear:
        """The layer as learnt.

        Raises
        ------
        ValueError : training diverged.
        """
        data = self.layer.config.numbers.data_format
        with torch.no_grad():
            found: dict[str, Any] = {
                "u": rounded(self.u, data).double(),
                "v": rounded(self.v, data).double(),
                "multiplier": rounded(self.multiplier.clamp(min=2.0**-14, max=2.0**15), data).double(),
                "bias": rounded(self.bias, data).double(),
            }
            weight = self.layer.weight
            if self.gains.numel():
                scales = round_to(weight.scales * self.gains.double().clamp(min=0.0), weight.scheme.scale)
                weight = replace(weight, scales=scales)
        if not all(bool(torch.isfinite(tensor).all()) for tensor in (*found.values(), weight.scales)):
            raise ValueError("tuning diverged; a smaller tune_rate, or tune_steps=0, is needed")
        return replace(self.layer, weight=weight, classes=self._classes(), **found)

    def _classes(self) -> tuple[IntegerClass, ...]:
        """Those that were trained coded again, the others as they were."""
        learnt = iter(self.coded)
        with torch.no_grad():
            return tuple(
                code_class(next(learnt).double(), next(learnt).double(), self.layer.config, part.digits)
                if part.digits == LEARNING
                else part
                for part in self.layer.classes
            )
