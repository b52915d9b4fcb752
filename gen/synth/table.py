"""The table of `sevedo bench`: area and delay of units beside their marks."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from sevedo.gen.synth.bench import Mark, Result

_MET = {True: "yes", False: "no", None: "-"}


def table(results: Sequence[Result]) -> Table:
    """A row for each result."""
    columns = Table("unit", "")
    for head in ("area um2", "delay ns", "mark"):
        columns.add_column(head, justify="right")
    columns.add_column("reference")
    columns.add_column("met")
    # in the newest nodes a gate has less than 0.1 um2 and takes a few ps
    fine = max(result.measurement.area for result in results) < 1000
    for result in results:
        measurement, mark = result.measurement, result.mark
        columns.add_row(
            result.unit.name,
            result.unit.what,
            f"{measurement.area:,.{1 if fine else 0}f}",
            "-" if measurement.delay is None else f"{measurement.delay:.{3 if fine else 2}f}",
            _asked(mark) if mark else "",
            mark.reference if mark else "",
            _MET[mark.met(measurement)] if mark else "",
        )
    return columns


def _asked(mark: Mark) -> str:
    """The mark in words."""
    area = f"{mark.area:,.0f} um2" if mark.area is not None else ""
    delay = f"{mark.delay} ns" if mark.delay is not None else ""
    return ", ".join(filter(None, (area, delay))) + (f" = {mark.factor} x {mark.of}" if mark.of else "")
