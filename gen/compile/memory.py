"""Where a step's rows, multipliers and codes lie, and which step must be over before they are written.

Two of each are there at a time, so that the next step's are written while a step reads its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from sevedo.gen.config import Config
from sevedo.gen.config.instructions import BY_NAME, code_groups, multiplier_rows

NEVER = -1
"""The step before all others."""

_ROW_BITS = next(f.width for f in BY_NAME["LOAD"].fields if f.name == "row")


def usable_rows(config: Config) -> int:
    """Rows of IOMEM that an instruction can reach."""
    return min(config.iomem_rows, 1 << _ROW_BITS)


class Part(NamedTuple):
    """Rows of a place that can be written at one time.

    Members
    -------
    first, size : its rows
    after : the step that must be over before
    """

    first: int
    size: int
    after: int


@dataclass
class Place:
    """Something in a memory.

    Members
    -------
    first, size : its place
    what : what it is, to be found again
    user : the last step that reads it
    fresh : it must be written before
    parts : what is written, in an order in which no part waits for a later step than the next one
    """

    first: int
    size: int
    what: object
    user: int = NEVER
    fresh: bool = True
    parts: tuple[Part, ...] = ()

    @property
    def end(self) -> int:
        """The row behind it."""
        return self.first + self.size

    def overlaps(self, other: Place) -> bool:
        """Whether both have a row in common."""
        return self.first < other.end and other.first < self.end


class Rows:
    """Activations in IOMEM: from the bottom and from the top in turn, so that two that fit are there together.

    Where two do not fit, the rows that are free already are written first.
    """

    def __init__(self, config: Config) -> None:
        self._lanes, self._rows = config.rmc.lanes, usable_rows(config)
        row_bytes = config.rmc.lanes * config.numbers.data_format.width // 8
        self._step = max(
            config.bus.data_bytes // row_bytes, 1
        )  # rows from one bus word's start to the next one's
        self._there: list[Place] = []

    def take(self, what: object, inputs: int, step: int) -> Place:
        """The place of K numbers of every token that `step` reads."""
        if self._there and self._there[-1].what == what:
            found = self._there[-1]
            found.fresh = False
        else:
            size = -(-inputs // self._lanes)
            top = bool(self._there) and self._there[-1].first == 0
            found = Place(self._rows - size if top else 0, size, what)
            found.parts = self._parts(found)
            self._there = [each for each in self._there if not each.overlaps(found)] + [found]
        found.user = step
        return found

    def _parts(self, place: Place) -> tuple[Part, ...]:
        """The rows that the place before has not, then those that it has too; one of both may be missing."""
        if not self._there:
            return (Part(place.first, place.size, NEVER),)
        *older, before = self._there
        free = max((each.user for each in older if each.overlaps(place)), default=NEVER)
        if not place.overlaps(before):
            return (Part(place.first, place.size, free),)
        step = self._step
        if before.first > place.first:
            cut = place.first + (before.first - place.first) // step * step
            parts = Part(place.first, cut - place.first, free), Part(cut, place.end - cut, before.user)
        else:
            cut = min(place.first + -(-(before.end - place.first) // step) * step, place.end)
            parts = Part(cut, place.end - cut, free), Part(place.first, cut - place.first, before.user)
        return tuple(part for part in parts if part.size)


class Halves:
    """A memory in two halves: who is not in one of them takes the one that was not used last."""

    def __init__(self, size: int) -> None:
        self._places = [Place(half * (size // 2), size // 2, None) for half in (0, 1)]

    def take(self, what: object, step: int) -> Place:
        """The place of `what`, which `step` reads."""
        found = next((each for each in self._places if each.what == what), None)
        if found is not None:
            found.fresh = False
        else:
            found = self._places[0]
            found.what, found.fresh = what, True
            found.parts = (Part(found.first, found.size, found.user),)
        found.user = step
        self._places.remove(found)
        self._places.append(found)
        return found


def multiplier_halves(config: Config) -> Halves:
    """Smoothing multipliers."""
    return Halves(multiplier_rows(config))


def code_halves(config: Config) -> Halves:
    """Codes of quantized activations."""
    return Halves(code_groups(config))
