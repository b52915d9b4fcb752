"""The cycles of a layer on the core: matrix core and vector core, waiting for each other tile by tile."""

from __future__ import annotations

from dataclasses import dataclass

from sevedo.gen.config import Config
from sevedo.hw.rmc.sequencer import RmcSequencer
from sevedo.hw.stream.buffer import StreamBuffer

from .array import Array, tiles
from .recurrence import ClassState, Columns, Projected, State, repeat
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
    # The command is the first beat in; all parts see it a buffer later, and a sequencer of beats loads it.
    start = StreamBuffer.LATENCY
    beats = start + RmcSequencer.START
    classes = ClassState.idle(start) if vector.classes is None else vector.classes.start(start)
    first = State(beats - 1, 0, 0, (0,) * config.lvc.queue, start, 0, 0, start, classes)

    def column(state: Columns) -> Columns:
        return _column(array, vector, row_tiles, state)

    end = repeat(column, Columns(first, start, (0, 0), Projected(beats - 1, 0, (0, 0))), col_tiles).tile
    # The last beat out leaves `finish` cycles after it was taken: counted from 0, that is the number of cycles less 1.
    dropped = _missing(vector, row_tiles) * vector.output_beats
    finish = vector.latencies.finish + (vector.latencies.classes if vector.classes else 0)
    return Cycles(end.finished - dropped + finish, row_tiles * col_tiles * array.tile_beats)


def _missing(vector: Vector, row_tiles: int) -> int:
    """Tiles that the last group lacks."""
    return -row_tiles % vector.group if vector.blocks else 0


def _column(array: Array, vector: Vector, row_tiles: int, state: Columns) -> Columns:
    """A column tile of tokens: z, then its row tiles, group by group."""
    tile, projected = state.tile, state.last_beat
    if vector.blocks:
        projected = vector.project(state.projected, state.z_free[0])
        tile = tile._replace(expanded=max(tile.expanded, projected - 1 + vector.latencies.project))
    classes, known = state.classes, 0
    if vector.classes is not None:
        classes, known = vector.classes.column(classes)
        tile = tile._replace(classes=tile.classes._replace(step=max(tile.classes.step, known)))
    group = vector.group if vector.blocks else 1
    tile = repeat(lambda each: _group(array, vector, group, each), tile, row_tiles // group)
    if row_tiles % group:
        tile = _group(array, vector, row_tiles % group, tile)
    free = (state.classes.free[1], tile.classes.step)
    classes = Projected.idle(tile.last_beat) if vector.classes is None else classes._replace(free=free)
    return Columns(tile, projected, (state.z_free[1], tile.expanded), classes)


def _group(array: Array, vector: Vector, count: int, state: State) -> State:
    """`count` row tiles whose L is made at once."""
    state = vector.expand(state) if vector.blocks else vector.skip(state)
    for _ in range(count):
        state = vector.finish(array.tile(state))
    return vector.drop(state, vector.group - count) if vector.blocks else state
