"""Random layers for the cocotb bench `benches/play`: what `sevedo sim` runs."""

from __future__ import annotations

import tempfile
from dataclasses import astuple
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sevedo.gen.config import Config
from sevedo.ref.linear import LayerInputs, LayerTrace, QuantizedLinear, quantize_linear

from .bench import run_bench
from .streams import BATTERY
from .unit_runs import core_run, lvc_run, rmc_run

_RUNS = {"core": core_run, "rmc": rmc_run, "lvc": lvc_run}


def random_layer(config: Config, seed: int) -> tuple[QuantizedLinear, LayerInputs, LayerTrace]:
    """A layer of two by two tiles, each not quite full, two coarse groups, a rank that fills more than a block,
    and as many ranks in integers as the configuration can hold."""
    rmc = config.rmc
    outputs = min(2 * rmc.rows - (rmc.rows > 1), config.limits.outputs)
    tokens = min(2 * rmc.cols - (rmc.cols > 1), config.limits.tokens)
    inputs = min(config.groups.coarse + config.groups.fine + 1, config.limits.inputs)
    rank = min(rmc.rows + 1, outputs, inputs, config.lvc.max_rank)
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    x = normal(tokens, inputs)
    layer = quantize_linear(
        normal(outputs, inputs), normal(outputs), x, config, rank,
        int8_rank=config.lvc.int8_ranks, int4_rank=config.lvc.int4_ranks,
    )  # fmt: skip
    prepared = layer.prepare(x)
    return layer, prepared, layer.compute(prepared)


def play_layer(config: Config, unit: str, seed: int = 0, waves: bool = False) -> tuple[int, int]:
    """Run one of ``core``, ``rmc``, ``lvc`` under every kind of stall; (output beats of a run, kinds of stall).

    Raises
    ------
    BenchError : a bit differs, a beat is lost or surplus, or a stream rule is broken.
    """
    run = _RUNS[unit](*random_layer(config, seed))
    with tempfile.TemporaryDirectory(prefix="sevedo-play-") as folder:
        file = Path(folder, "words.npz")
        arrays: dict[str, Any] = run.words | {f"{name}_mask": mask for name, mask in run.masks.items()}
        np.savez(file, **arrays)
        parameters = {"file": str(file), "stalls": [astuple(stalls) for stalls in BATTERY]}
        run_bench(run.unit, "sevedo.sim.benches.play", parameters=parameters, waves=waves, gates=False)
    return sum(len(run.words[name]) for name in run.masks), len(BATTERY)
