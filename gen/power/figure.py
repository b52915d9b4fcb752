"""The figure of a measurement: a bar for each library, its parts stacked."""

from __future__ import annotations

import io
from collections.abc import Mapping

from matplotlib.figure import Figure

from .parts import CLASSES, CONTROL, FINISH, LOW_RANK, RESIDUAL
from .report import PowerReport

COLORS = {RESIDUAL: "#0072b2", LOW_RANK: "#e69f00", CLASSES: "#009e73", FINISH: "#cc79a7", CONTROL: "#7f7f7f"}
"""Okabe and Ito's palette: told apart by readers of any colour vision."""


def draw(reports: Mapping[str, PowerReport], kind: str) -> bytes:
    """A PNG or SVG ("png", "svg"): for every library its parts as bars, coloured by group, clock pins hatched."""
    rows = max(len(report.run.parts) for report in reports.values())
    figure = Figure(figsize=(7.5 * len(reports), 1.2 + 0.3 * rows), layout="constrained", dpi=120)
    for index, (label, report) in enumerate(reports.items()):
        axes = figure.add_subplot(1, len(reports), index + 1)
        run = report.run
        scale = run.cycles / run.macs
        parts = sorted(run.parts, key=lambda part: list(COLORS).index(part.group), reverse=True)
        names = [part.name for part in parts]
        values = [part.per_cycle(report.clock_ns) * scale for part in parts]
        colors = [COLORS[part.group] for part in parts]
        axes.barh(range(len(parts)), values, color=colors)
        clocks = [part.clock * scale for part in parts]
        axes.barh(range(len(parts)), clocks, color="none", edgecolor="white", hatch="///", linewidth=0)
        axes.set_yticks(range(len(parts)), names)
        axes.set_xlabel("fJ per INT4 multiply-accumulate; hatched: at clock pins")
        axes.set_title(f"{label}: {report.per_mac:,.1f} fJ", loc="left", fontweight="bold")
        axes.legend(
            [axes.barh([0], [0], color=color) for color in COLORS.values()],
            list(COLORS),
            frameon=False,
            fontsize="small",
        )
    content = io.BytesIO()
    figure.savefig(content, format=kind, metadata={"Software": None} if kind == "png" else {"Date": None})
    return content.getvalue()
