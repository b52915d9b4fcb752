"""What is stored once, given as often as docs/image.md says, is what the core is verified with (sim/schedule.py)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from layers import layer, random_shape
from programs import processor_config

from sevedo.gen.compile.beats import layer_beats
from sevedo.gen.config import Config
from sevedo.hw.core.payloads import FINE_FIELD
from sevedo.ref.linear import QuantizedLinear
from sevedo.sim.beats import Beats
from sevedo.sim.schedule import schedule

Array = np.ndarray[Any, Any]


def sent(beats: Beats, field: str = "payload") -> Array:
    """The beats of a stream in the order in which they are sent."""
    return np.asarray(beats.fields[field][beats.order])


def by_passes(codes: Array, groups: int, digits: int, passes: list[int]) -> Array:
    """Sections of codes, the digits of a coarse group given for each pass: [beats, ...]."""
    cut = codes.reshape(len(codes), groups, digits, -1, *codes.shape[2:])
    given = cut[:, :, passes]
    return given.reshape(-1, *codes.shape[2:])


def fine_by_passes(fine: Array, groups: int, passes: int) -> Array:
    """Sections of fine numbers, a coarse group's given for each pass."""
    cut = fine.reshape(len(fine), groups, 1, -1, fine.shape[2])
    return np.repeat(cut, passes, axis=2).reshape(-1, fine.shape[2])


def check_same(got: Array, expected: Array) -> None:
    np.testing.assert_array_equal(got.astype(np.int64), expected.astype(np.int64))


def check_order(config: Config, quantized: QuantizedLinear, streams: dict[str, Beats]) -> int:
    """Every operand of a column tile; returns how many were compared."""
    beats, groups = layer_beats(quantized, config), quantized.weight.groups
    tiles, field = beats.tiles, FINE_FIELD[config.groups.level]
    digits = quantized.activation_scheme.digits, quantized.weight.scheme.digits
    passes = [p % digits[1] for p in range(digits[0] * digits[1])]
    check_same(by_passes(tiles["w"], groups, digits[1], passes), sent(streams["w"], "codes"))
    if config.groups.weight_fine_bits:
        check_same(fine_by_passes(tiles["w_fine"], groups, len(passes)), sent(streams["w"], field))
    check_same(tiles["w_scale"].reshape(-1, config.rmc.rows), sent(streams["w_scale"]))
    check_same(tiles["bias"].reshape(-1, config.rmc.rows), sent(streams["bias"]))
    compared = 3
    projections = list(beats.projections)
    if quantized.rank:
        check_same(projections.pop(0)["v"].reshape(-1, config.lvc.ranks), sent(streams["v"]))
        check_same(tiles["u"].reshape(-1, tiles["u"].shape[2]), sent(streams["u"]))
        compared += 2
    if not quantized.classes:
        return compared
    codes, fine, scales = [], [], []
    for part, found in zip(quantized.classes, projections, strict=True):
        order = [low for _ in range(2) for low in range(part.digits)]
        codes.append(by_passes(found["int_v"], groups, part.digits, order))
        scales.append(found["int_v_scale"].reshape(-1, config.lvc.int_ranks))
        if config.groups.weight_fine_bits:
            fine.append(fine_by_passes(found["int_v_fine"], groups, len(order)))
    check_same(np.concatenate(codes), sent(streams["int_v"], "codes"))
    check_same(np.concatenate(scales), sent(streams["int_v_scale"]))
    if fine:
        check_same(np.concatenate(fine), sent(streams["int_v"], field))
    parts = config.rmc.cols // config.lvc.int_tokens
    columns = []
    first = 0
    for part in quantized.classes:
        blocks = -(-part.ranks // config.lvc.int_lanes)
        each = tiles["int_u"][:, first : first + part.digits * blocks]
        first += part.digits * blocks
        columns += [
            each[:, low * blocks : (low + 1) * blocks] for _ in range(2) for low in range(part.digits)
        ]
    assert first == tiles["int_u"].shape[1]
    whole = np.concatenate(columns, axis=1)
    check_same(np.repeat(whole[:, None], parts, axis=1).reshape(-1, *whole.shape[2:]), sent(streams["int_u"]))
    scale = np.repeat(tiles["int_u_scale"][:, None], parts, axis=1)
    check_same(scale.reshape(-1, config.rmc.rows), sent(streams["int_u_scale"]))
    return compared + 4


@pytest.mark.parametrize("seed", range(24))
def test_operands_are_those_of_the_core(seed: int) -> None:
    config = processor_config(seed)
    _, inputs, outputs, rank = random_shape(config, seed)
    quantized, prepared, _ = layer(config, (1, inputs, outputs, rank), seed=seed)
    compared = check_order(config, quantized, schedule(quantized, prepared).streams)
    assert compared == 3 + 2 * bool(rank) + 4 * bool(quantized.classes)
