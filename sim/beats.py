"""Golden tensors in beats: cut into tiles, padded with zeros, distinct beats once, and the order to send them in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sevedo.gen.config import Config
from sevedo.hw.core.payloads import FINE_FIELD
from sevedo.ref.grouped import GroupedTensor

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


def blocks(values: Array, size: int) -> Array:
    """Rows [R, C] in blocks of `size`, padded with zeros, columns outside: [R / size, C, size]."""
    rows, columns = values.shape
    padded = np.zeros((-(-rows // size) * size, columns), values.dtype)
    padded[:rows] = values
    return padded.reshape(len(padded) // size, size, columns).transpose(0, 2, 1)


def grouped_beats(
    config: Config, tensor: GroupedTensor, size: int, digit_of_pass: list[int]
) -> tuple[dict[str, Array], Array, Array]:
    """Operand beats, their order and scale beats of every tile of `size` rows, tile after tile.

    `digit_of_pass` says which digit of the codes, 0 the highest, each pass over a coarse group takes.
    """
    lanes, fine = config.rmc.lanes, config.groups.fine
    codes = np.concatenate(
        [blocks(digit, size) for digit in tensor.digits().numpy()]
    )  # [digits * tiles, Kp, size]
    tiles, padded = len(codes) // tensor.scheme.digits, codes.shape[1]
    per_tile = padded // lanes
    fields: dict[str, Array] = {"codes": codes.reshape(-1, lanes, size).transpose(0, 2, 1)}
    if tensor.scheme.fine_bits:
        numbers = np.repeat(blocks(tensor.fine.numpy(), size), fine // lanes, axis=1)  # [tiles, beats, size]
        fields[FINE_FIELD[tensor.scheme.level]] = np.tile(
            numbers.reshape(-1, size), (tensor.scheme.digits, 1)
        )
    each = np.arange(tiles * per_tile).reshape(-1, 1, config.beats)  # beats of each coarse group
    order = each + np.array(digit_of_pass)[None, :, None] * (tiles * per_tile)
    scales = blocks(tensor.scale_bits.numpy(), size).reshape(-1, size)
    return fields, order.reshape(-1), scales


def per_column_tile(col_tiles: int, row_tiles: int, length: int) -> Array:
    """Beats of a column tile, sent again for each of its row tiles."""
    distinct = np.arange(col_tiles * length).reshape(col_tiles, 1, length)
    return np.broadcast_to(distinct, (col_tiles, row_tiles, length)).reshape(-1)
