"""Area, delay and energy of the residual matrix core of a configuration in a standard-cell library.

Area and delay are those of the whole core of the configuration. Energy is that of a slice of its array, one row of PEs
that share a coarse-scale unit, at gate level with the data of a real layer.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from sevedo.gen.compare.accuracy import RealLayer, slice_of
from sevedo.gen.config import Config
from sevedo.gen.synth import cells, expression, gates, hierarchy, kept, netlist, power, record
from sevedo.gen.synth import energy as energies_module
from sevedo.gen.synth import measure as measure_module
from sevedo.gen.synth.energy import Category, energy
from sevedo.gen.synth.hierarchy import area
from sevedo.gen.synth.kept import Kept
from sevedo.gen.synth.library import Library
from sevedo.gen.verilog.emitter import emit, verilog
from sevedo.hw.integer.dot import DotProduct
from sevedo.hw.rmc.accumulate import AccumulatorAdder
from sevedo.hw.rmc.csu import CoarseScaleUnit
from sevedo.hw.rmc.dequantize import IntegerDequantizer, ShiftDequantizer
from sevedo.hw.rmc.pe import ProcessingElement
from sevedo.hw.rmc.rmc import ResidualMatrixCore
from sevedo.hw.rmc.sequencer import RmcSequencer
from sevedo.hw.stream.tile import TileBuffer
from sevedo.sim.unit_runs import rmc_run

MODULES = (ProcessingElement, CoarseScaleUnit, TileBuffer, RmcSequencer)
"""What the core is put together from."""
PARTS = (*MODULES, DotProduct, ShiftDequantizer, IntegerDequantizer, AccumulatorAdder)
"""What energy is told apart by: the same, and the parts of a PE."""

DOT, FINE, ACCUMULATE, COARSE, EDGE = "dot product", "fine dequantizer", "accumulate", "coarse scale", "edge"
CATEGORIES = (
    Category(DOT, r"^pe_\d+_\d+/dot\b"),
    Category(FINE, r"^pe_\d+_\d+/(dequantizer|scales)\b"),
    Category(ACCUMULATE, r"^pe_"),
    Category(COARSE, r"^csu_"),
    Category(EDGE),
)
"""Dot products; fine dequantizers; the rest of the PEs (product register, accumulator, drain); coarse-scale units with
their running sums; what a row or column of a large array shares (operand and scale registers, sequencer, buffer)."""
DEQUANTIZATION = (FINE, ACCUMULATE, COARSE)
"""Everything between a dot product and the sum of a layer's output."""

TOKENS, OUTPUTS = 16, 4
"""The part of the layer that the slice computes."""
PERIOD_NS = 5.0
"""Clock period that leakage is counted over."""


@dataclass(frozen=True)
class Silicon:
    """One scheme in one library.

    Members
    -------
    area : of the whole residual matrix core, in the library's unit (um2)
    areas : the same by module: PEs, coarse-scale units, and the rest
    pe_delay, coarse_delay : longest path of a PE, of a coarse-scale unit, in ns; None without OpenSTA
    energies : fJ per multiply-accumulate by category; None without OpenSTA
    slice_macs, slice_cycles : what the energies were measured on
    """

    area: float
    areas: dict[str, float]
    pe_delay: float | None
    coarse_delay: float | None
    energies: dict[str, float] | None
    slice_macs: int = 0
    slice_cycles: int = 0

    @property
    def dequantization(self) -> float | None:
        """fJ per multiply-accumulate between the dot products and the sums."""
        return None if self.energies is None else sum(self.energies[name] for name in DEQUANTIZATION)

    @property
    def array(self) -> float | None:
        """fJ per multiply-accumulate of the array: all but the edge."""
        return None if self.energies is None else sum(self.energies.values()) - self.energies[EDGE]


def slice_config(config: Config, cols: int) -> Config:
    """One row of `cols` PEs."""
    return config.replace(
        rmc__rows=1,
        rmc__cols=cols,
        lvc__lanes=cols,
        lvc__output_tokens=1,
        lvc__int8_ranks=0,
        lvc__int4_ranks=0,
        lvc__int_tokens=1,
    )


def measure(
    config: Config,
    library: Library,
    layer: RealLayer | None,
    rank: int,
    cols: int,
    folder: Path,
    advance: Callable[[str], None] = lambda step: None,
) -> Silicon:
    """Area, delay and, with a layer, energy of the residual matrix core of `config`.

    Parameters
    ----------
    config : the core
    library : the standard cells
    layer : whose data the slice computes; None for no energy
    rank : of the layer's low-rank part, which is taken out of the weights
    cols : PEs of the slice
    folder : where results are kept

    Raises
    ------
    HierarchyError, SynthesisError, LibertyError, PowerError, EnergyError : as `area` and `energy`.
    """
    found = area(ResidualMatrixCore(config), library, MODULES, folder, advance=advance)
    areas = {"PEs": 0.0, "coarse-scale units": 0.0, "rest": 0.0}
    delays: dict[str, float | None] = {}
    for row in found.by_module:
        part = _part(row.name)
        areas[part] += row.count * row.area
        delays[part] = row.delay
    energies, macs, cycles = None, 0, 0
    if layer is not None:
        energies, macs, cycles = slice_energies(
            slice_config(config, cols), library, layer, rank, folder, advance
        )
    return Silicon(found.total, areas, delays["PEs"], delays["coarse-scale units"], energies, macs, cycles)


def _part(module: str) -> str:
    if module.startswith("processing_element"):
        return "PEs"
    return "coarse-scale units" if module.startswith("coarse_scale_unit") else "rest"


def slice_energies(
    config: Config,
    library: Library,
    layer: RealLayer,
    rank: int,
    folder: Path,
    advance: Callable[[str], None],
) -> tuple[dict[str, float], int, int]:
    """fJ per multiply-accumulate by category of a slice (`slice_config`), its multiply-accumulates, its cycles.

    Parameters are those of `measure`.
    """
    run = rmc_run(*slice_of(layer, config, rank, TOKENS, OUTPUTS))
    macs = TOKENS * OUTPUTS * layer.workload.weight.shape[1]
    inputs = {name: words for name, words in run.words.items() if name != "sums"}
    # Made from the gates' text, the data and all that the flow is.
    modules = (cells, energies_module, expression, gates, hierarchy, measure_module, netlist, power, record)
    flow = kept.sources(modules) + Path(gates.__file__).with_suffix(".cpp").read_text()
    store = Kept(folder, "energy", flow, json.dumps(kept.tools()), library.digest)
    key = (
        verilog(emit(run.unit)),
        repr(CATEGORIES),
        repr(PERIOD_NS),
        *(f"{name} {words.tobytes().hex()}" for name, words in sorted(inputs.items())),
    )
    told = store.get(*key)
    if told is None:
        report = energy(
            run.unit,
            library,
            PARTS,
            inputs,
            {"sums": len(run.words["sums"])},
            CATEGORIES,
            folder,
            macs=macs,
            period_ns=PERIOD_NS,
            advance=advance,
        )
        energies = {category.name: report.of(category.name) for category in CATEGORIES}
        told = {"energies": energies, "cycles": report.cycles}
        store.put(told, *key)
    return told["energies"], macs, told["cycles"]


def data(silicon: Silicon) -> dict:
    """The figures as plain data."""
    return asdict(silicon) | {
        "dequantization": silicon.dequantization,
        "array": silicon.array,
    }
