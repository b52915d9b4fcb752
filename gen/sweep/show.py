"""A sweep as a table."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from .grid import Point
from .measures import Figures, Metric
from .pareto import costs, front

PARETO = "*"


def table(
    points: Sequence[Point], figures: Sequence[Figures], metrics: Sequence[Metric], judged: Sequence[Metric]
) -> Table:
    """A row a point: the fields of the grid, every metric that is known of any, and whether nothing beats it.

    Parameters
    ----------
    points, figures : side by side
    metrics : the columns
    judged : those that the Pareto front is over
    """
    shown = [metric for metric in metrics if any(metric.name in each for each in figures)]
    made = Table(
        title=f"* nothing is better in all of: {', '.join(each.name for each in judged)}" if judged else None
    )
    made.title_justify = "left"
    made.add_column("")
    for name, _ in points[0].settings:
        made.add_column(name, justify="right")
    for metric in shown:
        made.add_column(f"{metric.name}\n{'' if metric.unit == '1' else metric.unit}", justify="right")
    best = front([costs(judged, each) for each in figures]) if judged else [False] * len(points)
    for point, each, on_front in zip(points, figures, best, strict=True):
        made.add_row(
            PARETO if on_front else "",
            *(str(value) for _, value in point.settings),
            *(number(each.get(metric.name), metric) for metric in shown),
            style="bold" if on_front else None if point.config is not None else "dim",
        )
    return made


def number(value: float | None, metric: Metric) -> str:
    """A figure as a reader wants it: whole numbers whole, others to four digits."""
    if value is None:
        return "-"
    if metric.unit in ("cycles", "products", "um2"):
        return f"{value:,.0f}"
    return f"{value:.4g}"
