"""The last stage: U, V, smoothing, biases and scales of all layers are trained together on the trained model's outputs.

Codes and shifts of the residual stay as they were rounded; activations are quantized in the forward pass. What
is learnt is small (at rank 32 an eighth of SmolLM2's weights), and stays in the formats it had, so that the contract is
not touched. Source of the idea: knowledge distillation (arXiv 1503.02531).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..linear import QuantizedLinear
from .modules import swap
from .recipe import Recipe
from .store import Progress, ProgressCallback
from .targets import loss
from .trained import TrainedLinear

WARM_UP = 8
"""Steps over which the rate rises."""


def tune(
    module: nn.Module,
    layers: dict[str, QuantizedLinear],
    batches: Sequence[tuple[Tensor, ...]],
    targets: Sequence[Any],
    recipe: Recipe,
    progress: ProgressCallback | None = None,
) -> dict[str, QuantizedLinear]:
    """The layers after training: Adam, one batch a step in random order, rates falling along a cosine.

    Parameters
    ----------
    module : the trained model, unchanged by this
    layers : quantized, by name
    batches : arguments of the module's calls
    targets : of `targets.remember`, one for each batch
    recipe : `tune_steps`, `tune_rate`

    Raises
    ------
    ValueError : training diverged.
    """
    student = copy.deepcopy(module).requires_grad_(False)
    trained = {name: TrainedLinear(layer) for name, layer in layers.items()}
    swap(student, lambda name, _: trained.get(name))
    groups = [group for layer in trained.values() for group in layer.groups(recipe.tune_rate)]
    optimizer = torch.optim.Adam([{**g, "lr": g["base"]} for g in groups], betas=(0.9, 0.95), eps=1e-12)
    shuffle = torch.Generator().manual_seed(0)
    order: list[int] = []
    with torch.enable_grad():
        for step in range(recipe.tune_steps):
            if not order:
                order = torch.randperm(len(batches), generator=shuffle).tolist()
            index = order.pop()
            rate = min(1, (step + 1) / WARM_UP) * (0.5 + 0.5 * math.cos(math.pi * step / recipe.tune_steps))
            for group in optimizer.param_groups:
                group["lr"] = group["base"] * rate
            found = loss(student(*batches[index]), targets[index])
            optimizer.zero_grad()
            found.backward()
            optimizer.step()
            if progress is not None:
                value = float(found.detach())
                progress(Progress("tune", "", step + 1, recipe.tune_steps, value, value))
    return {name: layer.finish() for name, layer in trained.items()}
