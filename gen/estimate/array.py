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
    sum_beats : beats of a tile's sums on their way to the queue
    """

    tile_beats: int
    latency: int
    sum_beats: int

    @classmethod
    def of(cls, config: Config, shape: LayerShape) -> Array:
        """As `config` builds it."""
        beats = coarse_groups(config, shape) * config.beats * shape.passes
        return cls(beats, _latency(config), config.rmc.cols // config.lvc_tokens)

    def tile(self, state: State) -> State:
        """The next tile passes, and its sums go into the queue: the last beat waits for the buffer of the sums, and
        these for a place in the queue.
        """
        last_beat = max(state.last_beat + self.tile_beats, state.sums_free)
        queued = max(last_beat + self.latency, state.queue[0])
        return state._replace(last_beat=last_beat, sums_free=queued + self.sum_beats, queued=queued)


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
