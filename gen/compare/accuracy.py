"""Quantization error of scale schemes on the linear layers of a trained model."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from sevedo.gen.config import Config
from sevedo.ref.grouped import GroupScheme
from sevedo.ref.linear import LayerInputs, LayerTrace, QuantizedLinear, quantize_linear
from sevedo.ref.metrics import exact_linear, relative_error
from sevedo.ref.models.minilm import MiniLm
from sevedo.ref.workloads import LayerWorkload, news

EVALUATED, CALIBRATED = (0, 1), (100, 101, 102, 103)
"""Articles of Lee's news that errors are measured on, and that smoothing is chosen on."""


@dataclass(frozen=True)
class RealLayer:
    """A layer of the model with the inputs that real text gives it.

    Members
    -------
    workload : the layer, with the activations [T, K] that errors are measured on
    calibration : activations [*, K] of other text
    """

    workload: LayerWorkload
    calibration: Tensor

    def quantize(self, config: Config, rank: int) -> QuantizedLinear:
        """The layer in the formats of `config`."""
        layer = self.workload
        used = min(rank, config.lvc.max_rank, *layer.weight.shape)
        return quantize_linear(layer.weight.double(), layer.bias.double(), self.calibration, config, used)


def real_layers(blocks: Sequence[int]) -> list[RealLayer]:
    """The linear layers of some blocks of all-MiniLM-L6-v2 (six in a block), reading news.

    Raises
    ------
    WorkloadError : the model or the news is not installed.
    """
    model, texts = MiniLm(), news()
    layers = []
    for block in blocks:
        seen = [model.block_layers(texts[article], block) for article in EVALUATED]
        known = [model.block_layers(texts[article], block) for article in CALIBRATED]
        for number, layer in enumerate(seen[0]):
            activations = torch.cat([article[number].activations for article in seen])
            layers.append(
                RealLayer(
                    LayerWorkload(layer.name, layer.weight, layer.bias, activations),
                    torch.cat([article[number].activations for article in known]).double(),
                )
            )
    return layers


def errors(
    configs: Mapping[str, Config],
    layers: Sequence[RealLayer],
    rank: int,
    advance: Callable[[], None] = lambda: None,
) -> dict[str, float]:
    """The root of the mean square, over the layers, of the relative error of the outputs (`relative_error`).

    Numerics: the golden model, bit for bit, against the unquantized layer in float64.
    """
    squares = dict.fromkeys(configs, 0.0)
    for layer in layers:
        work = layer.workload
        x = work.activations.double()
        exact = exact_linear(x, work.weight.double(), work.bias.double())
        for name, config in configs.items():
            output = layer.quantize(config, rank).run(x).output
            squares[name] += relative_error(output, exact) ** 2
            advance()
    return {name: math.sqrt(total / len(layers)) for name, total in squares.items()}


def output_and_weight_errors(config: Config, layers: Sequence[RealLayer], rank: int) -> tuple[float, float]:
    """`errors` of one configuration, and beside it the same of the weights alone.

    The weights are residual codes and low-rank part, smoothing undone, against the trained ones.
    """
    outputs = weights = 0.0
    for layer in layers:
        work = layer.workload
        found, x = layer.quantize(config, rank), work.activations.double()
        exact = exact_linear(x, work.weight.double(), work.bias.double())
        outputs += relative_error(found.run(x).output, exact) ** 2
        weight = (found.weight.dequantize() + found.u @ found.v) * found.multiplier
        weights += relative_error(weight, work.weight.double()) ** 2
    return math.sqrt(outputs / len(layers)), math.sqrt(weights / len(layers))


def value_bits(config: Config) -> tuple[float, float]:
    """Memory bits of an activation and of a weight: codes, and their shares of all scales."""
    return GroupScheme.activations(config).bits_per_value, GroupScheme.weights(config).bits_per_value


def slice_of(
    layer: RealLayer, config: Config, rank: int, tokens: int, outputs: int
) -> tuple[QuantizedLinear, LayerInputs, LayerTrace]:
    """The first tokens and outputs of a layer that was quantized whole."""
    whole = layer.quantize(config, rank)
    weight = whole.weight
    part = QuantizedLinear(
        config,
        type(weight)(
            weight.codes[:outputs],
            weight.fine[:outputs],
            weight.scales[:outputs],
            weight.inputs,
            weight.scheme,
        ),
        whole.u[:outputs],
        whole.v,
        whole.multiplier,
        whole.bias[:outputs],
        whole.activation_scheme,
    )
    inputs = part.prepare(layer.workload.activations[:tokens].double())
    return part, inputs, part.compute(inputs)
