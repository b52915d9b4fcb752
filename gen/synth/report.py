"""What `sevedo synth` found out, as data: figures by module, memories apart, timing, and the tree of areas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sevedo.gen.verilog.emitter import EmittedModule

SCHEMA = 1
"""Version of the JSON; it changes when a reader would have to."""

FIGURES = ("area", "cells", "gate_equivalents", "luts", "dsps", "block_rams", "flip_flops")


@dataclass(frozen=True)
class Figures:
    """What logic costs; None where a figure does not apply to the target.

    Members
    -------
    area : in the library's unit (um2 for those in use)
    cells : gates of the library, or primitives of the FPGA
    gate_equivalents : area over that of the library's smallest NAND of two inputs
    luts, dsps, block_rams, flip_flops : as the FPGA family counts them; flip-flops of every target
    """

    area: float | None = None
    cells: float | None = None
    gate_equivalents: float | None = None
    luts: float | None = None
    dsps: float | None = None
    block_rams: float | None = None
    flip_flops: float | None = None


def total(parts: Sequence[tuple[int, Figures]]) -> Figures:
    """The sum of figures, each so many times; None where no part has a figure."""
    sums: dict[str, float | None] = {}
    for name in FIGURES:
        values = [count * value for count, one in parts if (value := getattr(one, name)) is not None]
        sums[name] = sum(values) if values else None
    return Figures(**sums)


@dataclass(frozen=True)
class ModuleFigures:
    """A module of the hierarchy as synthesised.

    Members
    -------
    name, unit_class : of the module, of its unit
    count : instances in the whole unit
    parents : instances in one instance of each parent module
    figures : of one instance, without the modules below it
    """

    name: str
    unit_class: str
    count: int
    parents: Mapping[str, int]
    figures: Figures


@dataclass(frozen=True)
class MemoryFigures:
    """Memories of one shape, kept apart from logic.

    Members
    -------
    module : that holds it
    width, depth : bits of a word, words
    instances : in the whole unit
    bits : of all instances
    area_um2 : of all instances, estimated by `model`; None where there is no model for the target
    model : which, in a few words
    """

    module: str
    width: int
    depth: int
    instances: int
    bits: int
    area_um2: float | None
    model: str | None


@dataclass(frozen=True)
class PathStep:
    """A cell on a path: its path in the hierarchy, its module, what it is, when its output is there (ns)."""

    instance: str
    module: str
    cell: str
    arrival_ns: float


@dataclass(frozen=True)
class ModuleDelay:
    """What a module adds to the critical path, all its instances together."""

    module: str
    delay_ns: float
    cells: int


@dataclass(frozen=True)
class Timing:
    """The critical path through the whole hierarchy, without wires.

    Members
    -------
    clock_ns : the period asked for; None when none was
    critical_ns : the shortest period that the path allows
    path : its cells, the first at the start
    by_module : time by module, the largest first
    """

    clock_ns: float | None
    critical_ns: float
    path: tuple[PathStep, ...]
    by_module: tuple[ModuleDelay, ...]

    @property
    def slack_ns(self) -> float | None:
        """What is left of the period asked for."""
        return None if self.clock_ns is None else round(self.clock_ns - self.critical_ns, 4)

    @property
    def met(self) -> bool | None:
        """Whether the period asked for is enough."""
        return None if self.slack_ns is None else self.slack_ns >= 0

    def as_json(self) -> dict[str, Any]:
        """The same as plain data."""
        return asdict(self) | {"slack_ns": self.slack_ns, "met": self.met}


@dataclass(frozen=True)
class SynthReport:
    """A unit, synthesised.

    Members
    -------
    configuration : name (None without one), fingerprint, toml
    unit : name of the module
    target : name of the target
    library : names and digest; None without one
    tools : versions
    modules : parents before their children
    memories : as above
    timing : None where it was not measured
    placed : runs of place and route; None where there were none
    power : what was measured of it; None where it was not
    """

    configuration: Mapping[str, Any]
    unit: str
    target: str
    library: Mapping[str, Any] | None
    tools: Mapping[str, str | None]
    modules: tuple[ModuleFigures, ...]
    memories: tuple[MemoryFigures, ...] = ()
    timing: Timing | None = None
    placed: Mapping[str, Any] | None = None
    power: Mapping[str, Any] | None = None

    @property
    def total(self) -> Figures:
        """Logic of the whole unit; memories are not in it."""
        return total([(module.count, module.figures) for module in self.modules])

    def as_json(self) -> dict[str, Any]:
        """The report as plain data, see docs/synthesis.md."""
        return {
            "schema": SCHEMA,
            "configuration": dict(self.configuration),
            "unit": self.unit,
            "target": self.target,
            "library": dict(self.library) if self.library else None,
            "tools": dict(self.tools),
            "modules": [
                {
                    "name": one.name,
                    "unit_class": one.unit_class,
                    "count": one.count,
                    "parents": dict(one.parents),
                    **asdict(one.figures),
                }
                for one in self.modules
            ],
            "total": asdict(self.total),
            "memories": [asdict(one) for one in self.memories],
            "timing": self.timing.as_json() if self.timing else None,
            "placed": dict(self.placed) if self.placed else None,
            "power": dict(self.power) if self.power else None,
            "area_tree": area_tree(self.modules),
        }


def rows(
    emitted: Sequence[EmittedModule],
    counts: Mapping[str, int],
    children: Mapping[str, Mapping[str, int]],
    figures: Mapping[str, Figures],
) -> tuple[ModuleFigures, ...]:
    """Rows of a report.

    Parameters
    ----------
    emitted : all modules of the design
    counts : instances in the whole, by module
    children : child modules of each module, and how many of each
    figures : of each module, parents before their children
    """
    classes = {module.name: type(module.unit).__name__ for module in emitted}
    parents: dict[str, dict[str, int]] = {module: {} for module in figures}
    for parent, numbers in children.items():
        for child, number in numbers.items():
            parents[child][parent] = number
    return tuple(
        ModuleFigures(name, classes[name], counts[name], parents[name], one) for name, one in figures.items()
    )


def area_tree(modules: Sequence[ModuleFigures]) -> dict[str, Any]:
    """The hierarchy as a treemap wants it: a node for all instances of a module in one parent, sharing one place.

    ``area`` is of all instances that the node stands for, with what is below them: um2, or LUTs for an FPGA; ``count``
    their number. What a module has itself beside its children is a leaf called "(own)".
    """
    by_name = {one.name: one for one in modules}
    children: dict[str, list[ModuleFigures]] = {one.name: [] for one in modules}
    for one in modules:
        for parent in one.parents:
            children[parent].append(one)

    def node(one: ModuleFigures, count: int) -> dict[str, Any]:
        below = [node(child, count * child.parents[one.name]) for child in children[one.name]]
        own = count * (size(one.figures) or 0.0)
        if below and own:
            leaf = {"name": "(own)", "module": one.name, "count": count, "area": own, "children": []}
            below = [*below, leaf]
        area = sum(child["area"] for child in below) if below else own
        return {"name": one.name, "module": one.name, "count": count, "area": area, "children": below}

    return node(by_name[modules[0].name], 1)


def size(figures: Figures) -> float | None:
    """What an area is told in: um2 where there is a library, LUTs of an FPGA, cells else."""
    return next((v for v in (figures.area, figures.luts, figures.cells) if v is not None), None)
