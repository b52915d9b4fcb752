"""Measurements of power as tables, lines and data, several libraries side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

from rich.console import RenderableType
from rich.table import Table

from .report import COUNTED, NOT_COUNTED, PAPER_FJ, PAPER_TOPS_PER_WATT, PowerReport, Run
from .scaling import between

Reports = Mapping[str, PowerReport]


def lines(reports: Reports) -> Iterator[RenderableType]:
    """All that there is to say."""
    first = next(iter(reports.values()))
    yield from _what(first.run)
    yield _parts(reports)
    for label, report in reports.items():
        yield _totals(label, report)
        if report.quantizer is not None:
            q = report.quantizer.as_json(report.clock_ns)
            yield (
                f"[bold]{label}[/], quantizer: {q['fj_per_activation']:,.0f} fJ per activation, "
                f"{q['fj_per_mac']:,.2f} fJ per MAC of the layer's {q['outputs']} outputs"
            )
    if len(first.runs) > 1:
        yield _sensitivity(reports)
    yield _scaled(reports)
    yield f"counted: {'; '.join(COUNTED)}"
    yield f"not counted: {'; '.join(NOT_COUNTED)}"


def data(reports: Reports) -> dict[str, Any]:
    """The figures as plain data, schema 1: of one library its report, of several all of them."""
    if len(reports) == 1:
        return next(iter(reports.values())).as_json()
    found = interpolated(reports)
    return {
        "schema": 1,
        "reports": {label: report.as_json() for label, report in reports.items()},
        "between_libraries": None if found is None else {"fj_per_mac": found, "tops_per_watt": 2000 / found},
    }


def interpolated(reports: Reports) -> float | None:
    """The energy per multiply-accumulate at the target, between the two libraries around it; None without such."""
    target = next(iter(reports.values())).target[0]
    points = sorted((report.nodes[0], report.per_mac) for report in reports.values() if report.nodes)
    for low, high in pairwise(points):
        if low[0] <= target <= high[0] and low[0] < high[0]:
            return between(low, high, target)
    return None


def _what(run: Run) -> Iterator[str]:
    d = run.data
    what = f"{d['model']} {d['layer']}" if d["layer"] else d["meaning"]
    ranks = f"rank {d['rank']} FP16 + {d['int8_rank']} INT8 + {d['int4_rank']} INT4"
    yield (
        f"{what}: {d['tokens']} tokens x {d['inputs']} x {d['outputs']} outputs, {ranks}; "
        f"{run.cycles:,} cycles, array {run.utilization:.1%} useful"
    )
    s = d["statistics"]
    yield (
        f"codes that are 0: activations {s['zero_activation_codes']:.1%}, weights {s['zero_weight_codes']:.1%}; "
        f"operand bits that change in a beat: x {s['x_bits_changing']:.1%}, w {s['w_bits_changing']:.1%}"
    )
    yield (
        f"{run.compared:,} output bits of module instances: gates and Verilog agree; outputs are the golden model's"
    )


def _parts(reports: Reports) -> Table:
    table = Table(title="energy in fJ per INT4 multiply-accumulate, leakage included; of it at clock pins")
    table.add_column("part")
    for label in reports:
        for name in (label, "share", "clock pins"):
            table.add_column(name, justify="right")
    first = next(iter(reports.values())).run
    groups = list(dict.fromkeys(part.group for part in first.parts))
    for group in groups:
        table.add_row(f"[bold]{group}", *_cells(reports, group, None), end_section=False)
        names = [part.name for part in first.parts if part.group == group]
        for name in names:
            table.add_row(f"  {name}", *_cells(reports, group, name), end_section=name == names[-1])
    table.add_row("[bold]all", *_cells(reports, None, None))
    return table


def _cells(reports: Reports, group: str | None, name: str | None) -> Iterator[str]:
    for report in reports.values():
        run = report.run
        scale = run.cycles / run.macs
        chosen = [p for p in run.parts if group in (None, p.group) and name in (None, p.name)]
        total = sum(part.per_cycle(report.clock_ns) for part in chosen) * scale
        yield from (
            f"{total:,.2f}",
            f"{total / report.per_mac:.1%}",
            f"{sum(part.clock for part in chosen) * scale:,.2f}",
        )


def _totals(label: str, report: PowerReport) -> str:
    told = report.run.as_json(report.clock_ns)
    memory, operand = (sum(one["fj_per_mac"] for one in told[key]) for key in ("memories", "operands"))
    estimate = (
        f"; estimated apart: memories of the core {memory:,.1f}, operand memories {operand:,.1f} fJ per MAC"
        if report.nodes
        else ""
    )
    return (
        f"[bold]{label}[/] at {report.volts:g} V, {1000 / report.clock_ns:,.0f} MHz: {told['fj_per_mac']:,.1f} fJ per "
        f"MAC (leakage {told['leakage_fj_per_mac']:,.3f}; clock pins {told['clock_fj_per_mac']:,.1f}, of it in cycles "
        f"without a change {told['idle_clock_fj_per_mac']:,.1f}), {told['tops_per_watt']:.2f} TOPS/W, "
        f"{told['milliwatts']:,.1f} mW, {report.cells:,} cells, {report.area:,.0f} um2{estimate}"
    )


def _sensitivity(reports: Reports) -> Table:
    table = Table(title="other data, fJ per multiply-accumulate")
    for name in ("data", *reports):
        table.add_column(name, justify="left" if name == "data" else "right")
    for index, run in enumerate(next(iter(reports.values())).runs):
        figures = [f"{report.runs[index].per_mac(report.clock_ns):,.2f}" for report in reports.values()]
        table.add_row(str(run.data["meaning"]), *figures)
    return table


def _scaled(reports: Reports) -> Table:
    nm, volts = next(iter(reports.values())).target
    table = Table(
        title=f"told at {nm:g} nm, {volts:g} V: the paper says {PAPER_FJ:g} fJ, {PAPER_TOPS_PER_WATT:g} TOPS/W"
    )
    for name, justify in (("from", "left"), ("rule", "left"), ("fJ per MAC", "right"), ("TOPS/W", "right")):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    for label, report in reports.items():
        for one in report.scaled:
            table.add_row(label, one.rule, f"{one.energy:,.1f}", f"{2000 / one.energy:.2f}")
        if not report.nodes:
            table.add_row(label, "its node is not known by its name", "-", "-")
    if (found := interpolated(reports)) is not None:
        rule = "between the two libraries, linear in logarithms, each at its own supply"
        table.add_row("both", rule, f"{found:,.1f}", f"{2000 / found:.2f}")
    return table
