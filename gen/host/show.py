"""Tables of a run: layers, units, and how near it came to what bandwidth and array allow."""

from __future__ import annotations

from collections.abc import Mapping

from rich.box import SIMPLE_HEAD
from rich.table import Table

from sevedo.gen.config.instructions import Unit
from sevedo.sim.activity import State

from .figures import LayerFigures, RunFigures

LEGEND = (
    "cycles: from the end of the layer before to the end of the array's work. array: cycles in which the array takes a "
    "beat. DRAM: bytes to be moved over bandwidth. bound: the larger one; %: its share of the cycles, above 100 where "
    "operands were read ahead. MATMUL has an instruction and waits for: tokens (of an instruction before), operands or "
    "codes, room for its outputs."
)
"""What the columns of `layer_table` mean."""


def layer_table(figures: RunFigures) -> Table:
    """A row for each layer and one for all."""
    table = _table("layers")
    table.add_column("layer", no_wrap=True)
    for name in ("T x K x N", "r", "cycles", "array", "DRAM", "%"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("bound", no_wrap=True)
    for name in ("tokens", "input", "room"):
        table.add_column(name, justify="right", no_wrap=True)
    for each in figures.layers:
        table.add_row(*_layer(figures, each))
    table.add_section()
    bound = figures.bound
    table.add_row(
        "all", "", "", f"{figures.cycles:,}", f"{bound.array:,}", f"{bound.bandwidth:,.0f}",
        _share(bound.cycles, figures.cycles), bound.name, *_waits(figures.states[Unit.MATMUL]),
    )  # fmt: skip
    return table


def counter_table(cycles: int, counters: Mapping[Unit, Mapping[State, int]]) -> Table:
    """What each unit did, as the processor counted it; in cycles and in % of all."""
    table = _table("units")
    table.add_column("unit", no_wrap=True)
    titles = {
        State.BUSY: "busy",
        State.WAITS: "waits for tokens",
        State.STARVED: "for input",
        State.BLOCKED: "for room",
    }
    for title in (*titles.values(), "idle"):
        table.add_column(title, justify="right", no_wrap=True)
    for unit, states in counters.items():
        counts = [states[state] for state in titles]
        rest = cycles - sum(counts)
        table.add_row(unit.name, *(f"{count:,} {_share(count, cycles):>6}" for count in (*counts, rest)))
    return table


def summary(figures: RunFigures, clock_mhz: float | None = None) -> str:
    """Cycles, bytes and the bound in one line."""
    bound, moved = figures.bound, figures.moved
    line = (
        f"{figures.cycles:,} cycles, {sum(moved):,} bytes; bound by {bound.name}: {bound.cycles:,.0f} cycles, "
        f"{_share(bound.cycles, figures.cycles)} % of those taken"
    )
    return (
        line
        if clock_mhz is None
        else f"{line}; {figures.cycles / clock_mhz / 1e3:,.3f} ms at {clock_mhz:g} MHz"
    )


def _layer(figures: RunFigures, each: LayerFigures) -> list[str]:
    layer, bound = each.layer, each.bound
    ranks = [layer.rank, *(rank for rank in (layer.int8_rank, layer.int4_rank) if rank)]
    return [
        layer.name, f"{figures.compiled.tokens} x {layer.inputs} x {layer.outputs}", " + ".join(map(str, ranks)),
        f"{each.cycles:,}", f"{bound.array:,}", f"{bound.bandwidth:,.0f}", _share(bound.cycles, each.cycles),
        bound.name, *_waits(each.states),
    ]  # fmt: skip


def _waits(states: Mapping[State, int]) -> list[str]:
    return [f"{states[state]:,}" for state in (State.WAITS, State.STARVED, State.BLOCKED)]


def _share(part: float, whole: float) -> str:
    return f"{100 * part / whole:.1f}" if whole else "-"


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
