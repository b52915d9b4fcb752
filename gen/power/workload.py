"""What a core computes while its energy is measured: a part of a real layer, or noise or zeros in its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sevedo.gen.config import Config
from sevedo.gen.verilog.manifest import StreamPort, streams
from sevedo.ref.classes import IntegerClass
from sevedo.ref.linear import LayerInputs, QuantizedLinear, quantize_linear
from sevedo.sim.unit_runs import UnitRun, core_run

SEED = 7
RANK = 32
"""Ranks of the low-rank path in all, unless another number is asked for."""
INPUTS, OUTPUTS = 384, 384
"""Size of a layer of noise: that of MiniLM's projections."""


class Kind(Enum):
    """What the numbers are."""

    LAYER = "layer"
    RANDOM = "random"
    ZEROS = "zeros"


MEANING = {
    Kind.LAYER: "the layer's weights and the activations that real text gives it",
    Kind.RANDOM: "Gaussian noise for weights and activations, quantized like the layer",
    Kind.ZEROS: "the layer's weights, all activations zero",
}


@dataclass(frozen=True)
class Choice:
    """Which part of which layer.

    Members
    -------
    block, layer : of all-MiniLM-L6-v2, the layer by its name in the block
    tokens, outputs : how many of each; None: two column tiles, at most 24 row tiles
    rank, int8_rank, int4_rank : of the classes; None: as many of the integer classes as the core has, `RANK` in all
    """

    block: int = 0
    layer: str = "attention.self.query"
    tokens: int | None = None
    outputs: int | None = None
    rank: int | None = None
    int8_rank: int | None = None
    int4_rank: int | None = None

    def of(self, config: Config, inputs: int, outputs: int) -> Choice:
        """The choice with every number said, for a core and a layer."""
        lvc, rmc = config.lvc, config.rmc
        int8 = lvc.int8_ranks if self.int8_rank is None else self.int8_rank
        int4 = lvc.int4_ranks if self.int4_rank is None else self.int4_rank
        rank = max(min(RANK - int8 - int4, lvc.max_rank), 0) if self.rank is None else self.rank
        return replace(
            self,
            tokens=2 * rmc.cols if self.tokens is None else self.tokens,
            outputs=min(outputs, 24 * rmc.rows) if self.outputs is None else self.outputs,
            rank=min(rank, inputs, outputs),
            int8_rank=int8,
            int4_rank=int4,
        )


@dataclass(frozen=True)
class Workload:
    """A run of the core, with what there is to say about its data.

    Members
    -------
    kind : what the numbers are
    choice : with every number said
    run : words in and out
    macs : multiply-accumulates of the layer's part, T K N
    inputs : K
    bits : of every stream's beats together
    statistics : shares of zero codes, mean magnitudes of codes, shares of operand bits that change from beat to beat
    layer : the part, quantized
    activations : float64 [T, K], what reaches the quantizer
    outputs : N of the whole layer
    """

    kind: Kind
    choice: Choice
    run: UnitRun = field(repr=False)
    macs: int
    inputs: int
    bits: Mapping[str, int]
    statistics: Mapping[str, float]
    layer: QuantizedLinear = field(repr=False)
    activations: Tensor = field(repr=False)
    outputs: int

    def as_json(self) -> dict[str, Any]:
        """What it is, as plain data."""
        c = self.choice
        model = "all-MiniLM-L6-v2" if self.kind is not Kind.RANDOM else None
        return {
            "kind": self.kind.value,
            "meaning": MEANING[self.kind],
            "model": model,
            "layer": f"encoder.layer.{c.block}.{c.layer}" if model else None,
            "tokens": c.tokens,
            "inputs": self.inputs,
            "outputs": c.outputs,
            "rank": c.rank,
            "int8_rank": c.int8_rank,
            "int4_rank": c.int4_rank,
            "statistics": dict(self.statistics),
        }


