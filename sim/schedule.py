"""The operand streams of a layer: golden tensors, cut into tiles, in the order that the core takes them.

Data flow: QuantizedLinear and LayerInputs (ref) -> Job: arrays of every input stream's fields, distinct beats once,
with the order in which they are sent -> packed words. hw/core/payloads.py is the definition of the order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sevedo.gen.config import Config
from sevedo.hw.core.payloads import FINE_FIELD
from sevedo.ref.grouped import GroupedTensor
from sevedo.ref.linear import LayerInputs, QuantizedLinear
from sevedo.ref.rounding import encode

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Beats:
    """What one input stream carries.

    Members
    -------
    fields : for every payload field (`payload` for a plain payload) an array [distinct beats, ...]
    order : indices of distinct beats, in the order in which they are sent
    """

    fields: dict[str, Array]
    order: Array


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
    config.check_layer(tokens, layer.inputs, layer.outputs, layer.rank)
    data = config.numbers.data_format
    rows, cols = config.rmc.rows, config.rmc.cols
    row_tiles, col_tiles = -(-layer.outputs // rows), -(-tokens // cols)
    groups = inputs.quantized.groups
    blocks = -(-layer.rank // config.lvc.ranks)

    digits = inputs.quantized.scheme.digits, layer.weight.scheme.digits
    passes = digits[0] * digits[1]
    beats = groups * passes * config.beats
    x_fields, x_order, x_scales = _residual(
        config, inputs.quantized, cols, [p // digits[1] for p in range(passes)]
    )
    w_fields, w_order, w_scales = _residual(
        config, layer.weight, rows, [p % digits[1] for p in range(passes)]
    )
    command = {
        "coarse_groups": groups,
        "inputs": layer.inputs,
        "rank": layer.rank,
        "rank_blocks": blocks,
        "row_tiles": row_tiles,
        "col_tiles": col_tiles,
    }
    if config.rmc.activation_passes > 1:
        command["wide_activations"] = digits[0] - 1
    if config.rmc.weight_passes > 1:
        command["wide_weights"] = digits[1] - 1
    streams = {
        "command": Beats({name: np.array([value]) for name, value in command.items()}, np.arange(1)),
        "x": Beats(x_fields, x_order[_per_column_tile(col_tiles, row_tiles, beats)]),
        "x_scale": Beats({"payload": x_scales}, _per_column_tile(col_tiles, row_tiles, groups)),
        "w": Beats(w_fields, np.tile(w_order, col_tiles)),
        "w_scale": Beats({"payload": w_scales}, np.tile(np.arange(row_tiles * groups), col_tiles)),
        "bias": Beats(
            {"payload": _blocks(encode(layer.bias, data).numpy()[:, None], rows)[:, 0]},
            np.tile(np.arange(row_tiles), col_tiles),
        ),
        "token": _tokens(config, encode(inputs.values, data).numpy(), blocks),
        "v": _factor(encode(layer.v, data).numpy(), config.lvc.ranks, col_tiles),
        "u": _factor(encode(layer.u, data).numpy(), config.lvc_tiles * rows, col_tiles),
    }
    return Job(config, streams, tokens, layer.inputs, layer.outputs, layer.rank, row_tiles, col_tiles)


def _blocks(values: Array, size: int) -> Array:
    """Rows [R, C] in blocks of `size`, padded with zeros, columns outside: [R / size, C, size]."""
    rows, columns = values.shape
    padded = np.zeros((-(-rows // size) * size, columns), values.dtype)
    padded[:rows] = values
    return padded.reshape(len(padded) // size, size, columns).transpose(0, 2, 1)


def _residual(
    config: Config, tensor: GroupedTensor, size: int, digit_of_pass: list[int]
) -> tuple[dict[str, Array], Array, Array]:
    """Operand beats, their order and scale beats of every tile of `size` rows, tile after tile.

    `digit_of_pass` says which digit of the codes, 0 the highest, each pass over a coarse group takes.
    """
    lanes, fine = config.rmc.lanes, config.groups.fine
    codes = np.concatenate(
        [_blocks(digit, size) for digit in tensor.digits().numpy()]
    )  # [digits * tiles, Kp, size]
    tiles, padded = len(codes) // tensor.scheme.digits, codes.shape[1]
    per_tile = padded // lanes
    fields: dict[str, Array] = {"codes": codes.reshape(-1, lanes, size).transpose(0, 2, 1)}
    if tensor.scheme.fine_bits:
        numbers = np.repeat(_blocks(tensor.fine.numpy(), size), fine // lanes, axis=1)  # [tiles, beats, size]
        fields[FINE_FIELD[tensor.scheme.level]] = np.tile(
            numbers.reshape(-1, size), (tensor.scheme.digits, 1)
        )
    each = np.arange(tiles * per_tile).reshape(-1, 1, config.beats)  # beats of each coarse group
    order = each + np.array(digit_of_pass)[None, :, None] * (tiles * per_tile)
    scales = _blocks(tensor.scale_bits.numpy(), size).reshape(-1, size)
    return fields, order.reshape(-1), scales


def _per_column_tile(col_tiles: int, row_tiles: int, length: int) -> Array:
    """Beats of a column tile, sent again for each of its row tiles."""
    distinct = np.arange(col_tiles * length).reshape(col_tiles, 1, length)
    return np.broadcast_to(distinct, (col_tiles, row_tiles, length)).reshape(-1)


def _tokens(config: Config, bits: Array, blocks: int) -> Beats:
    """x' for the projections: for every column tile and block of ranks, every input."""
    tiles = _blocks(bits, config.rmc.cols)  # [col_tiles, K, cols]
    col_tiles, inputs, cols = tiles.shape
    return Beats({"payload": tiles.reshape(-1, cols)}, _per_column_tile(col_tiles, blocks, inputs))


def _factor(bits: Array, size: int, col_tiles: int) -> Beats:
    """Rows of V or U in blocks of `size`, column by column; once for every column tile."""
    beats = _blocks(bits, size).reshape(-1, size)
    return Beats({"payload": beats}, np.tile(np.arange(len(beats)), col_tiles))
