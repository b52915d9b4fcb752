"""A report of `sevedo synth` in a terminal: modules, memories, timing, place and route."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from sevedo.gen.synth.report import Figures, ModuleFigures, SynthReport, Timing, size

_STEPS = 12
"""Modules of the critical path that are shown."""


def show(report: SynthReport, console: Console) -> None:
    """Print a report."""
    console.print(Group(*_parts(report)), highlight=False)


def _parts(report: SynthReport) -> Iterator[RenderableType]:
    configuration, library = report.configuration, report.library
    of = f" of {configuration['name']}" if configuration["name"] else ""
    cells = f", {', '.join(library['names'])}" if library else ""
    yield Text(f"{report.unit}{of} ({configuration['fingerprint']}), target {report.target}{cells}")
    yield _modules(report)
    if report.memories:
        yield _memories(report)
    if report.timing:
        yield from _timing(report.timing)
    if report.placed:
        yield from _placed(report.placed)


def _columns(report: SynthReport) -> list[tuple[str, str]]:
    """Figures that apply to the target, and what heads their columns."""
    if report.library:
        return [("area", "um2 each"), ("gate_equivalents", "GE each"), ("flip_flops", "flip-flops")]
    if report.target == "generic":
        return [("gate_equivalents", "GE each"), ("cells", "gates"), ("flip_flops", "flip-flops")]
    names = ("luts", "dsps", "block_rams", "flip_flops")
    return list(zip(names, ("LUT", "DSP", "block RAM", "flip-flops"), strict=True))


def _modules(report: SynthReport) -> Table:
    columns = _columns(report)
    first = columns[0][0]
    table = Table("module", title="logic, every module without those below it", title_justify="left")
    table.add_column("count", justify="right")
    for _, head in columns:
        table.add_column(head, justify="right")
    table.add_column("all", justify="right")
    table.add_column("share", justify="right")
    whole = getattr(report.total, first) or 0.0
    for row in sorted(report.modules, key=lambda one: -one.count * (getattr(one.figures, first) or 0)):
        each = getattr(row.figures, first) or 0.0
        table.add_row(
            row.name,
            f"{row.count:,}",
            *(_number(getattr(row.figures, name)) for name, _ in columns),
            _number(row.count * each),
            f"{row.count * each / whole:.1%}" if whole else "-",
        )
    table.add_section()
    table.add_row(
        "total", "", *(_number(getattr(report.total, name)) for name, _ in columns), _number(whole), "100.0%"
    )
    return table


def _memories(report: SynthReport) -> Table:
    title = (
        "memories, apart from logic"
        if not _in_figures(report)
        else "memories, which are in the figures above"
    )
    table = Table("memory in", title=title, title_justify="left")
    for head in ("words", "bits", "count", "kbit", "um2, estimated"):
        table.add_column(head, justify="right")
    table.add_column("by")
    for row in report.memories:
        sizes = (f"{row.depth:,}", f"{row.width:,}", f"{row.instances:,}", f"{row.bits / 1024:,.1f}")
        table.add_row(row.module, *sizes, _number(row.area_um2), row.model or "-")
    known = [row.area_um2 for row in report.memories if row.area_um2 is not None]
    bits = sum(row.bits for row in report.memories)
    table.add_section()
    table.add_row("total", "", "", "", f"{bits / 1024:,.1f}", _number(sum(known) if known else None), "")
    return table


def _in_figures(report: SynthReport) -> bool:
    return report.library is None and report.target != "generic"


def _timing(timing: Timing) -> Iterator[RenderableType]:
    asked = ""
    if timing.slack_ns is not None:
        met = "met" if timing.met else "NOT met"
        asked = f"; {timing.clock_ns:g} ns asked for: {met}, slack {timing.slack_ns:.3f} ns"
    yield Text(f"critical path {timing.critical_ns:.3f} ns, {1000 / timing.critical_ns:,.1f} MHz{asked}")
    table = Table("through", title="critical path by module, without wires", title_justify="left")
    for head in ("cells", "ns"):
        table.add_column(head, justify="right")
    for row in timing.by_module[:_STEPS]:
        table.add_row(row.module, str(row.cells), f"{row.delay_ns:.3f}")
    yield table
    yield Text(f"from {timing.path[0].instance} to {timing.path[-1].instance}, {len(timing.path)} steps")


def _placed(placed: Mapping) -> Iterator[RenderableType]:
    seeds = ", ".join(f"{mhz:.1f}" if mhz else "-" for mhz in placed["mhz_by_seed"].values())
    worst = f"{placed['worst_mhz']:.1f} MHz" if placed["worst_mhz"] else "no clock"
    yield Text(f"{placed['device']}, placed and routed without pins: {worst} in the worst of seeds ({seeds})")
    for kind, numbers in placed["utilization"].items():
        used, available = numbers["used"], numbers["available"]
        yield Text(f"  {kind}: {used:,} of {available:,} ({used / max(available, 1):.1%})")


def _number(value: float | None) -> str:
    """A figure with as many digits as it has a use for."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 1000 or value == int(value) else f"{value:,.1f}"


def largest(report: SynthReport) -> ModuleFigures:
    """The module that takes most, all instances together."""
    return max(report.modules, key=lambda one: one.count * (size(one.figures) or 0.0))


def unit_of(figures: Figures) -> str:
    """What `size` is told in."""
    if figures.area is not None:
        return "um2"
    return "LUT" if figures.luts is not None else "gates"
