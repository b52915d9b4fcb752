"""Measures that need a standard-cell library: area and delay by synthesis, energy at gate level."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from sevedo.gen.config import Config
from sevedo.sim.toolchain import digest

from .measures import AREA, Figures, Metric, code_of, dump, kept_folder, layers_of


@dataclass(frozen=True)
class Area:
    """Area and delay of a core, mapped to the cells of a library (docs/area.md).

    Members
    -------
    paths : files of the library
    library : its digest
    tools : versions of the tools
    """

    paths: tuple[str, ...]
    library: str
    tools: str
    name = "area"

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Area of logic; longest path, where OpenSTA is."""
        return (
            Metric(AREA, "um2", "area of the core's cells, without wires and memories", leads=True),
            Metric("critical_ns", "ns", "longest path of the core, without wires; none without OpenSTA"),
        )

    def key(self, config: Config) -> str:
        """All fields, library, tools and code."""
        return digest(
            self.name,
            dump(config),
            self.library,
            self.tools,
            code_of(__file__, "gen/synth", "gen/config", "hw"),
        )

    def __call__(self, config: Config) -> Figures:
        """Minutes; modules that were mapped before are taken from build/synth."""
        from sevedo.gen.synth.run import synthesise
        from sevedo.gen.synth.target import Target

        target = Target("liberty", load(self.paths))
        told = synthesise(config, unit="core", target=target, folder=kept_folder(), jobs=1).as_json()
        figures = {AREA: float(told["total"]["area"])}
        if told["timing"] is not None and told["timing"]["critical_ns"] is not None:
            figures["critical_ns"] = float(told["timing"]["critical_ns"])
        return figures


@dataclass(frozen=True)
class Energy:
    """Energy of a row of PEs that share a coarse-scale unit, at gate level, with the data of a layer (docs/schemes.md).

    Members
    -------
    paths, library, tools : as of `Area`
    block : of MiniLM, whose first layer gives the data
    rank : of the low-rank part, which is taken out of the weights
    """

    paths: tuple[str, ...]
    library: str
    tools: str
    block: int
    rank: int
    name = "energy"

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Of the array, and of its parts."""
        what = f"for a multiply-accumulate, data of the query layer of MiniLM's block {self.block}"
        return (
            Metric("array_fj_per_mac", "fJ/MAC", f"energy of PEs and coarse-scale units {what}", leads=True),
            Metric("dequantization_fj_per_mac", "fJ/MAC", f"energy between dot products and sums {what}"),
            Metric("dot_fj_per_mac", "fJ/MAC", f"energy of the dot products {what}"),
        )

    def key(self, config: Config) -> str:
        """The slice that is simulated, its data, library, tools and code."""
        from sevedo.gen.compare.silicon import slice_config

        sliced = dump(slice_config(config, config.csu_share))
        code = code_of(__file__, "gen/synth", "gen/compare", "gen/config", "hw", "ref")
        return digest(self.name, sliced, self.library, self.tools, f"{self.block} {self.rank}", code)

    def __call__(self, config: Config) -> Figures:
        """A minute or two."""
        from sevedo.gen.compare.silicon import (
            CATEGORIES,
            DEQUANTIZATION,
            DOT,
            EDGE,
            slice_config,
            slice_energies,
        )

        sliced = slice_config(config, config.csu_share)
        layer = layers_of((self.block,))[0]
        energies, _, _ = slice_energies(
            sliced, load(self.paths), layer, self.rank, kept_folder(), lambda step: None
        )
        return {
            "array_fj_per_mac": sum(energies[each.name] for each in CATEGORIES if each.name != EDGE),
            "dequantization_fj_per_mac": sum(energies[name] for name in DEQUANTIZATION),
            "dot_fj_per_mac": energies[DOT],
        }


@cache
def load(paths: tuple[str, ...]) -> Any:
    """A library, read once by each process.

    Raises
    ------
    LibertyError : as `Library.load`.
    """
    from sevedo.gen.synth.library import Library

    return Library.load([Path(path) for path in paths])


def tool_text() -> str:
    """Versions of the synthesis tools."""
    from sevedo.gen.synth.kept import tools

    return json.dumps(tools())
