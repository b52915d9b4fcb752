"""Place and route with several seeds, and what came of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sevedo.sim.toolchain import jobs

from . import tools
from .plan import Plan, timing

PATH = 12
"""Steps of a critical path that are told."""


@dataclass(frozen=True)
class Placed:
    """What a seed gave.

    Members
    -------
    seed : its number
    mhz : the highest frequency of the processor's clock
    path : its longest path: delays in ns, and the cells or nets that they are in
    utilization : of the device, as place and route counts
    """

    seed: int
    mhz: float
    path: Sequence[Mapping[str, Any]]
    utilization: Mapping[str, Mapping[str, int]]


def place(plan: Plan, folder: Path, seeds: Sequence[int], advance: Any = lambda placed: None) -> list[Placed]:
    """Place and route in `folder`, with each seed; as many at once as `sevedo.sim.toolchain.jobs` says.

    Raises
    ------
    ToolFailure : place and route ended with an error.
    """

    def one(seed: int) -> Placed:
        tools.run(plan.place(seed), folder, f"place_{seed}.log")
        found = read_report(folder / timing(seed), seed)
        advance(found)
        return found

    with ThreadPoolExecutor(min(jobs(), len(seeds))) as pool:
        return list(pool.map(one, seeds))


def read_report(path: Path, seed: int) -> Placed:
    """What ``nextpnr --report`` wrote.

    The processor's clock is the one with the longest path among those that bound anything.
    """
    try:
        told = json.loads(path.read_text())
        clocks = {name: float(each["achieved"]) for name, each in told["fmax"].items()}
    except (OSError, ValueError, KeyError) as error:
        raise tools.ToolFailure(
            f"place and route wrote no report that can be read: {path} ({error})"
        ) from None
    if not clocks:
        raise tools.ToolFailure(f"place and route tells no clock: {path}")
    # A divider of two flip-flops is a clock too, and never the slow one.
    name = min(clocks, key=lambda each: clocks[each])
    return Placed(
        seed, clocks[name], _path(told.get("critical_paths", []), name), told.get("utilization", {})
    )


def _path(paths: Sequence[Mapping[str, Any]], clock: str) -> list[dict[str, Any]]:
    """The longest path within a clock, its longest steps, in order."""
    ours = [each for each in paths if clock in str(each.get("from")) and clock in str(each.get("to"))]
    if not ours:
        return []
    steps = max(ours, key=lambda each: sum(float(step["delay"]) for step in each["path"]))["path"]
    shown = [
        {
            "delay_ns": round(float(step["delay"]), 3),
            "type": step["type"],
            "what": step.get("net") or step.get("to", {}).get("cell", ""),
        }
        for step in steps
    ]
    if len(shown) <= PATH:
        return shown
    limit = sorted((step["delay_ns"] for step in shown), reverse=True)[PATH - 1]
    return [step for step in shown if step["delay_ns"] >= limit]
