"""The cycles of a layer on the core: matrix core and vector core, waiting for each other tile by tile."""

from __future__ import annotations

from dataclasses import dataclass

from sevedo.gen.config import Config
from sevedo.hw.stream.buffer import StreamBuffer

from .array import Array, tiles
from .recurrence import State, repeat
from .shapes import LayerShape
from .vector import Vector


@dataclass(frozen=True)
class Cycles:
    """How long a layer takes, operands always there and outputs always taken.

    Members
    -------
    cycles : from the first beat in to the last beat out, both counted: `LayerRun.cycles` of a simulation
    busy : cycles in which the array takes a beat
    """

    cycles: int
    busy: int

    @property
    def busy_share(self) -> float:
        """Share of the cycles in which the array takes a beat."""
        return self.busy / self.cycles


def predict(config: Config, shape: LayerShape) -> Cycles:
    """The cycles of a layer.

    Tokens outermost, outputs inside. What a tile waits for is a maximum of sums, so that a layer of millions of tiles
    takes as long as its first few (`repeat`).
    """
    array, vector = Array.of(config, shape), Vector.of(config, shape)
    row_tiles, col_tiles = tiles(config, shape)
    # The command is the first beat in; both cores see it a buffer later.
    start = StreamBuffer.LATENCY
    state = State(last_beat=start - 1, sums_free=0, vector_free=start, outputs_free=0)

    def tile(state: State) -> State:
        return _tile(array, vector, state)

    def column(state: State) -> State:
        return repeat(tile, vector.start_column(state), row_tiles)

    # The outputs are free in the cycle after the last beat out: counted from 0, that is the number of cycles.
    cycles = repeat(column, state, col_tiles).outputs_free
    return Cycles(cycles, row_tiles * col_tiles * array.tile_beats)


def _tile(array: Array, vector: Vector, state: State) -> State:
    last_beat = array.last_beat(state)
    done = vector.tile(state, last_beat + array.latency)
    return State(last_beat, done.sums_taken, done.finished, done.outputs_gone)
