"""Area, memories and timing of a synthesised unit, ready for the page."""

from __future__ import annotations

from dataclasses import dataclass

from .blocks import words
from .documents import ModuleRow, Share, Synth
from .treemap import Tile, tiles

COLUMNS = (
    ("area", "area", "um2"),
    ("gate_equivalents", "gates (NAND2)", ""),
    ("cells", "cells", ""),
    ("luts", "LUTs", ""),
    ("dsps", "DSPs", ""),
    ("block_rams", "block RAMs", ""),
    ("flip_flops", "flip-flops", ""),
)
"""Figures of a module: field, heading, unit."""

MOST_ROWS = 40
"""Modules in the table; the small rest is one row."""


@dataclass(frozen=True)
class ModuleView:
    """A row of the table: all instances of a module, without the modules below it.

    Members
    -------
    title, module : in words, and its name
    count : instances
    figures : of all instances, as the columns that are shown
    share : of the whole
    """

    title: str
    module: str
    count: int
    figures: tuple[float | None, ...]
    share: float


@dataclass(frozen=True)
class AreaView:
    """What a synthesis says of size.

    Members
    -------
    columns : heading and unit of every figure that there is
    rows : the largest first
    total : as the columns
    tiles : of the treemap
    unit : of the areas in it, and of `whole`: all logic
    memory_bits : of all memories together; memory_area is None where a model is missing
    """

    columns: tuple[tuple[str, str], ...]
    rows: tuple[ModuleView, ...]
    total: tuple[float | None, ...]
    tiles: tuple[Tile, ...]
    unit: str
    whole: float
    memory_bits: int
    memory_area: float | None


def area_view(synth: Synth) -> AreaView:
    """Modules by size, and the treemap."""
    chosen = [column for column in COLUMNS if getattr(synth.total, column[0]) is not None]
    size = next(
        (field for field in ("area", "luts", "cells") if getattr(synth.total, field) is not None), "cells"
    )
    whole = getattr(synth.total, size) or 0.0
    modules = sorted(synth.modules, key=lambda each: -_all(each, size))
    rows = [
        ModuleView(
            words(each.unit_class) or each.name,
            each.name,
            each.count,
            tuple(_figure(each, field) for field, _, _ in chosen),
            _all(each, size) / whole if whole else 0.0,
        )
        for each in modules
    ]
    shown, rest = rows[:MOST_ROWS], rows[MOST_ROWS:]
    if rest:
        sums = tuple(sum(each.figures[place] or 0.0 for each in rest) for place in range(len(chosen)))
        shown.append(
            ModuleView(
                f"{len(rest)} smaller modules",
                "",
                sum(each.count for each in rest),
                sums,
                sum(each.share for each in rest),
            )
        )
    unit = {"area": "um2", "luts": "LUTs", "cells": "cells"}[size]
    names = {each.name: words(each.unit_class) for each in synth.modules}
    areas = [memory.area_um2 for memory in synth.memories]
    return AreaView(
        tuple((heading, unit_) for _, heading, unit_ in chosen),
        tuple(shown),
        tuple(getattr(synth.total, field) for field, _, _ in chosen),
        tuple(tiles(synth.area_tree, unit, names)) if synth.area_tree is not None else (),
        unit,
        whole,
        sum(memory.bits for memory in synth.memories),
        None if not areas or None in areas else sum(each for each in areas if each is not None),
    )


@dataclass(frozen=True)
class TimingView:
    """What a synthesis says of speed.

    Members
    -------
    critical_ns, mhz : the longest path, and the clock that it allows
    clock_ns, slack_ns, met : of the clock that was asked for; None without one
    shares : modules on the path with their share of it
    """

    critical_ns: float
    mhz: float
    clock_ns: float | None
    slack_ns: float | None
    met: bool | None
    shares: tuple[tuple[Share, float], ...]


def timing_view(synth: Synth) -> TimingView | None:
    """The critical path; None where it was not measured."""
    timing = synth.timing
    if timing is None or not timing.critical_ns:
        return None
    whole = sum(max(share.delay_ns, 0.0) for share in timing.by_module) or 1.0
    shares = tuple((share, max(share.delay_ns, 0.0) / whole) for share in timing.by_module)
    return TimingView(
        timing.critical_ns, 1e3 / timing.critical_ns, timing.clock_ns, timing.slack_ns, timing.met, shares
    )


def _figure(row: ModuleRow, field: str) -> float | None:
    value = getattr(row, field)
    return None if value is None else row.count * value


def _all(row: ModuleRow, field: str) -> float:
    return _figure(row, field) or 0.0
