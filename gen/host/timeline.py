"""A run as a timeline that Perfetto (ui.perfetto.dev) and chrome://tracing open: the trace event format, JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from sevedo.gen.config.instructions import Unit
from sevedo.sim.activity import STATE_MEANING, Activity, Run, State

SHORTEST = 8
"""Stalls of fewer cycles are not drawn; the arguments of their instruction count them all."""

_PROCESS, _MEMORY = 1, 2
_CAUSES = {State.WAITS: "waits", State.STARVED: "starved", State.BLOCKED: "blocked"}

Label = Callable[[int], tuple[str, dict[str, Any]]]
"""From the number of an instruction to what its slice is called and what else is said of it."""


def trace_events(activity: Activity, label: Label, shortest: int = SHORTEST) -> dict[str, Any]:
    """The content of the file; one cycle is one microsecond, counted from the start of the trace.

    A track for each unit: slices are instructions; slices in and between them are stalls of at least `shortest` cycles,
    with their cause as category. Two counters: bytes read and written in a cycle, the mean over a window.
    """
    events = [
        _name("process_name", _PROCESS, None, "processor"),
        _name("process_name", _MEMORY, None, "DRAM"),
    ]
    for unit in Unit:
        events.append(_name("thread_name", _PROCESS, unit + 1, unit.name))
        events.append({"ph": "M", "name": "thread_sort_index", "pid": _PROCESS, "tid": unit + 1,
                       "args": {"sort_index": int(unit)}})  # fmt: skip
        events += sorted(_slices(activity, unit, label, shortest), key=lambda e: (e["ts"], -e["dur"]))
    events += _bandwidth(activity)
    return {
        "traceEvents": events,
        "displayTimeUnit": "ms",
        "otherData": {"cycles": activity.end - activity.start, "unit of time": "1 us is 1 cycle"},
    }


def _slices(activity: Activity, unit: Unit, label: Label, shortest: int) -> Iterator[dict[str, Any]]:
    for run in activity.runs(unit):
        name, about = label(run.instruction)
        yield _slice(unit, activity, run.start, run.end, name, "instruction",
                     {"instruction": run.instruction, **about, **_cycles(run)})  # fmt: skip
    for span in activity.spans[unit]:
        if span.state in _CAUSES and span.end - span.start >= shortest:
            name = f"{STATE_MEANING[span.state]}: {label(span.instruction)[0]}"
            yield _slice(unit, activity, span.start, span.end, name, _CAUSES[span.state],
                         {"instruction": span.instruction})  # fmt: skip


def _cycles(run: Run) -> dict[str, int]:
    return {
        f"cycles {state.name.lower()}": count
        for state, count in run.cycles.items()
        if count and state is not State.IDLE
    }


def _slice(
    unit: Unit, activity: Activity, start: int, end: int, name: str, category: str, arguments: dict[str, Any]
) -> dict[str, Any]:
    return {
        "ph": "X", "name": name, "cat": category, "pid": _PROCESS, "tid": unit + 1,
        "ts": start - activity.start, "dur": end - start, "args": arguments,
    }  # fmt: skip


def _name(kind: str, process: int, thread: int | None, name: str) -> dict[str, Any]:
    event: dict[str, Any] = {"ph": "M", "name": kind, "pid": process, "args": {"name": name}}
    return event if thread is None else event | {"tid": thread}


def _bandwidth(activity: Activity) -> Iterator[dict[str, Any]]:
    """A value holds from its time on: that of a window stands at its start."""
    start = activity.start
    for end, read, written in activity.traffic.tolist():
        if end > start:
            for name, count in (("read", read), ("written", written)):
                yield {
                    "ph": "C", "name": f"bytes {name} in a cycle", "pid": _MEMORY, "ts": start - activity.start,
                    "args": {name: round(count / (end - start), 3)},
                }  # fmt: skip
        start = end
