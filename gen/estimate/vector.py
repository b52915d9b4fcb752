"""When the vector core makes its steps: the model of hw/lvc."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from sevedo.gen.config import Config
from sevedo.hw.lvc.lvc import LowRankVectorCore

from .recurrence import State
from .shapes import LayerShape

START = 1
"""Cycles between two column tiles in which the sequencer makes no step."""


class VectorTile(NamedTuple):
    """A tile in the vector core: the cycles after its last RESIDUAL step, after its last BIAS step, after its last
    output."""

    sums_taken: int
    finished: int
    outputs_gone: int


@dataclass(frozen=True)
class Vector:
    """The vector core on the tiles of one layer.

    Members
    -------
    slots : steps of one pass over the token slots
    latency : cycles from the last step of a tile to the first offer of its outputs
    project_steps : steps of z = V x' for a column tile of tokens
    expand_steps : steps of L = U z for a tile
    output_beats : beats of the outputs of a tile
    """

    slots: int
    latency: int
    project_steps: int
    expand_steps: int
    output_beats: int

    @classmethod
    def of(cls, config: Config, shape: LayerShape) -> Vector:
        """As `config` builds it."""
        slots = config.rmc.cols // config.lvc_tokens
        blocks = -(-shape.rank // config.rmc.rows)
        return cls(
            slots=slots,
            latency=_latency(config),
            project_steps=blocks * shape.inputs * slots,
            expand_steps=shape.rank * slots,
            output_beats=config.rmc.cols,
        )

    def start_column(self, state: State) -> State:
        """A column tile begins: with a low-rank path, z is computed, and is in its buffer before it is used."""
        projected = self.project_steps + self.latency if self.project_steps else 0
        return state._replace(vector_free=state.vector_free + START + projected)

    def tile(self, state: State, sums_offered: int) -> VectorTile:
        """EXPAND, RESIDUAL when the sums are there, BIAS when the outputs before have gone."""
        residual = max(state.vector_free + self.expand_steps, sums_offered)
        bias = max(residual + self.slots, state.outputs_free)
        finished = bias + self.slots
        return VectorTile(residual + self.slots, finished, finished - 1 + self.latency + self.output_beats)


@lru_cache
def _latency(config: Config) -> int:
    """What the unit declares, kept."""
    return LowRankVectorCore(config).latency
