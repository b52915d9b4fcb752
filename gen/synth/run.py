"""Synthesis of any unit of a configuration: every distinct module once, figures multiplied out."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sevedo.gen.config import Config
from sevedo.gen.synth import kept, units
from sevedo.gen.synth.boundaries import boundaries
from sevedo.gen.synth.hierarchy import Mapped, map_hierarchy
from sevedo.gen.synth.library import Library
from sevedo.gen.synth.report import Figures, ModuleFigures, SynthReport
from sevedo.gen.synth.target import Target
from sevedo.gen.verilog.emitter import EmittedModule


def synthesise(
    config: Config,
    *,
    unit: str = "core",
    target: Target,
    folder: Path,
    clock_ns: float | None = None,
    name: str | None = None,
    advance: Callable[[str], None] = lambda step: None,
) -> SynthReport:
    """Synthesise a unit.

    Parameters
    ----------
    config : the configuration
    unit : a name of a unit, see `units.find`
    target : what it is synthesised for
    folder : where results are kept by content
    clock_ns : the period that is asked for; None: none
    name : what the configuration is called in the report
    advance : called with the name of each step when it is done

    Raises
    ------
    UnitError : no such unit.
    HierarchyError : a tool failed; nothing is kept of that step.
    """
    emitted = units.find(config, unit)
    if target.library is None:
        raise NotImplementedError(f"target={target.name}")
    mapped = map_hierarchy(emitted, target.library, boundaries(emitted), folder, advance=advance)
    return SynthReport(
        configuration=describe(config, name),
        unit=emitted[-1].name,
        target=target.name,
        library={"names": list(target.library.names), "digest": target.library.digest},
        tools=kept.tools(),
        modules=_modules(mapped, emitted, target.library),
    )


def describe(config: Config, name: str | None) -> dict[str, Any]:
    """A configuration in a report."""
    return {"name": name, "fingerprint": f"{config.fingerprint:08x}", "toml": toml(config)}


def toml(config: Config) -> str:
    """All fields of a configuration as a file that `--config` takes."""
    sections = config.model_dump()
    return "\n".join(
        f"[{section}]\n" + "".join(f"{field} = {json.dumps(value)}\n" for field, value in fields.items())
        for section, fields in sections.items()
    )


def _modules(mapped: Mapped, emitted: Sequence[EmittedModule], library: Library) -> tuple[ModuleFigures, ...]:
    classes = {module.name: type(module.unit).__name__ for module in emitted}
    parents: dict[str, dict[str, int]] = {module: {} for module in mapped.modules}
    for parent, module in mapped.modules.items():
        for child, number in module.netlist.children(mapped.modules).items():
            parents[child][parent] = number
    facts = library.facts
    rows = []
    for module, count in mapped.counts().items():
        one = mapped.modules[module]
        figures = Figures(
            area=one.area,
            cells=sum(one.cells.values()),
            gate_equivalents=one.area / facts.nand_area if facts.nand_area else None,
            flip_flops=sum(n for cell, n in one.cells.items() if cell in facts.flip_flops),
        )
        rows.append(ModuleFigures(module, classes[module], count, parents[module], figures))
    return tuple(rows)
