"""Traces of activity made by hand, as the simulation writes them."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path

from sevedo.gen.config.instructions import Unit
from sevedo.sim.activity import State

Changes = Iterable[tuple[int, Unit, State, int]]


def write_trace(
    path: Path, changes: Changes, end: int, start: int = 0, traffic: Iterable[tuple[int, int, int]] = ()
) -> Path:
    """A trace from `start` to `end`: (cycle, unit, state, instruction) changes and (cycle, read, written) traffic."""
    values = dict.fromkeys(Unit, 0)
    records = [(start, 0, 0)]
    for cycle, unit, state, number in changes:
        values[unit] = state | (number & 0xFFFF) << 3
        packed = sum(value << 19 * each for each, value in values.items())
        records.append((cycle, 0, packed))
    records += [(cycle, 1, read | written << 32) for cycle, read, written in traffic]
    records.sort(key=lambda record: record[0])
    records.append((end, 0, records[-1][2]))
    data = b"".join(
        struct.pack("<QI", cycle, kind) + value.to_bytes(12, "little") for cycle, kind, value in records
    )
    path.write_bytes(data)
    return path
