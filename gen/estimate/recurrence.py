"""Steps that look only at differences of times, made many times over: their pattern repeats, and is then skipped."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class State(NamedTuple):
    """When what a tile waits for is there; cycles count from the one in which the layer's command is taken.

    Members
    -------
    last_beat : the cycle in which the array took the last beat of the tile before
    sums_free : first cycle in which the buffer of the residual sums has room
    vector_free : first cycle in which the vector core can make a step
    outputs_free : first cycle in which the buffer of the outputs has room
    """

    last_beat: int
    sums_free: int
    vector_free: int
    outputs_free: int

    def later(self, cycles: int) -> State:
        """The same, so many cycles later."""
        return State(*(time + cycles for time in self))


def repeat(step: Callable[[State], State], state: State, times: int) -> State:
    """`step` applied `times` times.

    A step must commute with `State.later`. When the differences of a state's times have been met before, all that
    came between comes again; whole rounds of it are then added at once.
    """
    seen: dict[State, tuple[int, int]] = {}
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
