"""The figure of a comparison: error against area with its Pareto front, energy by part, and memory."""

from __future__ import annotations

import io
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sevedo.gen.compare.result import Row, pareto
from sevedo.gen.compare.silicon import DEQUANTIZATION, DOT

COLORS = {"hgq": "#0072b2", "vs-quant": "#e69f00", "fp-fine": "#d55e00", "mx": "#009e73", "coarse": "#7f7f7f"}
"""Okabe and Ito's palette: told apart by readers of any colour vision."""
PARTS = {
    DOT: "#bbbbbb",
    DEQUANTIZATION[0]: "#56b4e9",
    DEQUANTIZATION[1]: "#0072b2",
    DEQUANTIZATION[2]: "#d55e00",
}
"""Colours of the parts of the energy."""


def draw(rows: Sequence[Row], libraries: Sequence[str]) -> bytes:
    """A PNG: for every library a row of plots (area and error; area by part; energy by part), memory and error last."""
    lines = max(len(libraries), 1)
    figure = Figure(figsize=(15 if libraries else 6, 4.4 * lines), layout="constrained", dpi=120)
    if not libraries:
        _points(figure.add_subplot(), rows, [row.bits for row in rows], "memory, bits per value")
    for line, library in enumerate(libraries):
        axes = [figure.add_subplot(lines, 3, 3 * line + column + 1) for column in range(3)]
        scale, unit = _unit(max(row.silicon[library].area for row in rows))
        _points(axes[0], rows, [row.silicon[library].area * scale for row in rows], f"area, {unit}")
        axes[0].set_title(library, loc="left", fontweight="bold")
        _areas(axes[1], rows, library, scale, unit)
        if all(row.silicon[library].energies for row in rows):
            _energies(axes[2], rows, library)
        else:
            _points(axes[2], rows, [row.bits for row in rows], "memory, bits per value")
    content = io.BytesIO()
    figure.savefig(content, format="png", metadata={"Software": None})
    return content.getvalue()


def _unit(largest: float) -> tuple[float, str]:
    return (1e-6, "mm$^2$") if largest > 1e5 else (1.0, "um$^2$")


def _points(axes: Axes, rows: Sequence[Row], places: Sequence[float], label: str) -> None:
    """Error over something that costs; schemes that nothing beats in both are joined."""
    axes.set_xlabel(label)
    if any(row.error is None for row in rows):
        axes.text(0.5, 0.5, "no errors: the model is not installed", transform=axes.transAxes, ha="center")
        return
    points = [(x, 100 * row.error) for x, row in zip(places, rows, strict=True)]  # type: ignore[operator]
    front = [points[index] for index in pareto(points)]
    axes.step(
        *zip(*front, strict=True),
        where="post",
        color="#999999",
        linestyle="--",
        zorder=1,
        label="Pareto front",
    )
    for row, (x, y) in zip(rows, points, strict=True):
        axes.scatter(x, y, s=70, color=COLORS[row.scheme], zorder=2)
        axes.annotate(row.scheme, (x, y), xytext=(6, 6), textcoords="offset points")
    axes.margins(0.2)
    axes.set_ylabel("relative output error, %")
    axes.legend(frameon=False)


def _stack(axes: Axes, rows: Sequence[Row], parts: dict[str, tuple[str, list[float]]], label: str) -> None:
    base = [0.0] * len(rows)
    names = [row.scheme for row in rows]
    for part, (color, values) in parts.items():
        axes.bar(names, values, bottom=base, label=part, color=color)
        base = [low + value for low, value in zip(base, values, strict=True)]
    axes.set_ylabel(label)
    axes.legend(frameon=False, fontsize="small")
    axes.set_ylim(0, 1.25 * max(base))


def _areas(axes: Axes, rows: Sequence[Row], library: str, scale: float, unit: str) -> None:
    colors = ("#bbbbbb", "#d55e00", "#56b4e9")
    parts = {
        part: (color, [row.silicon[library].areas[part] * scale for row in rows])
        for part, color in zip(rows[0].silicon[library].areas, colors, strict=True)
    }
    _stack(axes, rows, parts, f"area, {unit}")


def _energies(axes: Axes, rows: Sequence[Row], library: str) -> None:
    told = [row.silicon[library].energies or {} for row in rows]
    parts = {part: (color, [one[part] for one in told]) for part, color in PARTS.items()}
    _stack(axes, rows, parts, "fJ per multiply-accumulate")
