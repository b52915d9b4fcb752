"""What the processor holds between instructions: memories, operand buffers, outputs, segments of DRAM."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

import numpy as np
import torch

from sevedo.gen.config import Config, FineLevel
from sevedo.gen.config.instructions import Error, Segment, code_groups, multiplier_rows
from sevedo.gen.config.operands import operands

from ..grouped import GroupedTensor, GroupScheme
from .beats import Array
from .report import Stop


class CodeMemory:
    """Quantized activations of `cols` tokens."""

    def __init__(self, config: Config, scheme: GroupScheme) -> None:
        self.scheme, groups = scheme, code_groups(config)
        rows = config.rmc.cols
        fine = 0 if scheme.level is FineLevel.NONE else groups * (scheme.coarse // scheme.fine)
        self._codes = torch.zeros(rows, groups * scheme.coarse, dtype=torch.int8)
        self._fine = torch.zeros(rows, fine, dtype=torch.uint8)
        self._scales = torch.zeros(rows, groups, dtype=torch.float64)

    def write(self, group: int, rows: GroupedTensor) -> None:
        """From coarse group `group` on."""
        for memory, values, first in (
            (self._codes, rows.codes, group * self.scheme.coarse),
            (self._fine, rows.fine, group * (self.scheme.coarse // self.scheme.fine)),
            (self._scales, rows.scales, group),
        ):
            memory[: rows.rows, first : first + values.shape[1]] = values

    def read(self, group: int, groups: int, inputs: int) -> GroupedTensor:
        """All tokens, `groups` groups from `group` on."""
        coarse, share = self.scheme.coarse, self.scheme.coarse // self.scheme.fine
        return GroupedTensor(
            self._codes[:, group * coarse : (group + groups) * coarse].clone(),
            self._fine[:, group * share : (group + groups) * share].clone(),
            self._scales[:, group : group + groups].clone(),
            inputs,
            self.scheme,
        )


class Buffer:
    """Beats of an operand that wait for MATMUL, as they came: chunks [beats, *shape]."""

    def __init__(self, depth: int, shape: tuple[int, ...]) -> None:
        self.depth, self.beats = depth, 0
        self._empty = np.zeros((0, *shape), np.int8)
        self._chunks: deque[Array] = deque()

    def put(self, chunk: Array) -> None:
        """Behind all others."""
        self._chunks.append(chunk)
        self.beats += len(chunk)

    def take(self, beats: int) -> Array:
        """The first beats, which must be there."""
        found: list[Array] = []
        self.beats -= beats
        while beats:
            chunk = self._chunks.popleft()
            found.append(chunk[:beats])
            if len(chunk) > beats:
                self._chunks.appendleft(chunk[beats:])
            beats -= len(found[-1])
        return np.concatenate(found) if found else self._empty


@dataclass(frozen=True)
class Dram:
    """The two segments that the host granted.

    Members
    -------
    image, data : their bytes; only `data` is written
    word : bytes of a bus word, which is what is read and written
    """

    image: bytes | bytearray
    data: bytearray
    word: int

    def check(self, segment: int, address: int, length: int, unit: int, instruction: int) -> None:
        """Refuse bus words that are not all within the segment.

        Raises
        ------
        Stop : RANGE, with the offset of the first word that is not.
        """
        size = len(self.image if segment == Segment.IMAGE else self.data)
        whole = size // self.word * self.word
        if address + length > whole:
            raise Stop(Error.RANGE, unit, instruction, max(address, whole))

    def read(self, segment: int, address: int, length: int) -> Array:
        """Bytes, checked before."""
        source = self.image if segment == Segment.IMAGE else self.data
        return np.frombuffer(source, np.uint8, length, address).copy()


class Memories:
    """All memories of the processor of `config`, filled with zeros.

    Members
    -------
    iomem : encodings [cols, rows * lanes]
    multipliers : encodings [rows * lanes]
    codes : of one digit and, where the processor has use for them, of two, by the number of digits
    buffers : of the operands
    outputs : row tiles of outputs on their way to STORE, encodings [cols, rows]
    """

    def __init__(self, config: Config) -> None:
        rmc = config.rmc
        self.iomem = np.zeros((rmc.cols, config.iomem_rows * rmc.lanes), np.uint16)
        self.multipliers = np.zeros(multiplier_rows(config) * rmc.lanes, np.uint16)
        wide = rmc.activation_passes > 1 or bool(config.rank_classes)
        self.codes = {
            digits: CodeMemory(config, GroupScheme.activations(config, digits))
            for digits in ((1, 2) if wide else (1,))
        }
        self.buffers = {
            name: Buffer(operand.depth, operand.shape) for name, operand in operands(config).items()
        }
        self.outputs: deque[Array] = deque()


def beat_scheme(scheme: GroupScheme, lanes: int) -> GroupScheme:
    """The scheme with a fine group for each beat: every beat has the number of its fine group with it."""
    return scheme if scheme.level is FineLevel.NONE else replace(scheme, fine=lanes)


def in_beats(rows: GroupedTensor, lanes: int) -> GroupedTensor:
    """The same rows in `beat_scheme`."""
    fine = rows.fine
    if rows.scheme.level is not FineLevel.NONE:
        fine = fine.repeat_interleave(rows.scheme.fine // lanes, dim=1)
    return replace(rows, fine=fine, scheme=beat_scheme(rows.scheme, lanes))
