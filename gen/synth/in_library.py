"""A unit in the cells of a library: sized for a clock, memories apart, the critical path through all of it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sevedo.gen.synth import macros, paths
from sevedo.gen.synth.boundaries import boundaries
from sevedo.gen.synth.hierarchy import HierarchyError, Mapped, map_hierarchy, store_of
from sevedo.gen.synth.library import Library
from sevedo.gen.synth.measure import SynthesisError
from sevedo.gen.synth.recipe import Recipe
from sevedo.gen.synth.report import Figures, ModuleFigures, rows
from sevedo.gen.verilog.emitter import EmittedModule
from sevedo.hw.memory.block import BlockMemory

MACRO_BITS = 2048
"""Memories of so many bits or more are kept apart from logic."""
SHARE = 0.75
"""Of the clock period, what ABC maps logic for: the rest is for registers, whose times it does not see."""
DEFAULT_PS = 5000
"""What ABC maps for when no clock is asked for."""


def recipe(clock_ns: float | None) -> Recipe:
    """How modules are mapped for a clock."""
    target = DEFAULT_PS if clock_ns is None else max(round(SHARE * 1000 * clock_ns), 1)
    return Recipe(target, sized=True, macro_bits=MACRO_BITS)


def in_library(
    emitted: Sequence[EmittedModule],
    library: Library,
    folder: Path,
    clock_ns: float | None,
    timing: bool,
    jobs: int,
    advance: Callable[[str], None],
) -> dict[str, Any]:
    """Parts of a `SynthReport`: modules, memories, timing (None without OpenSTA).

    Raises
    ------
    HierarchyError : a tool failed.
    """
    way = recipe(clock_ns)
    classes = boundaries(emitted)
    mapped = map_hierarchy(
        emitted, library, classes, folder, macros=[BlockMemory], recipe=way, jobs=jobs, advance=advance
    )
    timed = timing and shutil.which("sta") is not None
    store = store_of(library, folder, way)
    try:
        memories, known = macros.figures(mapped, library, way, folder, timed)
    except SynthesisError as error:
        last = str(error).strip().splitlines()[-1]
        raise HierarchyError(f"{mapped.top}: {last}", store.log(error.log, "macros", mapped.top)) from None
    path = paths.critical_path(mapped, library, known, store, clock_ns) if timed else None
    return {"modules": _mapped_rows(mapped, library), "memories": memories, "timing": path}


def _mapped_rows(mapped: Mapped, library: Library) -> tuple[ModuleFigures, ...]:
    facts = library.facts
    children = {name: one.netlist.children(mapped.modules) for name, one in mapped.modules.items()}
    found = {}
    for module, one in mapped.modules.items():
        found[module] = Figures(
            area=one.area,
            cells=sum(one.cells.values()),
            gate_equivalents=one.area / facts.nand_area if facts.nand_area else None,
            flip_flops=sum(n for cell, n in one.cells.items() if cell in facts.flip_flops),
        )
    return rows(mapped.emitted, mapped.counts(), children, found)
