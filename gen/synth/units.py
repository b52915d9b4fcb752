"""The units of a configuration by name: of the module, of the class, or as people call them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from sevedo.gen.config import Config, ConfigError
from sevedo.gen.verilog.emitter import EmittedModule, emit
from sevedo.gen.verilog.manifest import instances
from sevedo.hw.core.core import Core
from sevedo.hw.processor.processor import Processor

SHORT = {
    "rmc": "ResidualMatrixCore",
    "pe": "ProcessingElement",
    "dot": "DotProduct",
    "csu": "CoarseScaleUnit",
    "lvc": "LowRankVectorCore",
    "lane": "VectorLane",
    "quantizer": "ActivationQuantizer",
    "classes": "IntegerClasses",
    "iomem": "ActivationMemory",
    "reader": "AxiReader",
    "writer": "AxiWriter",
}
"""Names in use for classes that are called something longer."""


class UnitError(ValueError):
    """No unit of that name; the message is one line with the nearest names."""


@dataclass(frozen=True)
class NamedUnit:
    """A unit that can be asked for: its module, its class, the names besides the module's, instances in the whole."""

    module: str
    unit_class: str
    names: tuple[str, ...]
    count: int


def plain(unit_class: str) -> str:
    """The name of a class in lower case with hyphens: ``residual-matrix-core``."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", unit_class).lower()


def find(config: Config, name: str) -> list[EmittedModule]:
    """The modules of a unit, children first, the unit itself last, as `emit` gives them.

    A name stands for the module of that name; else for the module of that class; where a class has several modules,
    for the one with the most instances. The processor is looked through only where the core does not have it.

    Raises
    ------
    UnitError : no such unit.
    ConfigError : a unit of the processor, of a configuration that has none.
    """
    if name == "core":
        return emit(Core(config))
    known: list[str] = []
    for top in (Core, Processor):
        if top is Processor:
            config.check_processor()
        emitted = emit(top(config))
        for one in units(emitted):
            if name == one.module or name in one.names:
                return below(emitted, one.module)
            known += [one.module, *one.names]
    near = difflib.get_close_matches(name, dict.fromkeys(known), n=5, cutoff=0.4) or [
        "core",
        "processor",
        *SHORT,
    ]
    raise UnitError(f"unit={name} is not a unit of this configuration; nearest: {', '.join(near)}")


def everything(config: Config) -> list[NamedUnit]:
    """The units of the processor, or of the core where the configuration has none."""
    try:
        config.check_processor()
    except ConfigError:
        return units(emit(Core(config)))
    return units(emit(Processor(config)))


def units(emitted: Sequence[EmittedModule]) -> list[NamedUnit]:
    """All units of a design, parents before their children."""
    counts = instances(emitted)
    by_class: dict[str, EmittedModule] = {}
    for module in reversed(emitted):
        first = by_class.setdefault(type(module.unit).__name__, module)
        if counts[module.name] > counts[first.name]:
            by_class[type(module.unit).__name__] = module
    short = {unit_class: name for name, unit_class in SHORT.items()}
    found = []
    for module in reversed(emitted):
        unit_class = type(module.unit).__name__
        names = (
            filter(None, (short.get(unit_class), plain(unit_class))) if by_class[unit_class] is module else ()
        )
        own = tuple(one for one in names if one != module.name)
        found.append(NamedUnit(module.name, unit_class, own, counts[module.name]))
    return found


def below(emitted: Sequence[EmittedModule], name: str) -> list[EmittedModule]:
    """A module and all below it, in the order of `emitted`."""
    wanted = {name}
    for module in reversed(emitted):  # parents come before their children
        if module.name in wanted:
            wanted |= {child for child, _ in module.children}
    return [module for module in emitted if module.name in wanted]
