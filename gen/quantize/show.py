"""A run of quantization on the terminal: bars while it goes, a table of what came out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

if TYPE_CHECKING:
    from sevedo.ref.flow.store import LayerRecord
    from sevedo.ref.flow.store import Progress as Step
    from sevedo.ref.linear import QuantizedLinear

STAGES = {"calibrate": "calibration", "layer": "layers", "tune": "tuning"}


@contextmanager
def bars() -> Iterator[Callable[[Step], None]]:
    """A bar for each stage on stderr, with the layer, its error before and after, and the time left.

    Yields what takes the flow's steps. Nothing is drawn off a terminal.
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as display:
        tasks: dict[str, TaskID] = {}

        def show(step: Step) -> None:
            stage = STAGES.get(step.stage, step.stage)
            if stage not in tasks:
                tasks[stage] = display.add_task(stage, total=max(step.count, 1), note="")
            note = ""
            if step.stage == "layer":
                note = f"{step.name}: {step.before:.2%} -> {step.after:.2%}"
            elif step.stage == "tune":
                note = f"loss {step.after:.4f}"
            display.update(tasks[stage], completed=step.index, total=max(step.count, 1), note=note)

        yield show


def kind_of(name: str) -> str:
    """A layer's name without the number of its block: what it shares with its like."""
    return re.sub(r"(^|\.)\d+(?=\.|$)", r"\1*", name)


def table(layers: Mapping[str, QuantizedLinear], records: Mapping[str, LayerRecord]) -> Table:
    """A row for every kind of layer: sizes, ranks, and the mean error before and after."""
    kinds: dict[str, list[str]] = {}
    for name in layers:
        kinds.setdefault(kind_of(name), []).append(name)
    found = Table()
    found.add_column("layers", no_wrap=True)
    for heading in ("number", "K x N", "rank", "error, plain", "error", "worst"):
        found.add_column(heading, justify="right", no_wrap=True)
    for kind, names in kinds.items():
        known = [records[name] for name in names if name in records]
        sizes = sorted({(layers[name].inputs, layers[name].outputs) for name in names})
        ranks = sorted({_ranks(layers[name]) for name in names})
        found.add_row(
            kind,
            str(len(names)),
            ", ".join(f"{k} x {n}" for k, n in sizes),
            ", ".join(ranks),
            f"{_mean([r.before for r in known]):.2%}",
            f"{_mean([r.after for r in known]):.2%}",
            f"{max((r.after for r in known), default=0.0):.2%}",
        )
    return found


def _ranks(layer: QuantizedLinear) -> str:
    return " + ".join(str(rank) for rank in (layer.rank, *(part.ranks for part in layer.classes)))


def _mean(values: list[Any]) -> float:
    return sum(values) / len(values) if values else 0.0
