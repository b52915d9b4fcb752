"""Whole models: every `nn.Linear` is calibrated, quantized and swapped in one pass over the calibration data.

The calibration batch runs twice side by side, as one batch of double size: the first half through the layers
as they are quantized, the second through the trained ones. When the pass reaches a layer, the layer is fitted
on the inputs that the quantized layers before it give (first half) towards the outputs of the trained model
(second half), and the pass goes on with its quantized outputs.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from ..grouped import GroupScheme
from .layer import FittedLayer, Recipe, fit_layer


class FastLinear(nn.Module):
    """A fitted layer run in float32."""

    def __init__(self, fitted: FittedLayer) -> None:
        super().__init__()
        self.fitted = fitted
        self.w = fitted.weight()

    def forward(self, x: Tensor) -> Tensor:
        """Outputs [..., N] of inputs [..., K]."""
        f = self.fitted
        smoothed = f.smooth(x.flatten(0, -2))
        z = (smoothed @ f.v.T).to(torch.float16).float()
        y = f.quantized(smoothed) @ self.w.T + z @ f.u.T + f.bias
        return y.to(torch.float16).float().unflatten(0, x.shape[:-1])


class _Fitting(nn.Module):
    """Stands where a layer was while the calibration passes."""

    def __init__(self, layer: nn.Linear, name: str, fit: Callable) -> None:
        super().__init__()
        self.layer, self.name, self.fit = layer, name, fit
        self.result: FastLinear | None = None

    def forward(self, x: Tensor) -> Tensor:
        half = len(x) // 2
        trained = linear(x[half:], self.layer.weight)
        fitted = self.fit(
            self.name, x[:half].flatten(0, -2), x[half:].flatten(0, -2), trained.flatten(0, -2), self.layer
        )
        self.result = FastLinear(fitted)
        bias = 0 if self.layer.bias is None else self.layer.bias
        return torch.cat([self.result(x[:half]), trained + bias])


def swap(module: nn.Module, make: Callable[[str, nn.Module], nn.Module | None], prefix: str = "") -> None:
    """Replace descendants for which `make` returns a module."""
    for name, child in list(module.named_children()):
        full = f"{prefix}{name}"
        other = make(full, child)
        if other is not None:
            setattr(module, name, other)
        else:
            swap(child, make, f"{full}.")


@torch.no_grad()
def quantize_model(
    module: nn.Module,
    calibration: Tensor,
    recipe: Recipe,
    x_scheme: GroupScheme,
    w_scheme: GroupScheme,
    *,
    sequential: bool = True,
    toward_trained: bool = True,
    progress: Callable[[str, float, float], None] | None = None,
    run: Callable[[nn.Module, Tensor], object] | None = None,
) -> nn.Module:
    """A copy of `module` whose linear layers are quantized.

    Parameters
    ----------
    calibration : what the module is called with, batch first
    sequential : layers are fitted on the inputs that quantized layers give; else on the trained model's
    toward_trained : targets are the trained model's outputs; else the trained layer's outputs on the inputs it gets
    progress : called with name, relative error, seconds
    run : calls the module, for those that need more than one argument
    """
    result = copy.deepcopy(module)

    def fit(name: str, x: Tensor, clean: Tensor, trained: Tensor, layer: nn.Linear) -> FittedLayer:
        start = time.perf_counter()
        inputs = x if sequential else clean
        target = trained if toward_trained or not sequential else linear(x, layer.weight)
        fitted = fit_layer(inputs, target, layer.weight, layer.bias, recipe, x_scheme, w_scheme)
        if progress is not None:
            out = fitted.run(inputs[:512])
            want = target[:512] + (0 if layer.bias is None else layer.bias)
            progress(name, float((out - want).norm() / want.norm()), time.perf_counter() - start)
        return fitted

    swap(result, lambda name, m: _Fitting(m, name, fit) if isinstance(m, nn.Linear) else None)
    doubled = torch.cat([calibration, calibration])
    if run is None:
        result(doubled)
    else:
        run(result, doubled)
    swap(result, lambda name, m: m.result if isinstance(m, _Fitting) else None)
    return result
