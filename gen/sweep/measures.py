"""What is measured of a point. Each measure says what of a configuration decides its figures: points that agree in that
share one measurement."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from sevedo.gen.config import Config
from sevedo.sim.toolchain import build_folder, digest

Figures = dict[str, float]
"""Figures by metric."""


AREA = "area_um2"
"""Of logic, in a library."""
SIZE = "multipliers"
"""How large the array is, where no area is measured."""


@dataclass(frozen=True)
class Metric:
    """A figure of a point.

    Members
    -------
    name : of the column: letters, digits and underscores
    unit : of the figure
    text : what it is, in words
    less : whether less is better; None where neither is
    leads : whether points are judged by it; others only explain
    """

    name: str
    unit: str
    text: str
    less: bool | None = True
    leads: bool = False


class Measure(Protocol):
    """A way to measure configurations. It is sent to other processes: plain data alone."""

    name: str

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The figures that it gives, the most telling first."""

    def key(self, config: Config) -> str:
        """A digest of everything that decides the figures, code and tools included."""

    def __call__(self, config: Config) -> Figures:
        """The figures of a configuration; those that cannot be had here are left out.

        Raises
        ------
        ConfigError : it cannot do the work that is asked of it.
        """


@dataclass(frozen=True)
class Cycles:
    """Cycles of workloads, by the model that is exact to the cycle (docs/performance.md), and the size of the core.

    Members
    -------
    workloads : of `sevedo.gen.estimate`
    """

    workloads: tuple[Any, ...]
    name = "cycles"

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Cycles and utilization of each workload; memory bits of a value; multipliers."""
        found = []
        for each in self.workloads:
            found.append(Metric(f"cycles_{slug(each.name)}", "cycles", f"cycles of {each.name}", leads=True))
            found.append(
                Metric(
                    f"utilization_{slug(each.name)}", "1", f"useful share of the array, {each.name}", False
                )
            )
        found.append(Metric(SIZE, "products", "multipliers of the array: products in a cycle", leads=True))
        found.append(
            Metric("bits_activation", "bit", "memory of an activation, its share of scales included")
        )
        found.append(
            Metric(
                "bits_weight", "bit", "memory of a residual weight, its share of scales included", leads=True
            )
        )
        return tuple(found)

    def key(self, config: Config) -> str:
        """All fields, the workloads, the model's code."""
        return digest(
            self.name,
            dump(config),
            repr(self.workloads),
            code_of(__file__, "gen/estimate", "gen/config", "hw"),
        )

    def __call__(self, config: Config) -> Figures:
        """Without a tool, in milliseconds to seconds."""
        from sevedo.gen.compare.accuracy import value_bits
        from sevedo.gen.estimate.report import WorkloadEstimate

        figures: Figures = {}
        for each in self.workloads:
            found = WorkloadEstimate.of(config, each)
            figures[f"cycles_{slug(each.name)}"] = found.cycles
            figures[f"utilization_{slug(each.name)}"] = found.share([one.utilization for one in found.layers])
        figures[SIZE] = config.rmc.rows * config.rmc.cols * config.rmc.lanes
        figures["bits_activation"], figures["bits_weight"] = value_bits(config)
        return figures


@dataclass(frozen=True)
class Error:
    """Errors of the layers of MiniLM in the golden model, reading news (docs/schemes.md).

    Members
    -------
    blocks : of the model, six linear layers each
    rank : of the low-rank path in floating point
    """

    blocks: tuple[int, ...]
    rank: int
    name = "error"

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Of outputs, and of weights alone."""
        where = f"root mean square over the linear layers of MiniLM's blocks {list(self.blocks)}"
        return (
            Metric("output_error", "1", f"relative error of the outputs, {where}", leads=True),
            Metric(
                "weight_error",
                "1",
                f"relative error of the quantized weights with their low-rank part, {where}",
            ),
        )

    def key(self, config: Config) -> str:
        """What is computed: sizes of the arrays change no bit."""
        from sevedo.gen.evaluate.code import code

        what = config.model_dump(include={"numbers", "groups"})
        rank = min(self.rank, config.lvc.max_rank)
        return digest(
            self.name,
            json.dumps(what, sort_keys=True),
            str(rank),
            repr(self.blocks),
            code(),
            code_of(__file__),
        )

    def __call__(self, config: Config) -> Figures:
        """Seconds to a minute a block."""
        from sevedo.gen.compare.accuracy import output_and_weight_errors

        outputs, weights = output_and_weight_errors(config, layers_of(self.blocks), self.rank)
        return {"output_error": outputs, "weight_error": weights}


def slug(text: str) -> str:
    """A name for a column: ``vit-base, T = 197`` is ``vit_base_t_197``."""
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")


@cache
def layers_of(blocks: tuple[int, ...]) -> Any:
    """The layers, read once by each process."""
    from sevedo.gen.compare.accuracy import real_layers

    return real_layers(blocks)


def dump(config: Config) -> str:
    """All fields, as text."""
    return json.dumps(config.model_dump(), sort_keys=True)


@cache
def code_of(measure: str, *folders: str) -> str:
    """A digest of the Python file of a measure, and of those of folders of ours that it calls."""
    root = Path(__file__).resolve().parents[2]
    files = [file for name in folders for file in sorted((root / name).rglob("*.py"))]
    return digest(*(file.read_text(encoding="utf-8") for file in (Path(measure), *files)))


def kept_folder() -> Path:
    """Where the tools' results are kept."""
    return build_folder() / "synth"


def by_metric(measures: tuple[Measure, ...]) -> Mapping[str, Metric]:
    """All metrics by name, in order."""
    return {metric.name: metric for measure in measures for metric in measure.metrics}
