"""Power of a whole core: mapped to a library, its gates run on real data, energy by part."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from sevedo.gen.config import Config
from sevedo.gen.synth import cells as cells_module
from sevedo.gen.synth import gates, hierarchy, kept, netlist, power, record
from sevedo.gen.synth import measure as flow
from sevedo.gen.synth.cells import CellLibrary
from sevedo.gen.synth.energy import EnergyError
from sevedo.gen.synth.kept import Kept
from sevedo.gen.synth.library import Library, read
from sevedo.gen.synth.power import cell_power
from sevedo.gen.verilog.emitter import emit, verilog
from sevedo.hw.core.core import Core

from . import activity as activity_module
from . import context, lanes, outline, parts, probe, scaling, shell, sram, tree
from .activity import Activity, MemoryActivity
from .outline import MemoryMacro
from .parts import CORE_PARTS, Part
from .report import PartEnergy, PowerReport, Run, restored, stored
from .tree import Tree
from .workload import Choice, Kind, Workload, workload

CLOCK_NS = 5.0
"""Clock period if none is named."""

_FLOW = (
    activity_module, cells_module, context, flow, gates, hierarchy, lanes, netlist, outline, parts, power, probe,
    record, shell, tree,
)  # fmt: skip


def measure_power(
    config: Config,
    library: Library,
    folder: Path,
    *,
    layer: Choice | None = None,
    kinds: Sequence[Kind] = (Kind.LAYER,),
    clock_ns: float = CLOCK_NS,
    target: tuple[float, float] = (scaling.TARGET_NM, scaling.TARGET_VOLTS),
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
    clock_ns : the clock period that leakage and power are told for
    target : node in nm and supply that energies are told for, too
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
    core = MappedCore(config, library, folder, advance)
    runs = []
    for kind in kinds:
        runs.append(core.run(workload(config, kind, layer or Choice())))
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
    )


class MappedCore:
    """A core in a library, whose gates run whatever it is given.

    Parameters
    ----------
    config, library, folder, advance : see `measure_power`

    Members
    -------
    cells : the library's cells
    """

    def __init__(
        self,
        config: Config,
        library: Library,
        folder: Path,
        advance: Callable[[str], None] = lambda step: None,
    ) -> None:
        self.config = config
        self.cells = CellLibrary([read(path) for path in library.paths])
        self._library = library
        self._folder = folder
        self._advance = advance
        self._emitted = outline.outline(emit(Core(config)))
        self._text = verilog(self._emitted)
        sources = kept.sources(_FLOW) + lanes.SOURCE.read_text()
        self._store = Kept(folder, "power", sources, json.dumps(kept.tools()), library.digest)

    @cached_property
    def mapped(self) -> hierarchy.Mapped:
        """Every module mapped once."""
        return hierarchy.map_hierarchy(
            self._emitted,
            self._library,
            parts.boundaries(self._emitted),
            self._folder,
            macros=(MemoryMacro,),
            advance=lambda module: self._advance(f"map {module}"),
        )

    @cached_property
    def tree(self) -> Tree:
        """Its instances."""
        return Tree.of(self.mapped)

    @cached_property
    def outside(self) -> dict[str, context.Array]:
        """Loads, see `context.loads`."""
        return context.loads(self.tree, self.cells)

    @cached_property
    def slews(self) -> dict[str, power.Slews]:
        """Slews, see `context.slews`."""
        found = context.slews(self.tree, self._library.paths, self.outside)
        self._advance("slews")
        return found

    @property
    def area(self) -> float:
        """In the library's unit, memories left out."""
        counts = self.mapped.counts()
        return sum(count * self.mapped.modules[module].area for module, count in counts.items())

    def run(self, work: Workload) -> Run:
        """Energy of a run, kept by content.

        Raises
        ------
        EnergyError, LibertyError, SimulationError : see `measure_power`.
        """
        inputs = {name: words for name, words in work.run.words.items() if name != "y"}
        digest = hashlib.sha256(b"".join(np.ascontiguousarray(words).tobytes() for words in inputs.values()))
        key = self._text, repr(CORE_PARTS), digest.hexdigest()
        told = self._store.get(*key)
        if told is None:
            found, cycles = self.simulate(work)
            told = {
                "cycles": cycles,
                "compared": found.compared,
                "parts": stored(self.energies(found)),
                "memories": [vars(one) for one in found.memories],
            }
            self._store.put(told, *key)
        return self._report(work, told)

    def simulate(self, work: Workload) -> tuple[Activity, int]:
        """What happens at the gates, and in how many cycles; Verilog, gates and golden model agree."""
        inputs = {name: words for name, words in work.run.words.items() if name != "y"}
        modules = [m.name for m in self._emitted if m.name in self.tree.paths]
        seen = probe.probe(self._emitted, self._text, modules, inputs, {"y": len(work.run.words["y"])})
        mask = work.run.masks["y"]
        if ((seen.outputs["y"] ^ work.run.words["y"]) & mask).any():
            raise EnergyError("the Verilog gives other outputs than the golden model")
        self._advance("simulate the Verilog")
        found = activity_module.activity(self.tree, self.cells, seen, CORE_PARTS, self._advance)
        return found, seen.window[1] - seen.window[0] + 1

    def energies(self, found: Activity) -> list[PartEnergy]:
        """Energy of every part, in fJ per cycle."""
        sums: dict[Part, list[float]] = {}
        for batch in found.batches:
            one = self.tree.shells[batch.module]
            told = cell_power(
                one.flat, batch.run, self.slews[batch.module], self.cells, self.outside[batch.module]
            )
            figures = np.stack([told.internal, told.switching, told.clock, told.leakage]) * len(batch.paths)
            registers = np.array(
                [self.cells.cell(cell.kind).state is not None for cell in one.flat.cells], bool
            )
            for part in dict.fromkeys(batch.parts):
                chosen = np.where(registers, batch.parts[1] == part, batch.parts[0] == part)
                total = sums.setdefault(part, [0.0] * 5)
                for place, figure in enumerate(
                    [len(batch.paths) * chosen.sum(), *figures[:, chosen].sum(axis=1)]
                ):
                    total[place] += float(figure)
        return [
            PartEnergy(part.group, part.name, int(sums[part][0]), *sums[part][1:])
            for part in CORE_PARTS
            if part in sums
        ]

    def _report(self, work: Workload, told: dict[str, Any]) -> Run:
        rmc = self.config.rmc
        capacity = told["cycles"] * rmc.rows * rmc.cols * rmc.lanes
        nodes = scaling.node_of(self._library.names)
        estimated: tuple[Any, Any] = ((), ())
        if nodes:
            active = [MemoryActivity(**one) for one in told["memories"]]
            macros = {m.name: m.unit for m in self._emitted if isinstance(m.unit, MemoryMacro)}
            at = nodes[0], self.cells.volts
            estimated = tuple(sram.memories(active, macros, *at)), tuple(sram.operands(work.bits, *at))
        return Run(
            work.as_json(),
            told["cycles"],
            work.macs,
            work.macs / capacity,
            restored(told["parts"]),
            told["compared"],
            *estimated,
        )
