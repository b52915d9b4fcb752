"""Whole models: every `nn.Linear` is calibrated, quantized and swapped."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from sevedo.gen.config import Config

from ..linear import QuantizedLinear
from .layer import check_ranks, fit_layer, linears, record
from .modules import install
from .recipe import Recipe
from .seen import Seen, calibrate
from .store import LayerStore, Progress, ProgressCallback
from .tune import tune


def quantize(
    module: nn.Module,
    calibration: Sequence[Tensor | tuple[Tensor, ...]],
    config: Config,
    recipe: Recipe | None = None,
    *,
    store: LayerStore | None = None,
    progress: ProgressCallback | None = None,
    golden: bool = True,
    seen: Seen | None = None,
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
    seen : what `calibrate` returned for the same module, calibration and recipe, for quantizing it in several
        configurations; None: it is done here

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
    layers = {} if store is None else {name: store.load(name) for name in found}
    missing = [name for name in found if layers.get(name) is None]
    training = module.training
    module.eval()
    kept_seen = seen is not None
    try:
        if seen is None:
            seen = calibrate(module, batches, recipe, progress, missing)
        result: dict[str, QuantizedLinear] = {}
        for index, (name, linear) in enumerate(found.items()):
            kept = layers.get(name)
            if kept is not None:
                result[name] = kept
                continue
            start = time.perf_counter()
            # The Gram matrices of a model are as large as its weights: those that nobody needs any more go.
            statistics = seen.statistics[name] if kept_seen else seen.statistics.pop(name)
            with one_thread():
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


@contextmanager
def one_thread() -> Iterator[None]:
    """Torch computes in one thread.

    Columns are rounded one after the other, each in operations of microseconds: threads would wait for each other at
    every one of them, and on a processor that other programs use for as long as those keep it.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