def workload(config: Config, kind: Kind, choice: Choice) -> Workload:
    """The run of a kind of data.

    Raises
    ------
    WorkloadError : the model or the news is not installed; noise needs neither.
    ConfigError, ValueError : a layer that the core cannot hold, more tokens than there are.
    """
    weight, bias, activations, calibration = _tensors(kind, choice)
    chosen = choice.of(config, weight.shape[1], weight.shape[0])
    assert chosen.rank is not None
    assert chosen.tokens is not None
    assert chosen.outputs is not None
    for name, given, most in (
        ("tokens", chosen.tokens, len(activations)),
        ("outputs", chosen.outputs, len(weight)),
    ):
        if not 1 <= given <= most:
            raise ValueError(f"{name}={given} must be between 1 and {most}, what the layer has")
    config.check_layer(
        chosen.tokens,
        weight.shape[1],
        chosen.outputs,
        chosen.rank,
        chosen.int8_rank or 0,
        chosen.int4_rank or 0,
    )
    whole = quantize_linear(
        weight, bias, calibration, config, chosen.rank,
        int8_rank=chosen.int8_rank or 0, int4_rank=chosen.int4_rank or 0,
    )  # fmt: skip
    part = _first_outputs(whole, chosen.outputs)
    inputs = part.prepare(activations[: chosen.tokens])
    run = core_run(part, inputs, part.compute(inputs))
    ports = {port.name: port for port in streams(run.unit)}
    return Workload(
        kind,
        chosen,
        run,
        chosen.tokens * part.inputs * chosen.outputs,
        part.inputs,
        {name: len(words) * ports[name].width for name, words in run.words.items()},
        _statistics(part, inputs, run, ports),
        part,
        activations[: chosen.tokens],
        len(weight),
    )


def _tensors(kind: Kind, choice: Choice) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Weights [N, K], bias [N], activations [T, K] and calibration, float64."""
    if kind is Kind.RANDOM:
        generator = torch.Generator().manual_seed(SEED)

        def noise(*shape: int) -> Tensor:
            return torch.randn(*shape, generator=generator, dtype=torch.float64)

        tokens = max(choice.tokens or 0, 512)
        return noise(OUTPUTS, INPUTS), noise(OUTPUTS), noise(tokens, INPUTS), noise(64, INPUTS)
    from sevedo.gen.compare.accuracy import real_layers

    layers = {layer.workload.name: layer for layer in real_layers([choice.block])}
    found = layers.get(f"encoder.layer.{choice.block}.{choice.layer}")
    if found is None:
        names = ", ".join(name.removeprefix(f"encoder.layer.{choice.block}.") for name in layers)
        raise ValueError(f"layer={choice.layer} must be one of {names}")
    work = found.workload
    activations = work.activations.double()
    if kind is Kind.ZEROS:
        activations = torch.zeros_like(activations)
    return work.weight.double(), work.bias.double(), activations, found.calibration


def _first_outputs(layer: QuantizedLinear, outputs: int) -> QuantizedLinear:
    """The first outputs of a layer that was quantized whole."""
    weight = replace(
        layer.weight,
        codes=layer.weight.codes[:outputs],
        fine=layer.weight.fine[:outputs],
        scales=layer.weight.scales[:outputs],
    )
    classes = tuple(IntegerClass(p.v, p.u[:outputs], p.scales[:outputs]) for p in layer.classes)
    return replace(layer, weight=weight, u=layer.u[:outputs], bias=layer.bias[:outputs], classes=classes)


def _statistics(
    layer: QuantizedLinear, inputs: LayerInputs, run: UnitRun, ports: Mapping[str, StreamPort]
) -> dict[str, float]:
    found = {}
    for name, codes in (("activation", inputs.quantized.codes), ("weight", layer.weight.codes)):
        values = codes.to(torch.float64)
        found[f"zero_{name}_codes"] = float((values == 0).double().mean())
        found[f"mean_{name}_magnitude"] = float(values.abs().mean())
    for name in ("x", "w"):
        words = run.words[name]
        changed = np.bitwise_count(words[1:] ^ words[:-1]).sum() if len(words) > 1 else 0
        found[f"{name}_bits_changing"] = float(changed / max((len(words) - 1) * ports[name].width, 1))
    return found
