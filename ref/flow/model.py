"""Whole models: every `nn.Linear` is calibrated, quantized and swapped."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from sevedo.gen.config import Config

from ..linear import QuantizedLinear
from .layer import check_ranks, fit_layer, linears, record
from .modules import install
from .recipe import Recipe
from .statistics import Collector, LayerStatistics
from .store import LayerStore, Progress, ProgressCallback
from .targets import remember
from .tune import tune

TOKENS_PER_INPUT = 2
"""Calibration tokens that a layer needs for each of its inputs K. The K x K Gram matrix of fewer than K tokens is
singular, of few more its smallest eigenvalues are noise: weights would be fitted to the calibration, not the model."""
FIT_TOKENS = 16384
"""Tokens that layers are fitted on; tuning uses all."""


@dataclass
class _Seen:
    statistics: dict[str, LayerStatistics]
    targets: list[Any]


def quantize(
    module: nn.Module,
    calibration: Sequence[Tensor | tuple[Tensor, ...]],
    config: Config,
    recipe: Recipe | None = None,
    *,
    store: LayerStore | None = None,
    progress: ProgressCallback | None = None,
    golden: bool = True,
) -> dict[str, QuantizedLinear]:
    """Quantize the `nn.Linear`s of a module and put the quantized ones in their places.

    The trained module runs over the calibration once; from what each layer sees there it is smoothed, split and rounded
    alone (`fit_layer`); at last all of them are trained together (`tune`).

    Parameters
    ----------
    module : any module; its layers are swapped in place, for `GoldenLinear`s
    calibration : what the module is called with, one entry a call: a tensor, or a tuple of arguments. Real data
    config : formats and groups
    recipe : the steps; None: the defaults
    store : where finished layers are kept, so that an interrupted run continues
    progress : called after every step
    golden : False: swapped for `FakeLinear`s, in float32 and fast

    Returns
    -------
    The quantized layers by name, in the order of `named_modules`.

    Raises
    ------
    ValueError : a calibration that is empty or too small (the message names the number of tokens needed); no layers;
        ranks that the hardware of `config` does not have; a layer that cannot be quantized, by its name.
    """
    recipe = (recipe or Recipe()).on(config)
    check_ranks(config, recipe)
    batches = [batch if isinstance(batch, tuple) else (batch,) for batch in calibration]
    found = linears(module)
    if not found:
        raise ValueError(f"module {type(module).__name__} holds no nn.Linear; there is nothing to quantize")
    if not batches:
        needed = TOKENS_PER_INPUT * max(layer.in_features for layer in found.values())
        raise ValueError(f"calibration holds 0 tokens; at least {needed} are needed")
    layers = {} if store is None else {name: store.load(name) for name in found}
    missing = [name for name in found if layers.get(name) is None]
    training = module.training
    module.eval()
    try:
        seen = _Seen({}, [])
        if missing or recipe.tune_steps:
            seen = _calibrate(module, {name: found[name] for name in missing}, batches, recipe, progress)
        result: dict[str, QuantizedLinear] = {}
        for index, (name, linear) in enumerate(found.items()):
            kept = layers.get(name)
            if kept is not None:
                result[name] = kept
                continue
            start = time.perf_counter()
            statistics = seen.statistics.pop(name)
            try:
                result[name] = fit_layer(linear.weight, linear.bias, statistics, config, recipe)
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from None
            told = record(result[name], linear.weight, linear.bias, statistics, start)
            if store is not None:
                store.save(name, result[name], told)
            if progress is not None:
                progress(Progress("layer", name, index + 1, len(found), told.before, told.after))
        if recipe.tune_steps:
            result = tune(module, result, batches, seen.targets, recipe, progress)
    finally:
        module.train(training)
    install(module, result, golden)
    return result


@torch.no_grad()
def _calibrate(
    module: nn.Module,
    layers: dict[str, nn.Linear],
    batches: list[tuple[Tensor, ...]],
    recipe: Recipe,
    progress: ProgressCallback | None,
) -> _Seen:
    """One run over the calibration: what layers see, what the module answers."""
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
    return _Seen({name: collector.finish() for name, collector in collectors.items()}, targets)
