"""Estimates of whole workloads: sums over their layers, as data and as tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from math import inf
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from sevedo.gen.config import Config

from .losses import Estimate, Losses, estimate
from .mapping import Mapping, mappings
from .shapes import Workload

LEGEND = (
    "In % of the array's time: busy, taking a beat; useful, products that the layer needs; then what the rest is lost "
    "to: PEs without a token or an output in edge tiles, K padded to coarse groups, what the low-rank path of rank r "
    "adds, fill and drain, waiting for the tile before to leave. w B/c: bytes of weights and their scales in a cycle."
)
"""What the columns of `layer_table` mean."""

_LOSSES = ("-tokens", "-outputs", "-padK", "-rank", "-fill", "-wait")
"""Titles of the fields of `Losses`, in their order."""


MODERATE = 1.5
"""How many times the operand bytes of the configuration's own array are still little, for another array."""


@dataclass(frozen=True)
class WorkloadEstimate:
    """The layers of a workload, one after the other."""

    name: str
    layers: tuple[Estimate, ...]
    mappings: tuple[Mapping, ...]

    @classmethod
    def of(cls, config: Config, workload: Workload) -> WorkloadEstimate:
        """Every layer estimated.

        Raises
        ------
        ConfigError : when the core of the configuration cannot run one of them.
        """
        layers = tuple(estimate(config, shape) for shape in workload.layers)
        return cls(workload.name, layers, tuple(mappings(config, workload.layers)))

    @property
    def cycles(self) -> int:
        """Cycles of all layers; nothing of a layer overlaps the next."""
        return sum(each.cycles.cycles * each.shape.count for each in self.layers)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of all layers."""
        return sum(each.shape.macs * each.shape.count for each in self.layers)

    def best(self, operand_bytes: float = inf) -> Mapping:
        """The array of as many PEs that loses least to partly filled tiles; of equals, the least operand bytes.

        `operand_bytes` is the most that it may take in a cycle.
        """
        found = [each for each in self.mappings if each.operand_bytes <= operand_bytes]
        return min(found, key=lambda each: (each.lost, each.operand_bytes))

    def share(self, values: Sequence[float]) -> float:
        """The mean of a figure of every layer, weighted by cycles."""
        cycles = [each.cycles.cycles * each.shape.count for each in self.layers]
        return sum(value * weight for value, weight in zip(values, cycles, strict=True)) / sum(cycles)

    @property
    def losses(self) -> Losses:
        """Shares of the array's time over all layers."""
        losses = [asdict(each.losses) for each in self.layers]
        return Losses(**{f.name: self.share([each[f.name] for each in losses]) for f in fields(Losses)})

    def data(self, clock_mhz: float | None) -> dict[str, Any]:
        """Plain data; with times when the clock is known."""
        total = {
            "cycles": self.cycles,
            "macs": self.macs,
            "busy_share": self.share([each.cycles.busy_share for each in self.layers]),
            "utilization": self.share([each.utilization for each in self.layers]),
            "losses": asdict(self.losses),
            "w_bytes_per_cycle": self.share([each.operand_bytes["w"] for each in self.layers]),
        }
        if clock_mhz is not None:
            total |= {
                "milliseconds": self.cycles / clock_mhz / 1e3,
                "gmac_per_second": self.macs / self.cycles * clock_mhz / 1e3,
            }
        return {
            "name": self.name,
            "layers": [each.row() for each in self.layers],
            "total": total,
            "mappings": [asdict(each) | {"lost": each.lost} for each in self.mappings],
        }


def layer_table(workload: WorkloadEstimate, clock_mhz: float | None) -> Table:
    """A row for each layer and one for their sum."""
    table = _table(workload.name)
    table.add_column("layer", no_wrap=True)
    for name in ("T x K x N", "r", "cycles", "busy", "useful", *_LOSSES, "w B/c"):
        table.add_column(name, justify="right", no_wrap=True)
    if clock_mhz is not None:
        table.add_column("ms", justify="right", no_wrap=True)
        table.add_column("GMAC/s", justify="right", no_wrap=True)
    table.add_column("bound", no_wrap=True)
    for each in workload.layers:
        shape, cycles = each.shape, each.cycles.cycles
        table.add_row(
            _times(shape.count) + shape.name,
            f"{shape.tokens} x {shape.inputs} x {shape.outputs}" + _times(shape.passes, " in {} passes"),
            shape.ranks,
            f"{cycles:,}",
            *_shares(each.cycles.busy_share, each.utilization, each.losses),
            f"{each.operand_bytes['w']:.1f}",
            *_speed(cycles, shape.macs, clock_mhz),
            each.bound,
        )
    if len(workload.layers) > 1 or workload.layers[0].shape.count > 1:
        total = workload.data(clock_mhz)["total"]
        table.add_section()
        table.add_row(
            _times(sum(each.shape.count for each in workload.layers)) + "all",
            "",
            "",
            f"{workload.cycles:,}",
            *_shares(total["busy_share"], total["utilization"], workload.losses),
            f"{total['w_bytes_per_cycle']:.1f}",
            *_speed(workload.cycles, workload.macs, clock_mhz),
        )
    return table


def mapping_table(config: Config, workloads: Sequence[WorkloadEstimate]) -> Table:
    """Every array of as many PEs: what it takes in a cycle, and what partly filled tiles cost each workload."""
    pes = config.rmc.rows * config.rmc.cols
    table = _table(f"{pes} PEs in other arrays: lost to partly filled tiles, tokens + outputs, %")
    table.add_column("rows x cols", justify="right")
    table.add_column("x and w B/cycle", justify="right", max_width=9)
    for workload in workloads:
        table.add_column(workload.name, justify="right", max_width=14)
    for index, shape in enumerate(workloads[0].mappings):
        mark = _is_ours(config, shape)
        row = [workload.mappings[index] for workload in workloads]
        table.add_row(
            f"{'* ' if mark else ''}{shape.rows} x {shape.cols}",
            f"{shape.operand_bytes:.1f}",
            *(f"{100 * each.tokens:.1f} + {100 * each.outputs:.1f}" for each in row),
            style="bold" if mark else None,
        )
    table.add_section()
    ours = next(each for each in workloads[0].mappings if _is_ours(config, each))
    for name, most in ("least lost", inf), (f"to {MODERATE:g} x bytes", MODERATE * ours.operand_bytes):
        best = [workload.best(most) for workload in workloads]
        table.add_row(name, "", *(f"{each.rows} x {each.cols}" for each in best))
    return table


def _is_ours(config: Config, mapping: Mapping) -> bool:
    return (mapping.rows, mapping.cols) == (config.rmc.rows, config.rmc.cols)


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))


def _times(count: int, form: str = "{} x ") -> str:
    return form.format(count) if count > 1 else ""


def _shares(busy: float, utilization: float, losses: Losses) -> list[str]:
    return [f"{100 * busy:.2f}", *(f"{100 * share:.1f}" for share in (utilization, *asdict(losses).values()))]


def _speed(cycles: int, macs: int, clock_mhz: float | None) -> list[str]:
    if clock_mhz is None:
        return []
    return [f"{cycles / clock_mhz / 1e3:,.3f}", f"{macs / cycles * clock_mhz / 1e3:,.1f}"]
