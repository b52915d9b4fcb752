"""A progress bar on stderr, where there is a person to see it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


class Advance(Protocol):
    """Moves a bar."""

    def __call__(self, done: int, total: int | None = None) -> None:
        """How many steps are done; of how many, where that has changed."""


@contextmanager
def progress(total: int, what: str) -> Iterator[Advance]:
    """A bar for `total` steps, with the time left; yields what moves it. Nothing is drawn off a terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=max(total, 1))

        def advance(done: int, total: int | None = None) -> None:
            bar.update(task, completed=done, total=None if total is None else max(total, 1))

        yield advance


@contextmanager
def steps(what: str) -> Iterator[Callable[[str], None]]:
    """Steps of which nobody knows how many there will be; yields a function that takes the name of one that is done."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        done = 0

        def advance(name: str) -> None:
            nonlocal done
            done += 1
            bar.update(task, description=f"{what}: {done} done, last {name[:50]}")

        yield advance
