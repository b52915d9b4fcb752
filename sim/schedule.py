"""The operand streams of a layer: golden tensors, cut into tiles, in the order that the core takes them.

Data flow: QuantizedLinear and LayerInputs (ref) -> Job: arrays of every input stream's fields, distinct beats once,
with the order in which they are sent -> packed words. hw/core/payloads.py is the definition of the order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sevedo.gen.config import Config
from sevedo.ref.linear import LayerInputs, QuantizedLinear
from sevedo.ref.rounding import encode

from .beats import Array, Beats, blocks, grouped_beats, per_column_tile
from .classes import class_commands, class_streams


@dataclass(frozen=True)
class Job:
    """One layer as the core sees it.

    Members
    -------
    streams : input streams by name
    tokens, inputs, outputs, rank : sizes of the layer
    row_tiles, col_tiles : tiles of outputs and of tokens
    """

    config: Config
    streams: dict[str, Beats]
    tokens: int
    inputs: int
    outputs: int
    rank: int
    row_tiles: int
    col_tiles: int

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the unquantized layer: T K N."""
        return self.tokens * self.inputs * self.outputs

    @property
    def output_beats(self) -> int:
        """Beats of the output stream: one for `output_tokens` tokens of a tile."""
        return self.row_tiles * self.col_tiles * self.config.rmc.cols // self.config.lvc.output_tokens

    def output_bits(self, beats: Array) -> Array:
        """Output encodings [T, N] from the beats [output_beats, output_tokens * rows] of stream `y`."""
        rmc = self.config.rmc
        tiles = beats.reshape(self.col_tiles, self.row_tiles, rmc.cols, rmc.rows)
        whole = tiles.transpose(0, 2, 1, 3).reshape(self.col_tiles * rmc.cols, self.row_tiles * rmc.rows)
        return whole[: self.tokens, : self.outputs]


def schedule(layer: QuantizedLinear, inputs: LayerInputs) -> Job:
    """The streams of one layer on the core of its configuration.

    Raises
    ------
    ConfigError : the layer is too large for the configuration.
    """
    config = layer.config
    tokens = inputs.values.shape[0]
    config.check_layer(
        tokens, layer.inputs, layer.outputs, layer.rank, layer.class_rank(2), layer.class_rank(1)
    )
    data = config.numbers.data_format
    rows, cols = config.rmc.rows, config.rmc.cols
    row_tiles, col_tiles = -(-layer.outputs // rows), -(-tokens // cols)
    groups = inputs.quantized.groups
    rank_blocks = -(-layer.rank // config.lvc.ranks)

    digits = inputs.quantized.scheme.digits, layer.weight.scheme.digits
    passes = digits[0] * digits[1]
    beats = groups * passes * config.beats
    x_fields, x_order, x_scales = grouped_beats(
        config, inputs.quantized, cols, [p // digits[1] for p in range(passes)]
    )
    w_fields, w_order, w_scales = grouped_beats(
        config, layer.weight, rows, [p % digits[1] for p in range(passes)]
    )
    command = {
        "coarse_groups": groups,
        "inputs": layer.inputs,
        "rank": layer.rank,
        "rank_blocks": rank_blocks,
        "row_tiles": row_tiles,
        "col_tiles": col_tiles,
        **class_commands(layer),
    }
    if config.rmc.activation_passes > 1:
        command["wide_activations"] = digits[0] - 1
    if config.rmc.weight_passes > 1:
        command["wide_weights"] = digits[1] - 1
    streams = {
        "command": Beats({name: np.array([value]) for name, value in command.items()}, np.arange(1)),
        "x": Beats(x_fields, x_order[per_column_tile(col_tiles, row_tiles, beats)]),
        "x_scale": Beats({"payload": x_scales}, per_column_tile(col_tiles, row_tiles, groups)),
        "w": Beats(w_fields, np.tile(w_order, col_tiles)),
        "w_scale": Beats({"payload": w_scales}, np.tile(np.arange(row_tiles * groups), col_tiles)),
        "bias": Beats(
            {"payload": blocks(encode(layer.bias, data).numpy()[:, None], rows)[:, 0]},
            np.tile(np.arange(row_tiles), col_tiles),
        ),
        "token": _tokens(config, encode(inputs.values, data).numpy(), rank_blocks),
        "v": _factor(encode(layer.v, data).numpy(), config.lvc.ranks, col_tiles),
        "u": _factor(encode(layer.u, data).numpy(), config.lvc_tiles * rows, col_tiles),
        **class_streams(layer, inputs, row_tiles, col_tiles),
    }
    return Job(config, streams, tokens, layer.inputs, layer.outputs, layer.rank, row_tiles, col_tiles)


def _tokens(config: Config, bits: Array, rank_blocks: int) -> Beats:
    """x' for the projections: for every column tile and block of ranks, every input."""
    tiles = blocks(bits, config.rmc.cols)  # [col_tiles, K, cols]
    col_tiles, inputs, cols = tiles.shape
    return Beats({"payload": tiles.reshape(-1, cols)}, per_column_tile(col_tiles, rank_blocks, inputs))


def _factor(bits: Array, size: int, col_tiles: int) -> Beats:
    """Rows of V or U in blocks of `size`, column by column; once for every column tile."""
    beats = blocks(bits, size).reshape(-1, size)
    return Beats({"payload": beats}, np.tile(np.arange(len(beats)), col_tiles))
