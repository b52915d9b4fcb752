"""A scatter plot with round ticks, placed: the page's template draws it in the colours of the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.ticker import MaxNLocator

from sevedo.gen.compare.result import pareto

WIDTH, HEIGHT = 560.0, 330.0
"""Of the drawing, in its own units."""
LEFT, RIGHT, TOP, BOTTOM = 58.0, 16.0, 14.0, 46.0
"""Margins, for axes and their labels."""


@dataclass(frozen=True)
class Mark:
    """A point: its name, and its two figures, less being better in both."""

    name: str
    x: float
    y: float


@dataclass(frozen=True)
class Spot:
    """A point in its place; `best`: no other is better in both. `left`: its name stands left of it."""

    name: str
    tooltip: str
    x: float
    y: float
    best: bool
    left: bool


@dataclass(frozen=True)
class Plot:
    """Ticks as places with labels; the front as the points of a line."""

    across: str
    up: str
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]
    spots: tuple[Spot, ...]
    front: str


def scatter(marks: Sequence[Mark], across: str, up: str) -> Plot:
    """Place at least one point."""
    x_ticks = _ticks([mark.x for mark in marks])
    y_ticks = _ticks([mark.y for mark in marks])

    def x_of(value: float) -> float:
        share = (value - x_ticks[0]) / (x_ticks[-1] - x_ticks[0])
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)

    def y_of(value: float) -> float:
        share = (value - y_ticks[0]) / (y_ticks[-1] - y_ticks[0])
        return round(HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM), 1)

    best = pareto([(mark.x, mark.y) for mark in marks])
    corners: list[tuple[float, float]] = []
    for index in best:
        place = x_of(marks[index].x), y_of(marks[index].y)
        if corners:
            corners.append((place[0], corners[-1][1]))
        corners.append(place)
    spots = tuple(
        Spot(
            mark.name,
            f"{mark.name}: {mark.x:.4g}, {mark.y:.4g}",
            x_of(mark.x),
            y_of(mark.y),
            number in best,
            x_of(mark.x) > 0.75 * WIDTH,
        )
        for number, mark in enumerate(marks)
    )
    return Plot(
        across,
        up,
        tuple((x_of(tick), f"{tick:.6g}") for tick in x_ticks),
        tuple((y_of(tick), f"{tick:.6g}") for tick in y_ticks),
        spots,
        " ".join(f"{x},{y}" for x, y in corners),
    )


def _ticks(values: Sequence[float]) -> list[float]:
    """Round numbers around all values, two at least."""
    low, high = min(values), max(values)
    if low == high:
        low, high = low - (abs(low) or 1) / 10, high + (abs(high) or 1) / 10
    room = (high - low) / 20
    return [
        float(tick)
        for tick in MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10]).tick_values(low - room, high + room)
    ]
