"""What the units of a processor did in a simulation, cycle by cycle: the trace of `DramProcess.trace`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sevedo.gen.config.instructions import Unit

Array = np.ndarray[Any, Any]

STATE_BITS, NUMBER_BITS = 3, 16
_RECORD = np.dtype([("cycle", "<u8"), ("kind", "<u4"), ("words", "<u4", (3,))])
_ACTIVITY, _TRAFFIC = 0, 1


class State(IntEnum):
    """What a unit does in a cycle."""

    IDLE = 0
    BUSY = 1
    WAITS = 2
    STARVED = 3
    BLOCKED = 4


STATE_MEANING = {
    State.IDLE: "no instruction",
    State.BUSY: "works",
    State.WAITS: "waits for tokens",
    State.STARVED: "waits for input",
    State.BLOCKED: "waits for room",
}


class Span(NamedTuple):
    """Cycles [start, end) in which a unit is in one state with one instruction, counted from 0."""

    start: int
    end: int
    state: State
    instruction: int


class Run(NamedTuple):
    """What a unit did for one instruction: from its first to its last busy, starved or blocked cycle."""

    start: int
    end: int
    instruction: int
    cycles: dict[State, int]
    """Cycles in each state, those before `start` in which it waited for tokens included."""


@dataclass(frozen=True)
class Activity:
    """A trace.

    Members
    -------
    spans : of each unit, in order and without gaps
    traffic : a row for each window of time: its end, bytes read, bytes written
    start, end : cycles [start, end) of the simulation that it covers
    """

    spans: dict[Unit, list[Span]]
    traffic: Array
    start: int
    end: int

    @classmethod
    def load(cls, path: Path) -> Activity:
        """Read the file that the simulation wrote."""
        records = np.fromfile(path, _RECORD)
        states = records[records["kind"] == _ACTIVITY]
        traffic = records[records["kind"] == _TRAFFIC]
        cycles = states["cycle"].astype(np.int64)
        fields = _fields(states["words"])
        spans = {unit: list(_spans(cycles, *fields[unit])) for unit in Unit}
        rows = np.concatenate([traffic["cycle"][:, None], traffic["words"][:, :2]], axis=1).astype(np.int64)
        return cls(spans, rows, int(cycles[0]), int(cycles[-1]))

    def cycles(self, unit: Unit) -> dict[State, int]:
        """Cycles of a unit in each state."""
        found = dict.fromkeys(State, 0)
        for span in self.spans[unit]:
            found[span.state] += span.end - span.start
        return found

    def runs(self, unit: Unit) -> Iterator[Run]:
        """What a unit did, instruction by instruction."""
        current: list[Span] = []
        for span in self.spans[unit]:
            if span.state is State.IDLE:
                continue
            if current and current[0].instruction != span.instruction:
                yield _run(current)
                current = []
            current.append(span)
        if current:
            yield _run(current)


def _run(spans: list[Span]) -> Run:
    cycles = dict.fromkeys(State, 0)
    for span in spans:
        cycles[span.state] += span.end - span.start
    at_work = [span for span in spans if span.state is not State.WAITS] or spans[-1:]
    return Run(at_work[0].start, spans[-1].end, spans[0].instruction, cycles)


def _fields(words: Array) -> dict[Unit, tuple[Array, Array]]:
    """State and instruction of each unit in each record."""
    width = STATE_BITS + NUMBER_BITS
    low = words[:, 0].astype(np.uint64) | words[:, 1].astype(np.uint64) << np.uint64(32)
    high = words[:, 1].astype(np.uint64) | words[:, 2].astype(np.uint64) << np.uint64(32)
    found = {}
    for unit in Unit:
        at = width * unit
        value = low >> np.uint64(at) if at + width <= 64 else high >> np.uint64(at - 32)
        state = value & np.uint64((1 << STATE_BITS) - 1)
        number = value >> np.uint64(STATE_BITS) & np.uint64((1 << NUMBER_BITS) - 1)
        found[unit] = state.astype(np.int64), number.astype(np.int64)
    return found


def _spans(cycles: Array, states: Array, numbers: Array) -> Iterator[Span]:
    """The last record only ends the one before. Numbers of instructions count on where their bits wrap."""
    idle = states == State.IDLE
    numbers = np.where(idle, 0, numbers)
    changes = np.flatnonzero(np.diff(states[:-1], prepend=-1) | np.diff(numbers[:-1], prepend=-1))
    ends = [*cycles[changes[1:]], cycles[-1]]
    base = last = 0
    for index, end in zip(changes, ends, strict=True):
        number = int(numbers[index])
        if not idle[index]:
            base += (number < last) << NUMBER_BITS
            last = number
            number += base
        yield Span(int(cycles[index]), int(end), State(int(states[index])), number)
