"""Power of a whole core: mapped to a library, its gates run on real data, energy by part."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sevedo.gen.config import Config
from sevedo.gen.synth import kept, power
from sevedo.gen.synth.in_library import recipe
from sevedo.gen.synth.library import Library
from sevedo.hw.core.core import Core
from sevedo.sim.unit_runs import quantizer_run

from . import scaling, sram
from .mapped import MappedUnit
from .parts import QUANTIZER_PARTS, QUANTIZER_UNITS
from .report import PowerReport, QuantizerRun, Run
from .workload import Choice, Kind, Workload, workload

CLOCK_NS = 5.0
"""Clock period if none is named."""


def measure_power(
    config: Config,
    library: Library,
    folder: Path,
    *,
    layer: Choice | None = None,
    kinds: Sequence[Kind] = (Kind.LAYER,),
    clock_ns: float = CLOCK_NS,
    target: tuple[float, float] = (scaling.TARGET_NM, scaling.TARGET_VOLTS),
    quantizer: bool = False,
    name: str | None = None,
    advance: Callable[[str], None] = lambda step: None,
) -> PowerReport:
    """Energy of a core by part, on a part of a layer.

    Parameters
    ----------
    config : the core
    library : its standard cells
    folder : where mapped modules and results are kept
    layer : which part of which layer
    kinds : of data; the report is about the first, others are beside it
    clock_ns : the clock period that gates are sized for, and leakage and power are told for
    target : node in nm and supply that energies are told for, too
    quantizer : measure the activation quantizer too
    name : what the configuration is called in the report
    advance : called with the name of each step when it is done

    Raises
    ------
    PowerError : OpenSTA is missing.
    LibertyError : no capacitances, voltage or powers; a cell that cannot be simulated.
    WorkloadError : the layer's model is not installed.
    EnergyError : gates, Verilog and golden model do not agree.
    HierarchyError, SynthesisError : a tool fails.
    """
    power.require_sta()
    core = MappedUnit(Core(config), library, folder, recipe=recipe(clock_ns), jobs=_jobs(), advance=advance)
    works, runs = [], []
    for kind in kinds:
        works.append(workload(config, kind, layer or Choice()))
        runs.append(_run(config, library, core, works[-1]))
        advance(f"energy of {kind.value}")
    nodes = scaling.node_of(library.names)
    energy = runs[0].per_mac(clock_ns)
    return PowerReport(
        configuration={"name": name, "fingerprint": f"{config.fingerprint:08x}"},
        library={"names": list(library.names), "digest": library.digest},
        volts=core.cells.volts,
        clock_ns=clock_ns,
        area=core.area,
        cells=sum(part.cells for part in runs[0].parts),
        runs=tuple(runs),
        nodes=nodes,
        target=target,
        scaled=tuple(scaling.scaled(energy, nodes, core.cells.volts, *target)),
        tools=kept.tools(),
        quantizer=_quantizer(works[0], library, folder, clock_ns, advance) if quantizer else None,
    )


def _jobs() -> int:
    """Modules that are mapped at a time."""
    return os.cpu_count() or 1


def _quantizer(
    work: Workload, library: Library, folder: Path, clock_ns: float, advance: Callable[[str], None]
) -> QuantizerRun:
    """The activation quantizer on the activations of a run."""
    run = quantizer_run(work.layer, work.activations)
    unit = MappedUnit(
        run.unit,
        library,
        folder,
        recipe=recipe(clock_ns),
        chosen=QUANTIZER_PARTS,
        staying=QUANTIZER_UNITS,
        jobs=_jobs(),
        advance=advance,
    )
    told = unit.measure(run)
    return QuantizerRun(work.activations.numel(), work.outputs, told.cycles, told.parts, told.compared)


def _run(config: Config, library: Library, core: MappedUnit, work: Workload) -> Run:
    """A run of a core with what there is to say about it."""
    told = core.measure(work.run)
    rmc = config.rmc
    capacity = told.cycles * rmc.rows * rmc.cols * rmc.lanes
    nodes = scaling.node_of(library.names)
    estimated: tuple[Any, Any] = ((), ())
    if nodes:
        at = nodes[0], core.cells.volts
        estimated = (
            tuple(sram.memories(told.memories, core.macros, *at)),
            tuple(sram.operands(work.bits, *at)),
        )
    return Run(
        work.as_json(), told.cycles, work.macs, work.macs / capacity, told.parts, told.compared, *estimated
    )
