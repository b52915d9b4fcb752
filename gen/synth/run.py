"""Synthesis of any unit of a configuration: every distinct module once, figures multiplied out."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sevedo.gen.config import Config
from sevedo.gen.synth import kept, units
from sevedo.gen.synth.in_cells import in_cells
from sevedo.gen.synth.in_library import in_library
from sevedo.gen.synth.placing import Placing, placed
from sevedo.gen.synth.report import SynthReport
from sevedo.gen.synth.target import Target

Advance = Callable[[str], None]


def synthesise(
    config: Config,
    *,
    unit: str = "core",
    target: Target,
    folder: Path,
    clock_ns: float | None = None,
    name: str | None = None,
    placing: Placing | None = None,
    timing: bool = True,
    jobs: int | None = None,
    advance: Advance = lambda step: None,
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
    placing : for an FPGA, place and route the unit too
    timing : for a library, find the critical path, if OpenSTA is there
    jobs : modules at a time; None: as many as there are processors
    advance : called with the name of each step when it is done

    Raises
    ------
    UnitError : no such unit.
    HierarchyError : a tool failed; nothing is kept of that step.
    """
    emitted = units.find(config, unit)
    workers = jobs or os.cpu_count() or 1
    if target.library is not None:
        parts = in_library(emitted, target.library, folder, clock_ns, timing, workers, advance)
    else:
        parts = in_cells(emitted, target.name, folder, workers, advance)
    if placing is not None:
        parts |= placed(emitted, placing, clock_ns, folder, workers, advance)
    library = target.library
    return SynthReport(
        configuration=describe(config, name),
        unit=emitted[-1].name,
        target=target.name,
        library={"names": list(library.names), "digest": library.digest} if library else None,
        tools=kept.tools(),
        **parts,
    )


def describe(config: Config, name: str | None) -> dict[str, Any]:
    """A configuration in a report."""
    return {"name": name, "fingerprint": f"{config.fingerprint:08x}", "toml": config.toml()}
