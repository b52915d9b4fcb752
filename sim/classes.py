"""The operand streams of the integer classes of a layer; hw/core/payloads.py is the definition of the order."""

from __future__ import annotations

import numpy as np

from sevedo.gen.config import Config
from sevedo.hw.core.payloads import FINE_FIELD
from sevedo.ref.classes import Z_DIGITS, IntegerClass
from sevedo.ref.grouped import GroupedTensor
from sevedo.ref.linear import LayerInputs, QuantizedLinear

from .beats import Array, Beats, blocks, grouped_beats


def class_commands(layer: QuantizedLinear) -> dict[str, int]:
    """The fields of a command that tell of the integer classes; none where the core has no such classes."""
    lvc = layer.config.lvc
    return {
        f"{each.name}_{what}": -(-layer.class_rank(each.digits) // size)
        for each in layer.config.rank_classes
        for what, size in (("rows", lvc.int_ranks), ("blocks", lvc.int_lanes))
    }


def class_streams(
    layer: QuantizedLinear, inputs: LayerInputs, row_tiles: int, col_tiles: int
) -> dict[str, Beats]:
    """Streams `int_x` to `int_u_scale`, empty for a layer without classes; none where the core has no such classes."""
    config = layer.config
    if not config.rank_classes:
        return {}
    x, x_scale = _activations(config, layer.wide(inputs), layer.classes, col_tiles)
    v, v_scale = _rows(config, layer.classes, inputs.quantized.groups, col_tiles)
    u, u_scale = _columns(config, layer.classes, row_tiles, col_tiles)
    return {
        "int_x": x,
        "int_x_scale": x_scale,
        "int_v": v,
        "int_v_scale": v_scale,
        "int_u": u,
        "int_u_scale": u_scale,
    }


def _passes(part: IntegerClass) -> list[tuple[int, int]]:
    """Digits, 0 the highest, of (x' or z, V or U) in every pass."""
    return [(a, b) for a in range(Z_DIGITS) for b in range(part.digits)]


def _activations(
    config: Config, wide: GroupedTensor, classes: tuple[IntegerClass, ...], col_tiles: int
) -> tuple[Beats, Beats]:
    """x' and its scales: for every column tile and class, as often as the class has blocks of `int_ranks` ranks."""
    fields, _, scales = grouped_beats(config, wide, config.rmc.cols, [0])
    groups = np.arange(len(scales)).reshape(col_tiles, -1)
    orders, scale_orders = [np.empty((col_tiles, 0), int)], [np.empty((col_tiles, 0), int)]
    for part in classes:
        digits = [high for high, _ in _passes(part)]
        order = grouped_beats(config, wide, config.rmc.cols, digits)[1].reshape(col_tiles, -1)
        rows = -(-part.ranks // config.lvc.int_ranks)
        orders.append(np.tile(order, rows))
        scale_orders.append(np.tile(groups, rows))
    return (
        Beats(fields, np.concatenate(orders, axis=1).reshape(-1)),
        Beats({"payload": scales}, np.concatenate(scale_orders, axis=1).reshape(-1)),
    )


def _rows(
    config: Config, classes: tuple[IntegerClass, ...], groups: int, col_tiles: int
) -> tuple[Beats, Beats]:
    """V and its scales, class after class; once for every column tile."""
    size = config.lvc.int_ranks
    fields: dict[str, list[Array]] = {"codes": [np.empty((0, size, config.rmc.lanes), np.int8)]}
    if config.groups.weight_fine_bits:
        fields[FINE_FIELD[config.groups.level]] = [np.empty((0, size), np.uint8)]
    orders, scales, first = [np.empty(0, int)], [np.empty((0, size), np.int64)], 0
    for part in classes:
        found, order, part_scales = grouped_beats(config, part.v, size, [low for _, low in _passes(part)])
        for name, values in found.items():
            fields[name].append(values)
        orders.append(order + first)
        scales.append(part_scales)
        first += len(found["codes"])
    all_scales = np.concatenate(scales)
    return (
        Beats(
            {name: np.concatenate(values) for name, values in fields.items()},
            np.tile(np.concatenate(orders), col_tiles),
        ),
        Beats({"payload": all_scales}, np.tile(np.arange(len(all_scales)), col_tiles)),
    )


def _columns(
    config: Config, classes: tuple[IntegerClass, ...], row_tiles: int, col_tiles: int
) -> tuple[Beats, Beats]:
    """U and its scales: for every tile and block of tokens, class after class."""
    rows, lanes = config.rmc.rows, config.lvc.int_lanes
    parts = config.rmc.cols // config.lvc.int_tokens
    codes, orders = [np.empty((0, rows, lanes), np.int8)], [np.empty((row_tiles, 0), int)]
    scales, first = [np.empty((row_tiles, 0, rows), np.int64)], 0
    for part in classes:
        count = -(-part.ranks // lanes)
        padded = np.zeros((part.digits, row_tiles * rows, count * lanes), np.int8)
        digits = part.u_digits().numpy()
        padded[:, : digits.shape[1], : digits.shape[2]] = digits
        cut = padded.reshape(part.digits, row_tiles, rows, count, lanes).transpose(0, 1, 3, 2, 4)
        codes.append(cut.reshape(-1, rows, lanes))
        beats = first + np.arange(len(codes[-1])).reshape(part.digits, row_tiles, count)
        orders.append(np.concatenate([beats[low] for _, low in _passes(part)], axis=1))
        scales.append(blocks(part.scale_bits.numpy()[:, None], rows))
        first += len(codes[-1])
    all_scales = np.concatenate(scales, axis=1)
    order = np.concatenate(orders, axis=1)
    scale_order = np.arange(all_scales.shape[0] * all_scales.shape[1]).reshape(row_tiles, -1)
    return (
        Beats({"payload": np.concatenate(codes)}, np.tile(np.tile(order, parts).reshape(-1), col_tiles)),
        Beats(
            {"payload": all_scales.reshape(-1, rows)},
            np.tile(np.tile(scale_order, parts).reshape(-1), col_tiles),
        ),
    )
