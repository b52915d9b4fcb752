"""The timeline: what Perfetto and chrome://tracing take, with everything in it."""

from __future__ import annotations

import json

import pytest
from traces import write_trace

from sevedo.gen.config.instructions import Unit
from sevedo.gen.host.timeline import trace_events
from sevedo.sim.activity import Activity, State

NAMES = {0: "LOAD a", 1: "MATMUL a", 2: "LOAD b"}


@pytest.fixture
def events(tmp_path):
    activity = Activity.load(
        write_trace(
            tmp_path / "trace",
            [
                (110, Unit.LOAD, State.BUSY, 0),
                (111, Unit.MATMUL, State.WAITS, 1),
                (120, Unit.LOAD, State.STARVED, 0),
                (140, Unit.LOAD, State.BUSY, 0),
                (141, Unit.LOAD, State.BLOCKED, 0),
                (144, Unit.LOAD, State.BUSY, 0),
                (150, Unit.MATMUL, State.BUSY, 1),
                (150, Unit.LOAD, State.BUSY, 2),
                (160, Unit.LOAD, State.IDLE, 2),
                (190, Unit.MATMUL, State.IDLE, 1),
            ],
            200,
            100,
            [(150, 800, 0), (200, 25, 100)],
        )
    )
    content = trace_events(activity, lambda number: (NAMES[number], {"layer": NAMES[number][-1]}))
    return json.loads(json.dumps(content))["traceEvents"]


def test_a_track_for_each_unit(events):
    names = {e["tid"]: e["args"]["name"] for e in events if e["name"] == "thread_name"}
    assert list(names.values()) == [unit.name for unit in Unit]
    order = {e["tid"]: e["args"]["sort_index"] for e in events if e["name"] == "thread_sort_index"}
    assert sorted(order, key=lambda tid: order[tid]) == list(names)
    slices = [e for e in events if e["ph"] == "X"]
    assert {names[e["tid"]] for e in slices} == {"LOAD", "MATMUL"}
    assert all(e["pid"] == 1 for e in slices)


def test_slices(events):
    found = [(e["name"], e["cat"], e["ts"], e["dur"]) for e in events if e["ph"] == "X"]
    assert found == [
        ("LOAD a", "instruction", 10, 40),
        ("waits for input: LOAD a", "starved", 20, 20),  # the stall of 3 cycles is too short to be drawn
        ("LOAD b", "instruction", 50, 10),
        ("waits for tokens: MATMUL a", "waits", 11, 39),
        ("MATMUL a", "instruction", 50, 40),
    ]
    first, wait = (next(e for e in events if e["name"] == name)["args"] for name in ("LOAD a", "MATMUL a"))
    assert first == {
        "instruction": 0,
        "layer": "a",
        "cycles busy": 17,
        "cycles starved": 20,
        "cycles blocked": 3,
    }
    assert wait == {"instruction": 1, "layer": "a", "cycles busy": 40, "cycles waits": 39}


def test_slices_of_a_track_nest(events):
    for track in {e["tid"] for e in events if e["ph"] == "X"}:
        stack: list[float] = []
        for e in (e for e in events if e["ph"] == "X" and e["tid"] == track):
            while stack and stack[-1] <= e["ts"]:
                stack.pop()
            assert not stack or e["ts"] + e["dur"] <= stack[-1]
            stack.append(e["ts"] + e["dur"])
            assert e["dur"] > 0


def test_bandwidth(events):
    counters = [(e["name"], e["ts"], *e["args"].values()) for e in events if e["ph"] == "C"]
    assert counters == [
        ("bytes read in a cycle", 0, 16.0), ("bytes written in a cycle", 0, 0.0),
        ("bytes read in a cycle", 50, 0.5), ("bytes written in a cycle", 50, 2.0),
    ]  # fmt: skip
    assert all(e["pid"] == 2 for e in events if e["ph"] == "C")
