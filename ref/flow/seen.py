"""One run of a trained model over its calibration: what every layer sees, and what the model answers."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from .layer import linears
from .recipe import Recipe
from .statistics import Collector, LayerStatistics
from .store import Progress, ProgressCallback
from .targets import remember

TOKENS_PER_INPUT = 2
"""Calibration tokens that a layer needs for each of its inputs K. The K x K Gram matrix of fewer than K tokens is
singular, of few more its smallest eigenvalues are noise: weights would be fitted to the calibration, not the model."""
FIT_TOKENS = 16384
"""Tokens that layers are fitted on; tuning uses all."""


@dataclass(frozen=True)
class Seen:
    """What was seen. None of it depends on formats or groups.

    Members
    -------
    statistics : of layers, by name
    targets : of `targets.remember`, one for each batch; empty where nothing is tuned
    """

    statistics: dict[str, LayerStatistics]
    targets: list[Any]


@torch.no_grad()
def calibrate(
    module: nn.Module,
    batches: Sequence[tuple[Tensor, ...]],
    recipe: Recipe,
    progress: ProgressCallback | None = None,
    names: Collection[str] | None = None,
) -> Seen:
    """Run the module over the calibration, once.

    Parameters
    ----------
    module : the trained one, in evaluation mode
    batches : arguments of its calls
    recipe : whether the answers are kept, and how
    progress : called after every batch
    names : layers that are watched; None: all

    Raises
    ------
    ValueError : too few tokens reach a layer; the message names the number needed.
    """
    layers = {name: layer for name, layer in linears(module).items() if names is None or name in names}
    if not batches:
        needed = TOKENS_PER_INPUT * max(layer.in_features for layer in linears(module).values())
        raise ValueError(f"calibration holds 0 tokens; at least {needed} are needed")
    if not layers and not recipe.tune_steps:
        return Seen({}, [])
    collectors: dict[str, Collector] = {}
    counts: dict[str, int] = {}

    def watch(name: str, layer: nn.Linear) -> Any:
        def hook(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            x = inputs[0].detach().flatten(0, -2)
            if name not in collectors:
                collectors[name] = Collector(layer.in_features, min(FIT_TOKENS, len(x) * len(batches)))
            if counts.get(name, 0) < FIT_TOKENS:
                collectors[name].add(x, output.detach().flatten(0, -2))
            counts[name] = counts.get(name, 0) + len(x)

        return layer.register_forward_hook(hook)

    hooks = [watch(name, layer) for name, layer in layers.items()]
    targets = []
    try:
        for index, batch in enumerate(batches):
            output = module(*batch)
            if recipe.tune_steps:
                targets.append(remember(output, recipe.objective))
            if progress is not None:
                progress(Progress("calibrate", "", index + 1, len(batches), 0.0, 0.0))
    finally:
        for hook in hooks:
            hook.remove()
    for name, layer in layers.items():
        tokens, needed = counts.get(name, 0), TOKENS_PER_INPUT * layer.in_features
        if tokens < needed:
            raise ValueError(
                f"calibration brings {tokens} tokens to layer {name}; at least {needed} are needed: "
                f"{TOKENS_PER_INPUT} for each of its inputs"
            )
    return Seen({name: collector.finish() for name, collector in collectors.items()}, targets)
