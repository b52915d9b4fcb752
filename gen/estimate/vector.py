"""When the parts of the vector core make their steps: the model of hw/lvc."""

from __future__ import annotations

from dataclasses import dataclass

from sevedo.gen.config import Config
from sevedo.hw.lvc.expander import Expander
from sevedo.hw.lvc.finisher import Finisher
from sevedo.hw.lvc.lvc import LowRankVectorCore
from sevedo.hw.stream.queue import TileQueue

from .classes import Classes
from .recurrence import ClassState, State
from .shapes import LayerShape


@dataclass(frozen=True)
class Latencies:
    """What the units declare.

    Members
    -------
    project : from the last step of a z to its first reading
    expand : from the last step of a group of tiles to the first offer of its sums
    queue : through the queue of residual sums
    finish : from taking sums to offering their outputs
    classes : what that takes more in a layer with integer classes
    """

    project: int
    expand: int
    queue: int
    finish: int
    classes: int

    @classmethod
    def of(cls, config: Config) -> Latencies:
        """As `config` builds the units."""
        output = Finisher.lane_of(config)
        return cls(
            LowRankVectorCore.z_latency(config),
            Expander.latency_of(config),
            TileQueue.LATENCY,
            output.latency,
            output.class_latency,
        )


@dataclass(frozen=True)
class Vector:
    """The vector core on the tiles of one layer.

    Members
    -------
    slots : steps of one pass over the token slots, one rank of L
    project_slots : steps of one pass over the token slots, one input of z
    group : row tiles that are expanded at once
    blocks : blocks of ranks, 0 without a low-rank path
    project_steps : steps of z = V x' for a column tile of tokens and a block of ranks
    expand_steps : steps of L = U z for a group of row tiles
    output_beats : beats of the outputs of a tile
    classes : the integer classes, None for a layer without
    latencies : of the parts
    """

    slots: int
    project_slots: int
    group: int
    blocks: int
    project_steps: int
    expand_steps: int
    output_beats: int
    latencies: Latencies
    classes: Classes | None = None

    @classmethod
    def of(cls, config: Config, shape: LayerShape) -> Vector:
        """As `config` builds it."""
        slots = config.rmc.cols // config.lvc_tokens
        project_slots = config.rmc.cols // config.project_tokens
        return cls(
            slots=slots,
            project_slots=project_slots,
            group=config.lvc_tiles,
            blocks=-(-shape.rank // config.lvc.ranks),
            project_steps=shape.inputs * project_slots,
            expand_steps=shape.rank * slots,
            output_beats=config.rmc.cols // config.lvc.output_tokens,
            latencies=Latencies.of(config),
            classes=Classes.of(config, shape) if shape.int8_rank + shape.int4_rank else None,
        )

    def project(self, projected: int, room: int) -> int:
        """The cycle after the last step of a column tile's z.

        `projected` is that of the one before; the last pass of the first block waits for `room`, a z buffer.
        """
        first = max(projected + self.project_steps, room + self.project_slots)
        return first + (self.blocks - 1) * self.project_steps

    def expand(self, state: State) -> State:
        """L of a group of tiles: its last pass waits for the sums of the group before to be taken."""
        expanded = max(state.expanded + self.expand_steps - self.slots, state.taken) + self.slots
        return state._replace(expanded=expanded, low_rank=expanded - 1 + self.latencies.expand)

    @staticmethod
    def skip(state: State) -> State:
        """Without a low-rank path nothing is waited for."""
        past = state.last_beat
        return state._replace(expanded=past, low_rank=past, taken=past)

    def finish(self, state: State) -> State:
        """The outputs of a tile, a beat a cycle as soon as its sums of all paths are there."""
        begun = max(state.finished, state.low_rank, state.queued + self.latencies.queue)
        if self.classes is None:
            finished, classes = begun + self.output_beats, ClassState.idle(state.last_beat)
        else:
            finished, classes = self.classes.tile(state.classes, begun)
        return state._replace(finished=finished, classes=classes, queue=(*state.queue[1:], finished))

    def drop(self, state: State, missing: int) -> State:
        """A group is done; the sums of tiles that it lacks are dropped."""
        finished = state.finished + missing * self.output_beats
        return state._replace(finished=finished, taken=finished)
