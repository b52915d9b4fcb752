"""Traces of activity: what they hold comes out again, instruction by instruction, cycle by cycle."""

from __future__ import annotations

import numpy as np
from traces import write_trace

from sevedo.gen.config.instructions import Unit
from sevedo.sim.activity import Activity, Run, Span, State


def test_spans_and_runs(tmp_path):
    path = write_trace(
        tmp_path / "trace",
        [
            (10, Unit.LOAD, State.BUSY, 0),
            (15, Unit.MATMUL, State.WAITS, 3),
            (20, Unit.LOAD, State.STARVED, 0),
            (25, Unit.LOAD, State.BUSY, 0),
            (30, Unit.LOAD, State.BUSY, 4),  # the next one without a pause
            (31, Unit.MATMUL, State.BUSY, 3),
            (40, Unit.LOAD, State.IDLE, 4),
            (50, Unit.MATMUL, State.IDLE, 0),
        ],
        60,
        5,
        [(32, 160, 16), (60, 0, 48)],
    )
    activity = Activity.load(path)
    assert (activity.start, activity.end) == (5, 60)
    assert activity.spans[Unit.LOAD] == [
        Span(5, 10, State.IDLE, 0), Span(10, 20, State.BUSY, 0), Span(20, 25, State.STARVED, 0),
        Span(25, 30, State.BUSY, 0), Span(30, 40, State.BUSY, 4), Span(40, 60, State.IDLE, 0),
    ]  # fmt: skip
    none = dict.fromkeys(State, 0)
    assert list(activity.runs(Unit.LOAD)) == [
        Run(10, 30, 0, none | {State.BUSY: 15, State.STARVED: 5}), Run(30, 40, 4, none | {State.BUSY: 10}),
    ]  # fmt: skip
    assert list(activity.runs(Unit.MATMUL)) == [Run(31, 50, 3, none | {State.WAITS: 16, State.BUSY: 19})]
    assert list(activity.runs(Unit.STORE)) == []
    assert activity.cycles(Unit.LOAD) == none | {State.IDLE: 25, State.BUSY: 25, State.STARVED: 5}
    assert activity.traffic.tolist() == [[32, 160, 16], [60, 0, 48]]


def test_numbers_count_on_where_their_bits_wrap(tmp_path):
    numbers = [0, 30_000, 65_535, 65_536, 100_000, 140_000, 200_000]
    changes = [(10 * i, Unit.STREAM, State.BUSY, number) for i, number in enumerate(numbers, 1)]
    changes.insert(4, (45, Unit.STREAM, State.IDLE, 0))
    activity = Activity.load(write_trace(tmp_path / "trace", changes, 100))
    assert [run.instruction for run in activity.runs(Unit.STREAM)] == numbers


def test_any_trace_covers_all_cycles(tmp_path):
    rng = np.random.default_rng(3)
    expected = {unit: np.zeros((1000, 2), int) for unit in Unit}
    changes = []
    for cycle in range(1, 1000):
        unit = Unit(int(rng.integers(len(Unit))))
        state, number = State(int(rng.integers(len(State)))), int(rng.integers(1 << 14))
        changes.append((cycle, unit, state, number))
        expected[unit][cycle:] = state, number if state else 0
    activity = Activity.load(write_trace(tmp_path / "trace", changes, 1000))
    for unit in Unit:
        spans = activity.spans[unit]
        assert [each.start for each in spans] == [0, *(each.end for each in spans[:-1])]
        assert spans[-1].end == 1000
        found = np.concatenate([[(s.state, s.instruction & 0xFFFF)] * (s.end - s.start) for s in spans])
        assert np.array_equal(found, expected[unit])
        assert sum(activity.cycles(unit).values()) == 1000
