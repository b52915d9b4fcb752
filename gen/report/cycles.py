"""Cycles and utilization of models: the prediction that is exact to the cycle (docs/performance.md), layer by layer."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

from sevedo.gen.config import Config, ConfigError
from sevedo.gen.estimate import MODELS, workload
from sevedo.gen.estimate.report import WorkloadEstimate
from sevedo.gen.estimate.shapes import DEFAULT_RANK

SHOWN = {"vit-base": "ViT-Base", "llama2-7b": "Llama2-7B"}
"""Models on the page, and what they are called there."""

PARTS = {
    "useful": "products that the layer needs",
    "tokens": "columns of PEs without a token, in tiles at the edge",
    "outputs": "rows of PEs without an output, in tiles at the edge",
    "padding": "K padded to whole coarse groups",
    "low rank": "cycles that the low-rank path adds",
    "fill, drain": "before the first beat and after the last, once in a layer",
    "hand-over": "a tile waits for the one before to leave",
}
"""What the array's time goes to, in the order of the bars."""


@dataclass(frozen=True)
class Clock:
    """A clock that times are told at.

    Members
    -------
    mhz : its frequency
    why : where it is from, in words
    """

    mhz: float
    why: str


@dataclass(frozen=True)
class LayerView:
    """A row of a workload's table.

    Members
    -------
    name : with how many such layers there are
    shape, ranks : in words
    cycles : of one layer
    milliseconds, gmacs : at the clock; None without one
    utilization : useful share of the array's products
    parts : shares of the array's time, as `PARTS`
    bound : what bounds it, in words
    weight_bytes : that the array takes in a cycle
    """

    name: str
    shape: str
    ranks: str
    cycles: int
    milliseconds: float | None
    gmacs: float | None
    utilization: float
    parts: tuple[float, ...]
    bound: str
    weight_bytes: float


@dataclass(frozen=True)
class WorkloadView:
    """A model on so many tokens; `total` is over all its layers. `refused` tells why it cannot run here."""

    name: str
    layers: tuple[LayerView, ...]
    total: LayerView | None
    refused: str = ""


def workloads(config: Config, clock: Clock | None) -> list[WorkloadView]:
    """The models that are shown, each on its own numbers of tokens, with the low-rank path of rank 32 where it fits."""
    ranks = (min(DEFAULT_RANK, config.lvc.max_rank), 0, 0)
    found = []
    for name, called in SHOWN.items():
        for tokens in MODELS[name].tokens:
            work = workload(name, tokens, ranks)
            work = replace(work, name=work.name.replace(name, called))
            try:
                found.append(_view(WorkloadEstimate.of(config, work), clock))
            except ConfigError as error:
                found.append(WorkloadView(work.name, (), None, str(error)))
    return found


def _view(estimate: WorkloadEstimate, clock: Clock | None) -> WorkloadView:
    rows = []
    for each in estimate.layers:
        shape = each.shape
        rows.append(
            LayerView(
                f"{shape.count} × {shape.name}" if shape.count > 1 else shape.name,
                f"{shape.tokens:,} × {shape.inputs:,} × {shape.outputs:,}",
                shape.ranks,
                each.cycles.cycles,
                *_speed(each.cycles.cycles, shape.macs, clock),
                each.utilization,
                (each.utilization, *asdict(each.losses).values()),
                each.bound,
                each.operand_bytes["w"],
            )
        )
    utilization = estimate.share([each.utilization for each in estimate.layers])
    total = LayerView(
        "all layers",
        "",
        "",
        estimate.cycles,
        *_speed(estimate.cycles, estimate.macs, clock),
        utilization,
        (utilization, *asdict(estimate.losses).values()),
        "",
        estimate.share([each.operand_bytes["w"] for each in estimate.layers]),
    )
    return WorkloadView(estimate.name, tuple(rows), total)


def _speed(cycles: int, macs: int, clock: Clock | None) -> tuple[float | None, float | None]:
    if clock is None:
        return None, None
    return cycles / clock.mhz / 1e3, macs / cycles * clock.mhz / 1e3
