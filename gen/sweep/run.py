"""A sweep run: what is missing measured, in parallel through joblib, and each result kept at once."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from joblib import Parallel, delayed, effective_n_jobs
from joblib.parallel import get_active_backend

from sevedo.gen.config import Config, ConfigError

from .grid import Point
from .measures import Figures, Measure
from .store import Store

DONE, REFUSED, FAILED = "done", "refused", "failed"
"""How a measurement ends: with figures; with a rule that the configuration breaks; with a tool that failed."""


@dataclass(frozen=True)
class Task:
    """A measurement that points share.

    Members
    -------
    measure : what is measured
    key : what it is known by
    config : a configuration that has it
    """

    measure: Measure
    key: str
    config: Config


@dataclass(frozen=True)
class Result:
    """What came out of a task."""

    task: Task
    status: str
    message: str
    figures: Figures
    seconds: float


@dataclass(frozen=True)
class Summary:
    """How a run ended.

    Members
    -------
    points, invalid : of the grid, and those that are no configuration
    kept, made : measurements that were there already, and that were made now
    failed : lines about tools that failed, and about points that a measure refuses
    refused : likewise
    """

    points: int
    invalid: int
    kept: int
    made: int
    failed: tuple[str, ...]
    refused: tuple[str, ...]


def sweep(
    points: Sequence[Point],
    measures: Sequence[Measure],
    store: Store,
    description: Mapping[str, Any],
    *,
    jobs: int | None = None,
    advance: Callable[[int, int], None] = lambda done, total: None,
) -> Summary:
    """Measure what the store does not have yet.

    Work goes to the backend that is set: processes by default, another inside ``joblib.parallel_config(backend=...)``.

    Parameters
    ----------
    points, measures : every valid point is measured by every measure
    store : where results are and go
    description : of the sweep, plain data, kept with it
    jobs : at once, as joblib takes them: -1 is one for each processor or worker; None: what is set
    advance : called with how many measurements are made, of how many that were missing
    """
    store.begin(description, points, measures)
    wanted: dict[tuple[str, str], Task] = {}
    for point in points:
        for measure in measures if point.config is not None else ():
            assert point.config is not None
            key = measure.key(point.config)
            wanted.setdefault((measure.name, key), Task(measure, key, point.config))
    known = store.done()
    tasks = [task for name, task in wanted.items() if known.get(name, (FAILED,))[0] == FAILED]
    advance(0, len(tasks))
    for done, result in enumerate(_results(tasks, jobs), start=1):
        task = result.task
        store.put(task.measure.name, task.key, result.status, result.message, result.figures, result.seconds)
        advance(done, len(tasks))
    ended = store.done()
    told = {status: _lines(wanted, ended, status) for status in (FAILED, REFUSED)}
    invalid = sum(point.config is None for point in points)
    return Summary(len(points), invalid, len(wanted) - len(tasks), len(tasks), told[FAILED], told[REFUSED])


def _lines(
    wanted: Mapping[tuple[str, str], Task], ended: Mapping[Any, tuple[str, str]], status: str
) -> tuple[str, ...]:
    return tuple(f"{name[0]}: {ended[name][1]}" for name in wanted if ended.get(name, ("",))[0] == status)


def _results(tasks: Sequence[Task], jobs: int | None) -> Iterator[Result]:
    """Results as they come, in any order; one task a batch, so that no finished one waits for another.

    A backend that gives results only all at once (Ray's) gets rounds of as many tasks as it has workers.
    """
    backend, set_jobs = get_active_backend()
    if not backend.supports_return_generator:
        workers = effective_n_jobs(set_jobs if jobs is None else jobs)
        for start in range(0, len(tasks), workers):
            yield from Parallel(n_jobs=jobs, batch_size=1)(
                delayed(work)(t) for t in tasks[start : start + workers]
            )
        return
    parallel = Parallel(n_jobs=jobs, return_as="generator_unordered", batch_size=1)
    results = parallel(delayed(work)(task) for task in tasks)
    try:
        yield from results
    finally:
        results.close()  # an interrupt does not wait for what is in flight


def work(task: Task) -> Result:
    """One measurement, wherever it runs; what goes wrong is told, not raised, and stops nothing else."""
    if multiprocessing.current_process().name.startswith(_LOKY):
        _obey_parent()
    start = time.perf_counter()
    status, message, figures = DONE, "", {}
    try:
        figures = task.measure(task.config)
    except ConfigError as error:
        status, message = REFUSED, str(error)
    except Exception as error:
        status, message = FAILED, f"{type(error).__name__}: {' '.join(str(error).split())}"[-500:]
        if log := getattr(error, "log", None):
            message += f"; log: {os.fspath(log)}"
    return Result(task, status, message, figures, round(time.perf_counter() - start, 3))


_LOKY = "LokyProcess"


@cache
def _obey_parent() -> None:
    """Once in each worker process of this machine: the process that keeps the results decides how long it lives.

    Ctrl-C reaches every process of a terminal, and only that one is to act on it. When it is killed, joblib's workers
    would wait for minutes for more work.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
