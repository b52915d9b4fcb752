"""The figure of an evaluation: what is left of each model against the memory of a value."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sevedo.gen.compare.figure import COLORS
from sevedo.gen.evaluate.case import FP32, Row

SUFFIXES = (".svg", ".png")
"""Formats, by the file's suffix."""
LABELS = {"perplexity": "perplexity", "cosine": "mean cosine to FP32"}


def draw(rows: Mapping[str, Sequence[Row]], units: Mapping[str, str], suffix: str) -> bytes:
    """A plot for every model: its figure over the bits of a value; equal rows give equal bytes.

    Parameters
    ----------
    rows : by model
    units : the figure that is drawn, by model
    suffix : one of `SUFFIXES`
    """
    figure = Figure(figsize=(6.4 * len(rows), 4.6), layout="constrained", dpi=120)
    for number, (model, found) in enumerate(rows.items()):
        _points(figure.add_subplot(1, len(rows), number + 1), model, found, units[model])
    content = io.BytesIO()
    metadata = {"Date": None} if suffix == ".svg" else {"Software": None}
    # Identifiers in an SVG are random without a salt.
    with mpl.rc_context({"svg.hashsalt": "sevedo"}):
        figure.savefig(content, format=suffix[1:], metadata=metadata)
    return content.getvalue()


def _points(axes: Axes, model: str, rows: Sequence[Row], unit: str) -> None:
    """Full marks: attention in floating point; hollow ones: its products quantized too."""
    axes.set_title(model, loc="left", fontweight="bold")
    axes.set_xlabel("memory, bits per value (mean of activation and weight)")
    axes.set_ylabel(LABELS[unit])
    trained = [row for row in rows if row.label == FP32 and row.attention == "float"]
    for row in trained:
        axes.axhline(row.figures[unit], color="#999999", linestyle="--", zorder=1)
        axes.annotate(
            "FP32", (1, row.figures[unit]), xycoords=("axes fraction", "data"), ha="right", va="bottom"
        )
    shown = [row for row in rows if row.scheme is not None and math.isfinite(row.figures[unit])]
    for row in shown:
        place, color = (sum(row.bits) / 2, row.figures[unit]), COLORS.get(str(row.scheme), "#000000")
        inside = color if row.attention == "float" else "none"
        axes.scatter(*place, s=70, facecolors=inside, edgecolors=color, linewidths=1.6, zorder=2)
        axes.annotate(Path(row.label).name, place, xytext=(6, 6), textcoords="offset points")
    for inside, text in (("#555555", "attention in float"), ("none", "attention quantized too")):
        axes.scatter([], [], s=50, facecolors=inside, edgecolors="#555555", label=text)
    if any(row.attention != "float" for row in shown):
        axes.legend(frameon=False, fontsize="small")
    values = [row.figures[unit] for row in (*shown, *trained)]
    if unit == "perplexity" and values and max(values) > 10 * min(values) > 0:
        axes.set_yscale("log")
    axes.margins(0.25)
