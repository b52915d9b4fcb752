"""A run of quantization: bars on a terminal, lines in a log while it goes; a table of what came out."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

if TYPE_CHECKING:
    from sevedo.ref.flow.store import LayerRecord
    from sevedo.ref.flow.store import Progress as Step
    from sevedo.ref.linear import QuantizedLinear

STAGES = {"calibrate": "calibration", "layer": "layers", "tune": "tuning"}
SECONDS, SHARE = 30.0, 0.1
"""Off a terminal a line is written when so long a time and so large a part of the stage have passed since the last."""


class Lines:
    """Takes the flow's steps and writes a plain line now and then, for logs.

    Parameters
    ----------
    write : takes a line
    clock : seconds
    """

    def __init__(self, write: Callable[[str], object], clock: Callable[[], float] = time.monotonic) -> None:
        self._write, self._clock = write, clock
        self._stage = ""
        self._last = self._told = clock()
        self._start, self._first, self._index = self._told, 0, 0

    def __call__(self, step: Step) -> None:
        now = self._clock()
        if step.stage != self._stage:
            # Layers that an interrupted run kept are not counted: they took no time.
            self._stage, self._start, self._first = step.stage, self._last, step.index - 1
            self._index = self._first
        self._last = now
        if now - self._told < SECONDS or step.index - self._index < SHARE * step.count:
            return
        self._told, self._index = now, step.index
        left = (now - self._start) / (step.index - self._first) * (step.count - step.index)
        parts = (f"{STAGES.get(step.stage, step.stage)} {step.index}/{step.count}", note(step))
        said = ", ".join(part for part in parts if part)
        self._write(f"sevedo: {said}, {timedelta(seconds=round(left))} left")


def note(step: Step) -> str:
    """What a step did: the layer's error before and after, or the loss."""
    if step.stage == "layer":
        return f"{step.name}: {step.before:.2%} -> {step.after:.2%}"
    return f"loss {step.after:.4f}" if step.stage == "tune" else ""


@contextmanager
def bars() -> Iterator[Callable[[Step], None]]:
    """A bar for each stage on stderr, with the layer, its error before and after, and the time left.

    Yields what takes the flow's steps. Off a terminal, `Lines`.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        yield Lines(lambda line: click.echo(line, err=True))
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=console, transient=True) as display:
        tasks: dict[str, TaskID] = {}

        def show(step: Step) -> None:
            stage = STAGES.get(step.stage, step.stage)
            if stage not in tasks:
                tasks[stage] = display.add_task(stage, total=max(step.count, 1), note="")
            display.update(tasks[stage], completed=step.index, total=max(step.count, 1), note=note(step))

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
