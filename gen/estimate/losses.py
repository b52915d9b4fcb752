"""What a layer's time on the array goes to: useful products, and every loss by its cause."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

from sevedo.gen.config import Config

from .array import Array, coarse_groups, tiles
from .bandwidth import operand_bytes
from .cycles import Cycles, predict
from .hiding import floating_lanes, hiding
from .shapes import LayerShape
from .vector import Vector

NOTABLE = 0.1
"""A loss smaller than this share of the array's time does not name the bound: the array does."""


@dataclass(frozen=True)
class Losses:
    """Shares of the array's time: with the utilization they are 1.

    Members
    -------
    tokens, outputs : columns and rows of PEs without a token or an output, in tiles at the edge
    padding : K padded to whole coarse groups
    low_rank : cycles that the layer takes longer than with rank 0, integer classes included
    fill_drain : cycles before the first beat and after the last one, once in a layer
    hand_over : cycles in which a tile waits for the one before to leave: its sums, its outputs
    """

    tokens: float
    outputs: float
    padding: float
    low_rank: float
    fill_drain: float
    hand_over: float


@dataclass(frozen=True)
class Estimate:
    """What is known of a layer on the core of a configuration, from `predict` alone."""

    config: Config
    shape: LayerShape
    cycles: Cycles

    @property
    def utilization(self) -> float:
        """Share of the array's products that the layer needs; a layer of several passes needs as many for each MAC."""
        rmc = self.config.rmc
        capacity = self.cycles.cycles * rmc.rows * rmc.cols * rmc.lanes
        return self.shape.macs * self.shape.passes / capacity

    @cached_property
    def losses(self) -> Losses:
        """Where the rest goes."""
        config, shape = self.config, self.shape
        rmc, total, busy = config.rmc, self.cycles.cycles, self.cycles.busy
        row_tiles, col_tiles = tiles(config, shape)
        alone = predict(config, shape.alone).cycles
        once = _one_tile(config, shape)
        tokens = shape.tokens / (col_tiles * rmc.cols)
        outputs = shape.outputs / (row_tiles * rmc.rows)
        inputs = shape.inputs / (coarse_groups(config, shape) * config.groups.coarse)
        share = self.cycles.busy_share
        return Losses(
            tokens=share * (1 - tokens),
            outputs=share * tokens * (1 - outputs),
            padding=share * tokens * outputs * (1 - inputs),
            low_rank=(total - alone) / total,
            fill_drain=once / total,
            hand_over=(alone - busy - once) / total,
        )

    @cached_property
    def bound(self) -> str:
        """In words, what the time goes to: the largest loss, or the array when none is notable."""
        losses = asdict(self.losses)
        name = max(losses, key=lambda each: losses[each])
        return self._words(name) if losses[name] >= NOTABLE else "array"

    def _words(self, loss: str) -> str:
        config, shape = self.config, self.shape
        match loss:
            case "tokens":
                decode = " (decode)" if shape.tokens == 1 else ""
                return f"token columns: {_edge(shape.tokens, config.rmc.cols)}{decode}"
            case "outputs":
                return f"output rows: {_edge(shape.outputs, config.rmc.rows)}"
            case "padding":
                coarse = config.groups.coarse
                return f"padding of K: {_edge(shape.inputs, coarse, 'coarse group', 'used')}"
            case "low_rank":
                found = self.hiding
                if found is None:
                    return "low-rank core: no number of lanes hides it"
                lvc = found.lvc
                sizes = f"lanes {lvc.lanes}, ranks {lvc.ranks}, queue {lvc.queue}, output_tokens {lvc.output_tokens}"
                if shape.int8_rank + shape.int4_rank:
                    sizes += (
                        f", int_ranks {lvc.int_ranks}, int_tokens {lvc.int_tokens}, int_lanes {lvc.int_lanes}"
                    )
                return f"low-rank core: {floating_lanes(found)} lanes hide it ({sizes})"
            case "fill_drain":
                return f"fill and drain: {_one_tile(config, shape)} cycles"
        array, vector = Array.of(config, shape.alone), Vector.of(config, shape.alone)
        way = {
            "residual sums": array.latency + array.sum_beats,
            "output stream": vector.output_beats,
        }
        name = max(way, key=lambda each: way[each])
        return f"{name}: {way[name]} cycles a tile, beats {array.tile_beats}"

    @cached_property
    def hiding(self) -> Config | None:
        """The configuration with the vector core that hides the low-rank path behind the array; None when none does."""
        return hiding(self.config, self.shape)

    @cached_property
    def operand_bytes(self) -> dict[str, float]:
        """Bytes of every operand stream in each cycle, on average over the layer."""
        return {
            name: size / self.cycles.cycles for name, size in operand_bytes(self.config, self.shape).items()
        }

    def row(self) -> dict[str, Any]:
        """Plain data."""
        return {
            **asdict(self.shape),
            "macs": self.shape.macs,
            "cycles": self.cycles.cycles,
            "busy_cycles": self.cycles.busy,
            "busy_share": self.cycles.busy_share,
            "utilization": self.utilization,
            "losses": asdict(self.losses),
            "bound": self.bound,
            "to_hide_low_rank": self.hiding.lvc.model_dump() if self.hiding else None,
            "operand_bytes_per_cycle": self.operand_bytes,
        }


def estimate(config: Config, shape: LayerShape) -> Estimate:
    """The estimate of one layer.

    Raises
    ------
    ConfigError : when the core of the configuration cannot run it; naming the limit and its field.
    """
    shape.check(config)
    return Estimate(config, shape, predict(config, shape))


def _one_tile(config: Config, shape: LayerShape) -> int:
    """Cycles in which a layer of a single tile, without a low-rank path, keeps the array idle."""
    single = predict(config, replace(shape.alone, tokens=1, outputs=1))
    return single.cycles - single.busy


def _edge(size: int, whole: int, unit: str = "", verb: str = "busy") -> str:
    """How much of the last of the blocks of `whole` is there."""
    where = "" if size < whole else f" in the last {unit or 'tile'}"
    return f"{(size - 1) % whole + 1} of {whole} {verb}{where}"
