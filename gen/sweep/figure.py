"""The Pareto plot of a sweep."""

from __future__ import annotations

import io
from collections.abc import Sequence

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sevedo.gen.compare.figure import COLORS

from .grid import Point
from .measures import Figures, Metric
from .pareto import costs, front

SUFFIXES = (".svg", ".png")
"""Formats, by the file's suffix."""

PALETTE = ("#0072b2", "#d55e00", "#009e73", "#e69f00", "#cc79a7", "#56b4e9", "#7f7f7f", "#000000")
"""Okabe and Ito's: told apart by readers of any colour vision."""

MARKS = "osD^vP*X"
MOST_LABELS = 16
"""A legend with more lines would be larger than the plot."""


def draw(
    points: Sequence[Point], figures: Sequence[Figures], pairs: Sequence[tuple[Metric, Metric]], suffix: str
) -> bytes:
    """A plot for every pair of metrics; equal results give equal bytes.

    Colours tell the values of the first field of the grid, marks those of the second; the front is joined, and its
    points are labelled with the other fields where there are few.

    Parameters
    ----------
    points, figures : side by side; points without a figure are left out
    pairs : metrics along x and y
    suffix : one of `SUFFIXES`
    """
    columns = min(len(pairs), 3)
    rows = -(-len(pairs) // columns)
    figure = Figure(figsize=(5.6 * columns, 4.6 * rows), layout="constrained", dpi=120)
    for place, (x, y) in enumerate(pairs):
        _plot(figure.add_subplot(rows, columns, place + 1), points, figures, x, y)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    if len(labels) <= MOST_LABELS:
        figure.legend(
            handles, labels, loc="outside lower center", ncols=2 * columns, frameon=False, fontsize=8
        )
    content = io.BytesIO()
    metadata = {"Date": None} if suffix == ".svg" else {"Software": None}
    with mpl.rc_context({"svg.hashsalt": "sevedo"}):
        figure.savefig(content, format=suffix[1:], metadata=metadata)
    return content.getvalue()


def _plot(axes: Axes, points: Sequence[Point], figures: Sequence[Figures], x: Metric, y: Metric) -> None:
    shown = [
        (point, each) for point, each in zip(points, figures, strict=True) if costs((x, y), each) is not None
    ]
    places = [(each[x.name], each[y.name]) for _, each in shown]
    best = front([costs((x, y), each) for _, each in shown])
    line = sorted({place for place, on_front in zip(places, best, strict=True) if on_front})
    axes.step(*zip(*line, strict=True), where="post", color="#999999", linestyle="--", zorder=1)
    colors, marks = (_kinds([point for point, _ in shown], place) for place in (0, 1))
    for (point, _), place, on_front in zip(shown, places, best, strict=True):
        color = _color(point, colors)
        mark = MARKS[marks.index(point.settings[1][1]) % len(MARKS)] if marks else MARKS[0]
        axes.scatter(
            *place, s=52, marker=mark, facecolors=color if on_front else "none", edgecolors=color, zorder=2
        )
    if len(line) <= 8:
        _label_front(axes, [point for point, _ in shown], places, best)
    for value in colors:
        color = COLORS.get(str(value), PALETTE[colors.index(value) % len(PALETTE)])
        axes.scatter([], [], s=40, color=color, label=f"{points[0].settings[0][0]} = {value}")
    for number, value in enumerate(marks):
        label = f"{points[0].settings[1][0]} = {value}"
        axes.scatter([], [], s=40, marker=MARKS[number % len(MARKS)], color="#555555", label=label)
    axes.set_xlabel(_label(x))
    axes.set_ylabel(_label(y))
    if _wide([place[0] for place in places]):
        axes.set_xscale("log")
    if _wide([place[1] for place in places]):
        axes.set_yscale("log")
    axes.margins(0.15)
    axes.set_title("filled: nothing is better in both", loc="left", fontsize=8)


def _label_front(
    axes: Axes, points: Sequence[Point], places: Sequence[tuple[float, float]], best: Sequence[bool]
) -> None:
    """The values of the points of the front; of several in one place, the first's, and how many more there are."""
    names: dict[tuple[float, float], list[str]] = {}
    for point, place, on_front in zip(points, places, best, strict=True):
        if on_front:
            names.setdefault(place, []).append(", ".join(str(value) for _, value in point.settings))
    for place, (first, *more) in names.items():
        text = first + (f" + {len(more)}" if more else "")
        axes.annotate(text, place, xytext=(5, 5), textcoords="offset points", fontsize=7)


def _label(metric: Metric) -> str:
    return f"{metric.name}{'' if metric.unit == '1' else f', {metric.unit}'}"


def _wide(values: Sequence[float]) -> bool:
    """Whether they want a logarithmic axis."""
    return min(values) > 0 and max(values) > 8 * min(values)


def _kinds(points: Sequence[Point], place: int) -> list[object]:
    """The values of a field of the grid, in order; none where there is no such field."""
    if len(points[0].settings) <= place:
        return []
    return list(dict.fromkeys(point.settings[place][1] for point in points))


def _color(point: Point, values: Sequence[object]) -> str:
    value = point.settings[0][1]
    return COLORS.get(str(value), PALETTE[values.index(value) % len(PALETTE)])
