"""Which points no other beats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .measures import AREA, SIZE, Figures, Metric


def leading(metrics: Sequence[Metric], figures: Sequence[Figures]) -> list[Metric]:
    """The metrics that points are judged by: leading ones that are known of some point and differ between points.

    Multipliers stand for the area where none was measured.
    """
    found = []
    measured = any(AREA in each for each in figures)
    for metric in metrics:
        if metric.name == SIZE and measured:
            continue
        values = {each[metric.name] for each in figures if metric.name in each}
        if metric.leads and len(values) > 1:
            found.append(metric)
    return found


def costs(metrics: Sequence[Metric], figures: Mapping[str, float]) -> tuple[float, ...] | None:
    """A point by what it costs, less being better in each; None where a figure is missing."""
    if any(metric.name not in figures for metric in metrics):
        return None
    return tuple(figures[metric.name] if metric.less else -figures[metric.name] for metric in metrics)


def front(points: Sequence[tuple[float, ...] | None]) -> list[bool]:
    """Whether each point is on the Pareto front: none is at least as good in all costs and better in one."""
    known = [point for point in points if point is not None]
    return [point is not None and not any(_beats(other, point) for other in known) for point in points]


def _beats(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one != other and all(a <= b for a, b in zip(one, other, strict=True))
