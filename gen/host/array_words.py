"""The residual path of a layer as words, tile by tile: what a board with an array alone is written, and gives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from sevedo.gen.config import Config
from sevedo.ref.grouped import GroupedTensor
from sevedo.ref.linear import LayerInputs, LayerTrace, QuantizedLinear
from sevedo.ref.residual import residual
from sevedo.sim.unit_runs import rmc_run

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class ArrayTile:
    """A tile of outputs.

    Members
    -------
    writes : operands and the words of a beat, in an order that never stands still: scales before the last operands
    sums : words that the golden model gives, [beats, words of a beat]
    counts : which bits of these are outputs of the layer, and not of the padding; as `sums`
    """

    writes: list[tuple[str, Array]]
    sums: Array
    counts: Array


@dataclass(frozen=True)
class ArrayWords:
    """A layer.

    Members
    -------
    command : the words of its command
    tiles : its tiles, tokens outermost
    """

    command: Array
    tiles: list[ArrayTile]

    @classmethod
    def of(cls, config: Config, x: GroupedTensor, w: GroupedTensor) -> ArrayWords:
        """The words for activations and weights.

        Raises
        ------
        ConfigError : the layer is too large for the configuration.
        """
        x, w = _by_group(config, x), _by_group(config, w)
        layer, inputs = bare_layer(config, x, w)
        sums = residual(x, w)
        empty = torch.zeros(len(sums), 0, dtype=torch.float64)
        run = rmc_run(layer, inputs, LayerTrace(sums, empty, sums, sums.double(), sums.long()))
        words = run.words
        count = -(-x.rows // config.rmc.cols) * -(-w.rows // config.rmc.rows)
        tiles = [
            ArrayTile(list(_writes(config, {name: part for name, part in parts.items() if name != "sums"})),
                      parts["sums"], mask)
            for parts, mask in zip(
                _cut({name: words[name] for name in ("x", "x_scale", "w", "w_scale", "sums")}, count),
                np.split(run.masks["sums"], count),
                strict=True,
            )
        ]  # fmt: skip
        return cls(words["command"][0], tiles)

    def sums(self, config: Config, found: list[Array], tokens: int, outputs: int) -> Array:
        """FP32 encodings [T, N] of the words [tiles][beats, words] that came back."""
        rmc = config.rmc
        columns, rows = -(-tokens // rmc.cols), -(-outputs // rmc.rows)
        whole = np.stack(found).reshape(columns, rows, rmc.cols, rmc.rows).transpose(0, 2, 1, 3)
        return whole.reshape(columns * rmc.cols, rows * rmc.rows)[:tokens, :outputs]


def bare_layer(config: Config, x: GroupedTensor, w: GroupedTensor) -> tuple[QuantizedLinear, LayerInputs]:
    """A layer of a residual path and nothing else, and what it is given."""

    def zeros(*shape: int) -> torch.Tensor:
        return torch.zeros(*shape, dtype=torch.float64)

    layer = QuantizedLinear(
        config, w, zeros(w.rows, 0), zeros(0, w.inputs), zeros(w.inputs) + 1, zeros(w.rows), x.scheme
    )
    return layer, LayerInputs(zeros(x.rows, x.inputs), x)


def _by_group(config: Config, tensor: GroupedTensor) -> GroupedTensor:
    """With a number for each fine group, where there is one for each beat: so the Python machine has them."""
    ratio = config.groups.fine // tensor.scheme.fine
    scheme = replace(tensor.scheme, fine=config.groups.fine)
    return replace(tensor, fine=tensor.fine[:, ::ratio], scheme=scheme)


def _cut(words: dict[str, Array], count: int) -> Iterator[dict[str, Array]]:
    """Tile by tile: every tile takes as many beats of a stream."""
    parts = {name: np.split(each, count) for name, each in words.items()}
    for tile in range(count):
        yield {name: part[tile] for name, part in parts.items()}


def _writes(config: Config, tile: dict[str, Array]) -> Iterator[tuple[str, Array]]:
    """The beats of a tile: scales of a coarse group first, then its operands in pairs."""
    groups = len(tile["x_scale"])
    per = len(tile["x"]) // groups
    for group in range(groups):
        yield "x_scale", tile["x_scale"][group]
        yield "w_scale", tile["w_scale"][group]
        for beat in range(group * per, (group + 1) * per):
            yield "x", tile["x"][beat]
            yield "w", tile["w"][beat]
