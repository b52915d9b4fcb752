"""When the residual matrix core takes and gives: the model of hw/rmc."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from sevedo.gen.config import Config
from sevedo.hw.rmc.rmc import ResidualMatrixCore

from .recurrence import State
from .shapes import LayerShape


@dataclass(frozen=True)
class Array:
    """The residual matrix core on the tiles of one layer.

    Members
    -------
    tile_beats : beats of a tile: whole coarse groups, a beat for every pass
    latency : cycles from the last beat of a tile to the first offer of its sums
    """

    tile_beats: int
    latency: int

    @classmethod
    def of(cls, config: Config, shape: LayerShape) -> Array:
        """As `config` builds it."""
        return cls(coarse_groups(config, shape) * config.beats * shape.passes, _latency(config))

    def last_beat(self, state: State) -> int:
        """The cycle in which the last beat of the next tile is taken: only this one waits for room for the sums."""
        return max(state.last_beat + self.tile_beats, state.sums_free)


def coarse_groups(config: Config, shape: LayerShape) -> int:
    """Coarse groups of K; the last is padded."""
    return -(-shape.inputs // config.groups.coarse)


def tiles(config: Config, shape: LayerShape) -> tuple[int, int]:
    """Tiles of outputs and of tokens."""
    return -(-shape.outputs // config.rmc.rows), -(-shape.tokens // config.rmc.cols)


@lru_cache
def _latency(config: Config) -> int:
    """What the unit declares; kept, since to make its ports takes longer than all the rest of a prediction."""
    return ResidualMatrixCore(config).latency
