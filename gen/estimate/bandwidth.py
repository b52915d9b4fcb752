"""What the operand streams of a layer carry."""

from __future__ import annotations

from typing import Any

from sevedo.gen.config import Config
from sevedo.hw.core import payloads

from .array import Array, coarse_groups, tiles
from .shapes import LayerShape
from .vector import Vector


def operand_bytes(config: Config, shape: LayerShape) -> dict[str, float]:
    """Bytes that pass each operand stream for one layer, scales with the codes they belong to.

    `x` and `w` are sent anew for every tile, `token` for every block of ranks, `v` and `u` for every column tile;
    `int_x` for every block of ranks, `int_v` for every column tile, `int_u` for every block of tokens of a tile
    (hw/core/payloads.py); a beat counts with its bits, packed.
    """
    rows, cols = config.rmc.rows, config.rmc.cols
    row_tiles, col_tiles = tiles(config, shape)
    all_tiles = row_tiles * col_tiles
    beats, groups = all_tiles * Array.of(config, shape).tile_beats, all_tiles * coarse_groups(config, shape)
    vector = Vector.of(config, shape)
    projected = col_tiles * vector.blocks * vector.project_steps
    expanded = col_tiles * -(-row_tiles // vector.group) * shape.rank
    bits = {
        "x": beats * _bits(payloads.activations(config)) + groups * _bits(payloads.scales(config, cols)),
        "w": beats * _bits(payloads.weights(config)) + groups * _bits(payloads.scales(config, rows)),
        "token": projected * _bits(payloads.numbers(config, cols)),
        "v": projected * _bits(payloads.numbers(config, config.lvc.ranks)),
        "u": expanded * _bits(payloads.numbers(config, config.lvc_tiles * rows)),
        "bias": all_tiles * _bits(payloads.numbers(config, rows)),
    }
    if (classes := vector.classes) is not None:
        beats_of = col_tiles * sum(classes.projections)
        groups_of = col_tiles * len(classes.projections) * coarse_groups(config, shape)
        parts = all_tiles * classes.parts
        count = {
            "int_x": beats_of,
            "int_x_scale": groups_of,
            "int_v": beats_of,
            "int_v_scale": groups_of,
            "int_u": parts * sum(classes.steps),
            "int_u_scale": parts * len(classes.steps),
        }
        sizes = {
            name: number * _bits(payloads.class_operands(config)[name]) for name, number in count.items()
        }
        bits |= {name: sizes[name] + sizes[f"{name}_scale"] for name in ("int_x", "int_v", "int_u")}
    return {name: size / 8 for name, size in bits.items()}


def array_bytes(config: Config) -> float:
    """Bytes of x and w, scales included, that an array without a pause takes in each cycle."""
    bits = _bits(payloads.activations(config)) + _bits(payloads.weights(config))
    scales = _bits(payloads.scales(config, config.rmc.cols)) + _bits(payloads.scales(config, config.rmc.rows))
    return (bits + scales / config.beats) / 8


def _bits(layout: Any) -> int:
    return layout.size
