"""A unit in a library, whose gates run whatever the unit is given, and what that takes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from sevedo.gen.synth import cells as cells_module
from sevedo.gen.synth import gates, hierarchy, kept, liberty, netlist, partition, power, record, sizing
from sevedo.gen.synth import measure as flow
from sevedo.gen.synth import recipe as recipe_module
from sevedo.gen.synth.cells import CellLibrary
from sevedo.gen.synth.energy import EnergyError
from sevedo.gen.synth.kept import Kept
from sevedo.gen.synth.library import Library, read
from sevedo.gen.synth.power import cell_power
from sevedo.gen.synth.recipe import BENCH, Recipe
from sevedo.gen.verilog.emitter import emit, verilog
from sevedo.hw.unit import Unit
from sevedo.sim.unit_runs import UnitRun

from . import activity as activity_module
from . import context, lanes, outline, parts, probe, shell, tree
from .activity import Activity, MemoryActivity
from .outline import MemoryMacro
from .parts import CORE_PARTS, PARTS, Part
from .report import PartEnergy, restored, stored
from .tree import Tree

_FLOW = (
    activity_module, cells_module, context, flow, gates, hierarchy, lanes, liberty, netlist, outline, partition, parts,
    power, probe, recipe_module, record, shell, sizing, tree,
)  # fmt: skip


@dataclass(frozen=True)
class Measured:
    """What a run took.

    Members
    -------
    cycles : from the first beat in to the last beat out
    compared : output bits of module instances that gates and Verilog agree in
    parts : energies per cycle
    memories : what reached them
    """

    cycles: int
    compared: int
    parts: tuple[PartEnergy, ...] = field(repr=False)
    memories: tuple[MemoryActivity, ...]


class MappedUnit:
    """A unit mapped to a library.

    Parameters
    ----------
    unit : any unit with a clock whose ports are streams
    library : standard cells
    folder : where mapped modules and results are kept
    recipe : how modules are mapped
    chosen : what energy is told apart by; the last takes everything
    staying : classes of units that stay modules, with all that contain them
    jobs : modules that are mapped at a time
    advance : called with the name of each step when it is done

    Members
    -------
    cells : the library's cells
    macros : memories by their modules

    Raises
    ------
    LibertyError : the library has no power tables, capacitances or voltage.
    """

    def __init__(
        self,
        unit: Unit,
        library: Library,
        folder: Path,
        *,
        recipe: Recipe = BENCH,
        chosen: Sequence[Part] = CORE_PARTS,
        staying: Sequence[type[Unit]] = PARTS,
        jobs: int = 1,
        advance: Callable[[str], None] = lambda step: None,
    ) -> None:
        texts = [read(path) for path in library.paths]
        power.require_tables(texts)
        self.cells = CellLibrary(texts)
        self._library = library
        self._folder = folder
        self._recipe = recipe
        self._chosen = tuple(chosen)
        self._staying = tuple(staying)
        self._jobs = jobs
        self._advance = advance
        self._emitted = outline.outline(emit(unit))
        self._text = verilog(self._emitted)
        self.macros = {m.name: m.unit for m in self._emitted if isinstance(m.unit, MemoryMacro)}
        sources = kept.sources(_FLOW) + lanes.SOURCE.read_text() + Path(__file__).read_text()
        self._store = Kept(
            folder, "power", sources, json.dumps(kept.tools()), library.digest, repr(self._recipe)
        )

    @cached_property
    def mapped(self) -> hierarchy.Mapped:
        """Every module mapped once."""
        return hierarchy.map_hierarchy(
            self._emitted,
            self._library,
            parts.boundaries(self._emitted, self._staying),
            self._folder,
            macros=(MemoryMacro,),
            recipe=self._recipe,
            jobs=self._jobs,
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

    def measure(self, run: UnitRun) -> Measured:
        """What a run takes, kept by content.

        Raises
        ------
        PowerError : OpenSTA is missing.
        EnergyError : gates, Verilog and the run's own outputs do not agree.
        LibertyError, GateError : a library or netlist that cannot be simulated.
        SimulationError, HierarchyError, SynthesisError : a tool fails.
        """
        words = hashlib.sha256(
            b"".join(np.ascontiguousarray(run.words[name]).tobytes() for name in sorted(run.words))
        )
        key = self._text, repr(self._chosen), repr(self._staying), words.hexdigest()
        told = self._store.get(*key)
        if told is None:
            found, cycles = self.simulate(run)
            told = {
                "cycles": cycles,
                "compared": found.compared,
                "parts": stored(self.energies(found)),
                "memories": [vars(one) for one in found.memories],
            }
            self._store.put(told, *key)
        memories = tuple(MemoryActivity(**one) for one in told["memories"])
        return Measured(told["cycles"], told["compared"], restored(told["parts"]), memories)

    def simulate(self, run: UnitRun) -> tuple[Activity, int]:
        """What happens at the gates, and in how many cycles."""
        inputs = {name: words for name, words in run.words.items() if name not in run.masks}
        counts = {name: len(run.words[name]) for name in run.masks}
        modules = [m.name for m in self._emitted if self.tree.paths.get(m.name)]
        seen = probe.probe(self._emitted, self._text, modules, inputs, counts)
        for name, mask in run.masks.items():
            if ((seen.outputs[name] ^ run.words[name]) & mask).any():
                raise EnergyError(f"the Verilog gives other {name} than the golden model")
        self._advance("simulate the Verilog")
        found = activity_module.activity(self.tree, self.cells, seen, self._chosen, self._advance)
        return found, seen.window[1] - seen.window[0] + 1

    def energies(self, found: Activity) -> list[PartEnergy]:
        """Energy of every part that has cells, in fJ per cycle."""
        sums = {part: np.zeros(6) for part in self._chosen}
        for batch in found.batches:
            flat, run = self.tree.shells[batch.module].flat, batch.run
            told = cell_power(flat, run, self.slews[batch.module], self.cells, self.outside[batch.module])
            registers = np.array([self.cells.cell(cell.kind).state is not None for cell in flat.cells], bool)
            # the state is the last variable of a register
            still = [
                1 - counts.changes[-1].sum() / run.cycles if register else 0.0
                for counts, register in zip(run.cells, registers, strict=True)
            ]
            ones = np.ones(len(flat.cells))
            figures = np.stack(
                [ones, told.internal, told.switching, told.clock, told.clock * np.array(still), told.leakage]
            )
            for register, part in enumerate(batch.parts):
                sums[part] += len(batch.paths) * figures[:, registers == bool(register)].sum(axis=1)
        return [
            PartEnergy(part.group, part.name, int(total[0]), *map(float, total[1:]))
            for part, total in sums.items()
            if total[0]
        ]
