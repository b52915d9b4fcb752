"""Steps that look only at differences of times, made many times over: their pattern repeats, and is then skipped."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeVar


class ClassState(NamedTuple):
    """What sums of the integer classes wait for.

    Members
    -------
    step : first cycle in which the next step can be made
    ended : the cycle in which the class before ended
    places : of every class, first cycle in which each place of its queue is free, the next to be taken first
    """

    step: int
    ended: int
    places: tuple[tuple[int, ...], ...]

    @classmethod
    def idle(cls, time: int) -> ClassState:
        """Nothing to wait for."""
        return cls(time, time, ())

    def later(self, cycles: int) -> ClassState:
        """The same, so many cycles later."""
        places = tuple(tuple(time + cycles for time in of_class) for of_class in self.places)
        return ClassState(self.step + cycles, self.ended + cycles, places)


class State(NamedTuple):
    """When what a tile waits for is there; cycles count from the one in which the layer's command is taken.

    Members
    -------
    last_beat : the cycle in which the array took the last beat of the tile before
    sums_free : first cycle in which the buffer of the residual sums has room
    queued : the cycle in which the sums of the tile began to enter the queue
    queue : first cycle in which each place of the queue of residual sums is free, the next to be taken first
    expanded : first cycle in which L of the next tiles can be begun
    low_rank : first cycle in which L of the tile is offered
    taken : first cycle in which the buffer of L has room
    finished : first cycle in which sums of the next tile can be taken
    classes : what the integer classes wait for
    """

    last_beat: int
    sums_free: int
    queued: int
    queue: tuple[int, ...]
    expanded: int
    low_rank: int
    taken: int
    finished: int
    classes: ClassState

    def later(self, cycles: int) -> State:
        """The same, so many cycles later."""
        return State(
            self.last_beat + cycles,
            self.sums_free + cycles,
            self.queued + cycles,
            tuple(time + cycles for time in self.queue),
            self.expanded + cycles,
            self.low_rank + cycles,
            self.taken + cycles,
            self.finished + cycles,
            self.classes.later(cycles),
        )


class Projected(NamedTuple):
    """What the projections of the integer classes wait for.

    Members
    -------
    last_beat : the cycle in which their array took the last beat of the block of ranks before
    sums_free : first cycle in which the buffer of its sums has room
    free : first cycle in which each of the buffers of codes is free, the next to be taken first
    """

    last_beat: int
    sums_free: int
    free: tuple[int, int]

    @classmethod
    def idle(cls, time: int) -> Projected:
        """Nothing to wait for."""
        return cls(time, time, (time, time))

    def later(self, cycles: int) -> Projected:
        """The same, so many cycles later."""
        free = self.free[0] + cycles, self.free[1] + cycles
        return Projected(self.last_beat + cycles, self.sums_free + cycles, free)


class Columns(NamedTuple):
    """What a column tile of tokens waits for.

    Members
    -------
    tile : what its first tile waits for
    projected : first cycle in which the first step of z can be made
    z_free : first cycle in which each of the buffers of z is free, the next to be taken first
    classes : what the projections of the integer classes wait for
    """

    tile: State
    projected: int
    z_free: tuple[int, int]
    classes: Projected

    @property
    def last_beat(self) -> int:
        """Of the tile before."""
        return self.tile.last_beat

    def later(self, cycles: int) -> Columns:
        """The same, so many cycles later."""
        free = self.z_free[0] + cycles, self.z_free[1] + cycles
        return Columns(self.tile.later(cycles), self.projected + cycles, free, self.classes.later(cycles))


Times = TypeVar("Times", State, Columns)


def repeat(step: Callable[[Times], Times], state: Times, times: int) -> Times:
    """`step` applied `times` times.

    A step must commute with `later`. When the differences of a state's times have been met before, all that
    came between comes again; whole rounds of it are then added at once.
    """
    seen: dict[Times, tuple[int, int]] = {}
    done = 0
    while done < times:
        differences = state.later(-state.last_beat)
        if differences in seen:
            before, time = seen[differences]
            rounds, left = divmod(times - done, done - before)
            state = state.later(rounds * (state.last_beat - time))
            for _ in range(left):
                state = step(state)
            return state
        seen[differences] = done, state.last_beat
        state = step(state)
        done += 1
    return state
