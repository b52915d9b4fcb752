"""The critical path of a mapped design through its whole hierarchy, by OpenSTA: no wires, macros by their model."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from pathlib import Path

from sevedo.gen.synth import measure as flow
from sevedo.gen.synth.hierarchy import HierarchyError, Mapped, constraints
from sevedo.gen.synth.kept import Kept
from sevedo.gen.synth.library import Library
from sevedo.gen.synth.measure import SynthesisError
from sevedo.gen.synth.netlist import Netlist
from sevedo.gen.synth.report import ModuleDelay, PathStep, Timing

PERIOD_NS = 1000.0
"""Of the clock that paths are measured against: far longer than any."""

HOW = "timing needs OpenSTA: apt-get install opensta"
"""What is said where `sta` is missing."""

_STEP = re.compile(r"^\s+(-?[\d.]+)\s+(-?[\d.]+)\s+[\^v]\s+(\S+) \((\S+)\)$", re.MULTILINE)


def critical_path(
    mapped: Mapped, cells: Library, macros: str, store: Kept, clock_ns: float | None = None
) -> Timing | None:
    """The longest path of a design; None of one that is wires alone.

    Parameters
    ----------
    mapped : the design
    cells : its library
    macros : a Liberty text of what is neither a module nor a cell of the library; "" where there is none
    store : where the result is kept
    clock_ns : the period asked for, which the report tells the slack against

    Raises
    ------
    HierarchyError : OpenSTA failed.
    """
    text = mapped.verilog()
    told = store.get("path", text, macros)
    if told is None:
        try:
            told = _measure(mapped.top, text, cells, macros)
        except SynthesisError as error:
            last = str(error).strip().splitlines()[-1]
            raise HierarchyError(
                f"{mapped.top}: {last}", store.log(error.log, "path", text, macros)
            ) from None
        store.put(told, "path", text, macros)
    if not told["path"]:
        return None
    return _timing(mapped, told["critical_ns"], told["path"], clock_ns)


def _measure(top: str, text: str, cells: Library, macros: str) -> dict:
    with tempfile.TemporaryDirectory(prefix="sevedo-sta-") as folder:
        work = Path(folder)
        names = flow.prepare(work, text, cells.paths, adder_cells=False)
        if macros:
            Path(work, "macros.lib").write_text(macros)
            names.append("macros.lib")
        said = flow.run_sta(work, [*constraints(names, top, text), "report_checks -digits 5"])
    if "No paths found" in said:
        return {"critical_ns": 0.0, "path": []}
    slack = re.search(r"^\s+(-?[\d.]+)\s+slack \(", said, re.MULTILINE)
    if slack is None:
        raise SynthesisError(f"sta tells no slack: {said.strip()[-2000:]}", said)
    arrivals = said.partition("data arrival time")[0]
    path = [[float(m.group(2)), m.group(3), m.group(4)] for m in _STEP.finditer(arrivals)]
    return {"critical_ns": round(PERIOD_NS - float(slack.group(1)), 5), "path": path}


def _timing(mapped: Mapped, critical_ns: float, path: list, clock_ns: float | None) -> Timing:
    netlists = mapped.netlists
    steps: list[PathStep] = []
    delays: dict[str, list[float]] = {}
    before = 0.0
    for arrival, pin, cell in path:
        if cell in ("in", "out", "input", "output"):
            module = mapped.top
        else:
            module = module_of(pin.rpartition("/")[0], mapped.top, netlists)
        entry = delays.setdefault(module, [0.0, 0])
        entry[0] += arrival - before
        if not steps or steps[-1].instance != pin.rpartition("/")[0]:
            entry[1] += 1
        before = arrival
        steps.append(PathStep(pin.rpartition("/")[0] or pin, module, cell, arrival))
    delays.setdefault(steps[-1].module, [0.0, 0])[0] += critical_ns - before  # set-up of what ends the path
    rows = [ModuleDelay(name, round(delay, 5), int(number)) for name, (delay, number) in delays.items()]
    rows.sort(key=lambda row: -row.delay_ns)
    return Timing(clock_ns, critical_ns, tuple(steps), tuple(rows))


def module_of(instance: str, top: str, netlists: Mapping[str, Netlist]) -> str:
    """The module that a cell is in, by the cell's path in the hierarchy."""
    module = top
    for name in instance.split("/")[:-1]:
        module = next((cell.kind for cell in netlists[module].cells if cell.name == name), module)
    return module
