"""The areas of a report as a treemap, a PNG, SVG or PDF file: a rectangle for all instances of a module in a parent."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import matplotlib
import squarify

from sevedo.gen.files import write_atomically
from sevedo.gen.synth.report import SynthReport, area_tree
from sevedo.gen.synth.show import unit_of

matplotlib.use("Agg")
from matplotlib import pyplot as plt

SIZE = (12.0, 8.0)
"""Inches."""
SMALL = 0.004
"""Rectangles below this share of the whole get no label."""

Box = tuple[float, float, float, float]
"""Left, bottom, width, height."""


def layout(node: Mapping[str, Any], box: Box, depth: int = 0) -> Iterator[tuple[Mapping[str, Any], Box, int]]:
    """Every leaf of a tree of `area_tree` with its rectangle and the number of the branch at the top that it is in."""
    children = sorted(
        (child for child in node["children"] if child["area"] > 0),
        key=lambda one: (-one["area"], one["name"]),
    )
    if not children:
        yield node, box, depth
        return
    left, bottom, width, height = box
    sizes = squarify.normalize_sizes([child["area"] for child in children], width, height)
    for place, (child, one) in enumerate(
        zip(children, squarify.squarify(sizes, left, bottom, width, height), strict=True)
    ):
        inner = (one["x"], one["y"], one["dx"], one["dy"])
        yield from layout(child, inner, depth or place + 1)


def draw(report: SynthReport, path: Path) -> None:
    """Write the treemap of a report; the suffix of the file says in which format.

    Raises
    ------
    FileError : when it cannot be written.
    """
    tree = area_tree(report.modules)
    whole = tree["area"] or 1.0
    figure, axes = plt.subplots(figsize=SIZE)
    colours = plt.get_cmap("tab20")
    for node, (left, bottom, width, height), branch in layout(tree, (0.0, 0.0, SIZE[0], SIZE[1])):
        face = colours((2 * branch + 1) % 20)
        axes.add_patch(plt.Rectangle((left, bottom), width, height, facecolor=face, edgecolor="white"))
        share = node["area"] / whole
        if share > SMALL:
            name = node["module"] if node["name"] != "(own)" else f"{node['module']} itself"
            label = f"{_short(name, width)}\n{node['count']} x, {share:.1%}"
            axes.text(
                left + width / 2,
                bottom + height / 2,
                label,
                ha="center",
                va="center",
                fontsize=min(9, max(4, 20 * share**0.5 + 3)),
                clip_on=True,
                rotation=90 if height > 2.5 * width else 0,
            )
    axes.set_xlim(0, SIZE[0])
    axes.set_ylim(0, SIZE[1])
    axes.axis("off")
    named = report.configuration["name"] or report.configuration["fingerprint"]
    total = f"{tree['area']:,.0f} {unit_of(report.total)}"
    axes.set_title(f"{report.unit} of {named}, {report.target}: {total}, memories not counted")
    content = io.BytesIO()
    figure.savefig(
        content, format=path.suffix.lstrip(".").lower() or "png", bbox_inches="tight", metadata=_no_date(path)
    )
    plt.close(figure)
    write_atomically({path: lambda file: file.write(content.getvalue())})


def _short(name: str, width: float) -> str:
    """A name that is about as long as its rectangle is wide."""
    letters = max(int(width * 11), 6)
    return name if len(name) <= letters else f"{name[: letters - 1]}~"


def _no_date(path: Path) -> dict[str, None] | None:
    """The same report gives the same bytes."""
    return {"Date": None} if path.suffix.lower() == ".svg" else None
