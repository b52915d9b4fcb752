"""MATMUL of the Python machine: streamed beats back to rows in groups, then the golden model's own arithmetic."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor

from sevedo.gen.config import FP16, Config, FineLevel

from ..classes import IntegerClass, expand
from ..grouped import GroupedTensor, GroupScheme
from ..lowrank import low_rank
from ..rounding import decode, encode, round_to
from .beats import Array
from .memories import Memories, beat_scheme, in_beats

Fields = Mapping[str, int]
Residual = Callable[[GroupedTensor, GroupedTensor], Tensor]
"""Residual sums of activations and weights; see `sevedo.ref.residual.residual`."""


def smoothed(memories: Memories, config: Config, tokens: int, f: Fields) -> Tensor:
    """x' = DATA(x * m) of the first tokens, float64 [tokens, inputs]."""
    data, lanes, inputs = config.numbers.data_format, config.rmc.lanes, f["inputs"]
    row, place = f["row"] * lanes, f["multiplier_row"] * lanes
    x = torch.from_numpy(memories.iomem[:tokens, row : row + inputs].astype(np.int64))
    m = torch.from_numpy(memories.multipliers[place : place + inputs].astype(np.int64))
    return round_to(decode(x, data) * decode(m, data), data)


def demand(config: Config, f: Fields) -> dict[str, int]:
    """Beats of each operand that a MATMUL takes from its buffer."""
    beats, groups, tiles = config.beats, f["groups"], f["row_tiles"]
    found = {
        "v": f["rank_blocks"] * f["inputs"],
        "u": -(-tiles // config.lvc_tiles) * f["rank"],
        "bias": tiles,
        "w_scale": tiles * groups,
        "w": tiles * groups * beats * (1 + f["wide_weights"]),
    }
    if config.groups.weight_fine_bits:
        found["w_fine"] = tiles * groups * beats
    for each in config.rank_classes:
        blocks, columns = f[f"{each.name}_rows"], each.digits * f[f"{each.name}_blocks"]
        for name, count in (
            ("int_v_scale", blocks * groups),
            ("int_v_fine", blocks * groups * beats if config.groups.weight_fine_bits else 0),
            ("int_v", blocks * groups * beats * each.digits),
            ("int_u_scale", tiles if blocks else 0),
            ("int_u", tiles * columns),
        ):
            found[name] = found.get(name, 0) + count
    return {name: count for name, count in found.items() if count}


class Operands:
    """What a MATMUL streamed: takes beats in order and puts them together again."""

    def __init__(self, config: Config, f: Fields, taken: Mapping[str, Array]) -> None:
        self._config, self._f = config, f
        self._beats = {name: torch.from_numpy(values.astype(np.int64)) for name, values in taken.items()}

    def _take(self, name: str, count: int) -> Tensor:
        beats = self._beats[name]
        self._beats[name] = beats[count:]
        return beats[:count]

    def rows(self, name: str, blocks: int, digits: int) -> GroupedTensor:
        """The next `blocks` blocks of rows in groups."""
        config, groups = self._config, self._f["groups"]
        scheme, beats, lanes = GroupScheme.weights(config, digits), config.beats, config.rmc.lanes
        codes = self._take(name, blocks * groups * digits * beats)
        size = codes.shape[1]
        cut = codes.reshape(blocks, groups, digits, beats, size, lanes).permute(2, 0, 4, 1, 3, 5)
        whole = cut.reshape(digits, blocks * size, groups * beats * lanes)
        value = sum((whole[place] << scheme.code_bits * (digits - 1 - place) for place in range(digits)), 0)
        fine = torch.zeros(blocks * size, groups * beats, dtype=torch.uint8)
        if scheme.fine_bits:
            numbers = self._take(f"{name}_fine", blocks * groups * beats).reshape(blocks, -1, size)
            fine = numbers.swapaxes(1, 2).reshape(blocks * size, -1).to(torch.uint8)
        if scheme.level is FineLevel.NONE:
            fine = fine[:, :0]
        scales = self._take(f"{name}_scale", blocks * groups).reshape(blocks, groups, size)
        # Two digits of the lowest value are beyond int8.
        return GroupedTensor(
            torch.as_tensor(value).to(torch.int16),
            fine,
            decode(scales.swapaxes(1, 2).reshape(blocks * size, groups), scheme.scale),
            self._f["inputs"],
            beat_scheme(scheme, lanes),
        )

    def factors(self) -> tuple[Tensor, Tensor]:
        """U [N, r] and V [r, K] of the class in floating point, N being that of whole tiles."""
        config, f = self._config, self._f
        data, rank, outputs = config.numbers.data_format, f["rank"], f["row_tiles"] * config.rmc.rows
        if not rank:
            return torch.zeros(outputs, 0, dtype=torch.float64), torch.zeros(
                0, f["inputs"], dtype=torch.float64
            )
        v = self._beats["v"].reshape(f["rank_blocks"], f["inputs"], -1).swapaxes(1, 2)
        u = self._beats["u"].reshape(-1, rank, config.lvc_tiles * config.rmc.rows).swapaxes(1, 2)
        return (
            decode(u.reshape(-1, rank)[:outputs], data),
            decode(v.reshape(-1, f["inputs"])[:rank], data),
        )

    def bias(self) -> Tensor:
        """Of whole tiles."""
        return decode(self._beats["bias"].reshape(-1), self._config.numbers.data_format)

    def classes(self) -> list[IntegerClass]:
        """The integer classes that have ranks."""
        config, f = self._config, self._f
        there = [each for each in config.rank_classes if f[f"{each.name}_rows"]]
        if not there:
            return []
        tiles, rows, lanes = f["row_tiles"], config.rmc.rows, config.lvc.int_lanes
        codes = self._beats["int_u"].reshape(tiles, -1, rows, lanes)
        scales = decode(self._beats["int_u_scale"].reshape(tiles, len(there), rows), FP16)
        found, first = [], 0
        for number, each in enumerate(there):
            blocks = f[f"{each.name}_blocks"]
            columns = codes[:, first : first + each.digits * blocks]
            first += each.digits * blocks
            digits = columns.reshape(tiles, each.digits, blocks, rows, lanes).permute(1, 0, 3, 2, 4)
            whole = digits.reshape(each.digits, tiles * rows, blocks * lanes)
            bits = config.numbers.weight_bits
            value = sum((whole[p] << bits * (each.digits - 1 - p) for p in range(each.digits)), 0)
            v = self.rows("int_v", f[f"{each.name}_rows"], each.digits)
            u = torch.as_tensor(value)[:, : v.rows].to(torch.int16)
            found.append(IntegerClass(v, u, scales[:, number].reshape(-1)))
        return found


def matmul(
    config: Config, f: Fields, memories: Memories, taken: Mapping[str, Array], residual: Residual
) -> Array:
    """Outputs of all `cols` tokens, encodings [cols, row_tiles * rows], by the contract (docs/numerics.md)."""
    data, lanes = config.numbers.data_format, config.rmc.lanes
    streamed = Operands(config, f, taken)

    def codes(digits: int) -> GroupedTensor:
        return in_beats(memories.codes[digits].read(f["group"], f["groups"], f["inputs"]), lanes)

    y = residual(codes(1 + f["wide_activations"]), streamed.rows("w", f["row_tiles"], 1 + f["wide_weights"]))
    correction = low_rank(smoothed(memories, config, config.rmc.cols, f), *streamed.factors(), data)[1]
    for part in streamed.classes():
        correction = correction + expand(codes(2), part)[1]
    total = (y + correction) + streamed.bias().to(torch.float32)
    return encode(total, data).numpy().astype(np.uint16)
