"""When the integer classes of the low-rank path make their steps: the model of hw/lvc/classes.py."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from sevedo.gen.config import Config
from sevedo.hw.lvc.classes import IntegerClasses
from sevedo.hw.lvc.int_expander import IntegerExpander
from sevedo.hw.lvc.int_projector import IntegerProjector

from .array import coarse_groups
from .recurrence import ClassState, Projected
from .shapes import LayerShape


@dataclass(frozen=True)
class Classes:
    """The integer classes on the tiles of one layer; only those that it has.

    Members
    -------
    projections : of a column tile, beats of every block of ranks, in their order
    tokens : beats of the z of a block of ranks
    steps : of every class, steps of a block of tokens
    share : cycles that are at least between the ends of two classes
    parts : blocks of tokens of a tile
    part_beats : output beats of one of them
    project : from the last beat of a block of ranks to the first offer of its z
    codes : from the last z of a column tile to the first step with its codes
    expand : from the last step of a class and block of tokens to the first offer of its sums
    depth : blocks of sums that each class has places for
    """

    projections: tuple[int, ...]
    tokens: int
    steps: tuple[int, ...]
    share: int
    parts: int
    part_beats: int
    project: int
    codes: int
    expand: int
    depth: int

    @classmethod
    def of(cls, config: Config, shape: LayerShape) -> Classes:
        """As `config` builds them."""
        lvc, cols = config.lvc, config.rmc.cols
        beats = coarse_groups(config, shape) * config.beats
        projections: list[int] = []
        steps = []
        for each in config.rank_classes:
            if ranks := getattr(shape, f"{each.name}_rank"):
                projections += [2 * each.digits * beats] * -(-ranks // lvc.int_ranks)
                steps.append(config.class_steps(each.digits, ranks))
        project, expand, depth = _declared(config)
        return cls(
            tuple(projections),
            cols,
            tuple(steps),
            config.class_share,
            cols // lvc.int_tokens,
            lvc.int_tokens // lvc.output_tokens,
            project,
            IntegerClasses.Z_LATENCY,
            expand,
            depth,
        )

    def start(self, cycle: int) -> ClassState:
        """Before the first step, which `cycle` can take."""
        places = tuple((cycle,) * self.depth for _ in self.steps)
        return ClassState(cycle, cycle - self.share, places)

    def column(self, state: Projected) -> tuple[Projected, int]:
        """Codes of a column tile, and the first cycle in which they can be read.

        The array waits for its sums to be taken, these for a buffer of codes.
        """
        last_beat, sums_free, taken = state.last_beat, state.sums_free, 0
        for beats in self.projections:
            last_beat = max(last_beat + beats, sums_free)
            taken = max(last_beat + self.project, state.free[0])
            sums_free = taken + self.tokens
        return state._replace(last_beat=last_beat, sums_free=sums_free), sums_free - 1 + self.codes

    def tile(self, state: ClassState, begun: int) -> tuple[int, ClassState]:
        """Steps and outputs of a tile, part by part, when everything else is there at `begun`: first cycle in which
        sums of the next tile can be taken.
        """
        step, ended, places = state.step, state.ended, list(state.places)
        finished = begun
        for _ in range(self.parts):
            for index, steps in enumerate(self.steps):
                ended = max(step + steps - 1, ended + self.share, places[index][0])
                step = ended + 1
                finished = max(finished, ended + self.expand)
            finished += self.part_beats
            places = [(*of_class[1:], finished) for of_class in places]
        return finished, ClassState(step, ended, tuple(places))


@lru_cache
def _declared(config: Config) -> tuple[int, int, int]:
    """What the units declare, two latencies and a depth; kept, since to make their ports takes longer than the rest."""
    expander = IntegerExpander(config)
    return IntegerProjector(config).latency, expander.latency, expander.depth
