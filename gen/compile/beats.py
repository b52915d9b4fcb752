"""The operands of a quantized layer in beats: golden tensors cut into tiles, every beat once, in the order of memory.

hw/core/payloads.py says in which order the core takes beats, `sevedo.gen.config.operands` how they lie in memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sevedo.gen.config import Config
from sevedo.ref.classes import IntegerClass
from sevedo.ref.grouped import GroupedTensor
from sevedo.ref.linear import QuantizedLinear
from sevedo.ref.rounding import encode

Array = np.ndarray[Any, Any]
Beats = dict[str, Array]
"""Operands by name: [sections, beats, *shape of a beat]."""


@dataclass(frozen=True)
class LayerBeats:
    """What a layer streams for a column tile.

    Members
    -------
    projections : v; then int_v_scale, int_v_fine and int_v of each integer class: a section for each block of ranks
    tiles : the operands of row tiles, a section for each tile; but u: for each group of `lvc_tiles` tiles
    """

    projections: tuple[Beats, ...]
    tiles: Beats


def layer_beats(layer: QuantizedLinear, config: Config) -> LayerBeats:
    """The operands of a layer on the processor of `config`."""
    data, lvc, rows = config.numbers.data_format, config.lvc, config.rmc.rows
    projections = []
    if layer.rank:
        projections.append({"v": _columns(encode(layer.v, data).numpy(), lvc.ranks)})
    projections += [_grouped(config, part.v, lvc.int_ranks, "int_v") for part in layer.classes]
    tiles = {"bias": _blocks(encode(layer.bias, data).numpy()[None], rows)}
    if layer.rank:
        tiles["u"] = _columns(encode(layer.u, data).numpy(), config.lvc_tiles * rows)
    if layer.classes:
        scales = np.stack([part.scale_bits.numpy() for part in layer.classes])
        tiles["int_u_scale"] = _blocks(scales, rows)
        columns = [_class_columns(config, part) for part in layer.classes]
        tiles["int_u"] = np.concatenate(columns, axis=1)
    return LayerBeats(tuple(projections), tiles | _grouped(config, layer.weight, rows, "w"))


def _padded(values: Array, axis: int, size: int) -> Array:
    """Padded with zeros to a multiple of `size`."""
    spare = -values.shape[axis] % size
    if not spare:
        return values
    return np.pad(values, [(0, spare if each == axis else 0) for each in range(values.ndim)])


def _blocks(values: Array, size: int) -> Array:
    """Rows of numbers [B, R] for R rows of the layer, in blocks: [blocks, B, size]."""
    padded = _padded(values, 1, size)
    return padded.reshape(len(values), -1, size).swapaxes(0, 1)


def _columns(values: Array, size: int) -> Array:
    """A factor [R, C] in blocks of `size` rows, column by column: [blocks, C, size]."""
    return _blocks(values.T, size)


def _grouped(config: Config, tensor: GroupedTensor, size: int, name: str) -> Beats:
    """Codes, fine numbers and scales of rows in blocks of `size`: a section of each for a block.

    The digits of a coarse group are one after the other, the highest first.
    """
    lanes, fine = config.rmc.lanes, config.groups.fine
    digits = _padded(tensor.digits().numpy(), 1, size)
    count = len(digits)
    cut = digits.reshape(count, -1, size, tensor.groups, config.beats, lanes)
    codes = cut.transpose(1, 3, 0, 4, 2, 5)  # [blocks, groups, digits, beats, size, lanes]
    found = {f"{name}_scale": _blocks(tensor.scale_bits.numpy().T, size)}
    if tensor.scheme.fine_bits:
        found[f"{name}_fine"] = _blocks(np.repeat(tensor.fine.numpy(), fine // lanes, axis=1).T, size)
    found[name] = codes.reshape(len(codes), -1, size, lanes)
    return found


def _class_columns(config: Config, part: IntegerClass) -> Array:
    """Codes of U of a class: [tiles, digits * blocks of ranks, rows, int_lanes]."""
    rows, lanes = config.rmc.rows, config.lvc.int_lanes
    digits = _padded(_padded(part.u_digits().numpy(), 1, rows), 2, lanes)
    cut = digits.reshape(len(digits), -1, rows, digits.shape[2] // lanes, lanes)
    return cut.transpose(1, 0, 3, 2, 4).reshape(cut.shape[1], -1, rows, lanes)
