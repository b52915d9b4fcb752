"""Sweeps run: each measurement once, all kept at once, on threads, processes and a Dask cluster."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import joblib
import pytest
from sweeping import Size

from sevedo.gen.config import preset
from sevedo.gen.sweep import figure
from sevedo.gen.sweep.errors import SweepError
from sevedo.gen.sweep.grid import Axis, Grid, Point
from sevedo.gen.sweep.measures import Metric
from sevedo.gen.sweep.pareto import costs, front, leading
from sevedo.gen.sweep.run import Summary, sweep
from sevedo.gen.sweep.store import SCHEMA, Store


def points(*axes: str) -> list[Point]:
    """Points on the smallest preset, without integer classes: 1, 2, 4 rows and columns fit it."""
    base = preset("tiny").replace(lvc__output_tokens=1, lvc__int8_ranks=0, lvc__int4_ranks=0)
    return list(Grid(base, tuple(map(Axis.parse, axes))).points())


def run(where: list[Point], measure: Size, path: Path, jobs: int = 2) -> Summary:
    """A run on threads."""
    with Store(path) as store, joblib.parallel_config(backend="threading"):
        return sweep(where, [measure], store, {"what": "test"}, jobs=jobs)


def test_a_point_is_measured_once_and_a_second_run_only_reads(tmp_path: Path) -> None:
    measure, path = Size(str(tmp_path / "calls")), tmp_path / "s.sqlite"
    small = points("rmc.rows=1,2,3", "rmc.cols=1,2")
    first = run(small, measure, path)
    assert (first.points, first.invalid, first.kept, first.made) == (
        6,
        2,
        0,
        4,
    )  # 4 lanes are no multiple of 3 rows
    second = run(points("rmc.rows=1,2", "rmc.cols=1,2,4"), measure, path)
    assert (second.points, second.kept, second.made) == (6, 4, 2)
    calls = Counter((tmp_path / "calls").read_text().split("\n")[:-1])
    assert calls == Counter(["1 1", "1 2", "2 1", "2 2", "1 4", "2 4"])


def test_points_that_agree_share_a_measurement(tmp_path: Path) -> None:
    measure, path = Size(str(tmp_path / "calls"), rows_only=True), tmp_path / "s.sqlite"
    summary = run(points("rmc.rows=1,2", "rmc.cols=1,2,4"), measure, path)
    assert (summary.points, summary.made) == (6, 2)
    rows = sqlite3.connect(path).execute('SELECT "rmc.rows", count(pes) FROM results GROUP BY 1').fetchall()
    assert rows == [(1, 3), (2, 3)]


def test_what_fails_and_what_is_refused_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measure, path = Size(str(tmp_path / "calls")), tmp_path / "s.sqlite"
    grid = points("rmc.cols=5,6,7", "lvc.lanes=4")
    summary = run(grid, measure, path)
    assert summary.failed == ("size: RuntimeError: the tool crashed",)
    assert summary.refused == ("size: rmc.cols=6 must be another number",)
    again = run(grid, measure, path)
    assert (again.kept, again.made) == (2, 1), "what failed is tried again, what is refused is not"
    monkeypatch.setenv("SEVEN", "1")
    assert run(grid, measure, path).failed == ()
    view = sqlite3.connect(path).execute('SELECT "rmc.cols", pes FROM results').fetchall()
    assert view == [(5, 20.0), (6, None), (7, 28.0)]


def test_the_file_says_what_everything_is(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    run(points("rmc.rows=1,3"), Size(str(tmp_path / "calls")), path)
    db = sqlite3.connect(path)
    tables = {
        name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")
    }
    assert tables == {
        "sweeps",
        "points",
        "measurements",
        "figures",
        "point_measurements",
        "metrics",
        "results",
    }
    page = Path(__file__).parents[3].joinpath("docs/sweep.md").read_text()
    for table in tables:
        assert f"`{table}`" in page
        for _, column, *_ in db.execute(f"PRAGMA table_info({table})") if table != "results" else ():
            assert f"`{column}`" in page, f"{table}.{column} is not documented"
    assert db.execute("PRAGMA user_version").fetchone() == (SCHEMA,)
    assert db.execute("SELECT valid, rule FROM results").fetchall() == [
        (1, None),
        (0, "lvc.lanes=16 must be a multiple of rmc.rows=3"),
    ]
    assert db.execute("SELECT unit, less_is_better FROM metrics WHERE metric = 'pes'").fetchone() == ("PE", 1)


def test_a_file_that_is_none_of_ours_is_left_alone(tmp_path: Path) -> None:
    text, other = tmp_path / "notes.txt", tmp_path / "other.sqlite"
    text.write_text("something of mine, long enough to be looked at as a database header would be " * 4)
    with sqlite3.connect(other) as db:
        db.execute("CREATE TABLE mine (x)")
    for path, rule in ((text, "file is not a database"), (other, "it is another database")):
        before = path.read_bytes()
        with pytest.raises(SweepError, match=rule):
            Store(path)
        assert path.read_bytes() == before


_SCRIPT = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from sweeping import Size
from test_sweep_run import points
from sevedo.gen.sweep.run import sweep
from sevedo.gen.sweep.store import Store
with Store(Path(sys.argv[2])) as store:
    sweep(points("rmc.rows=1,2,4", "rmc.cols=1,2,4,8"), [Size(sys.argv[3], seconds=0.4)], store, {}, jobs=2)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_an_interrupted_sweep_loses_at_most_what_was_in_flight(how: signal.Signals, tmp_path: Path) -> None:
    path, calls = tmp_path / "s.sqlite", tmp_path / "calls"
    here = str(Path(__file__).parent)
    process = subprocess.Popen(
        [sys.executable, "-c", _SCRIPT, here, str(path), str(calls)],
        stderr=subprocess.PIPE,
        # a test runner that ignores SIGINT must not teach it to this
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    deadline = time.monotonic() + 120
    while _count(path) < 3 and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(process.pid, how)
    _, errors = process.communicate(timeout=60)
    assert process.returncode in (-how, 1, 130)
    assert how == signal.SIGKILL or b"KeyboardInterrupt" in errors
    time.sleep(1.5)  # workers notice, and end
    kept, called = _count(path), len(calls.read_text().split())
    assert 3 <= kept < 12
    assert called // 2 - kept <= 2, "two at once: no more than two are lost"
    summary = run(points("rmc.rows=1,2,4", "rmc.cols=1,2,4,8"), Size(str(calls)), path)
    assert (summary.kept, summary.made) == (kept, 12 - kept)
    assert len(calls.read_text().split()) == called + 2 * (12 - kept), "nothing else runs any more"
    rows = sqlite3.connect(path).execute('SELECT "rmc.rows" * "rmc.cols", pes FROM results').fetchall()
    assert len(rows) == 12
    assert all(pes == product for product, pes in rows)


def _count(path: Path) -> int:
    if not path.exists():
        return 0
    try:
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10) as db:
            return int(db.execute("SELECT count(*) FROM measurements").fetchone()[0])
    except sqlite3.OperationalError:  # its tables are still to come
        return 0


def test_a_dask_cluster_of_this_machine(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    measure, path = Size(str(tmp_path / "calls")), tmp_path / "s.sqlite"
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster),
        Store(path) as store,
        joblib.parallel_config(backend="dask"),
    ):
        summary = sweep(points("rmc.rows=1,2", "rmc.cols=1,2"), [measure], store, {})
    assert (summary.made, summary.failed) == (4, ())
    assert sqlite3.connect(path).execute("SELECT sum(pes) FROM results").fetchone() == (9,)


def test_a_backend_that_gives_all_results_at_once_runs_in_rounds(tmp_path: Path) -> None:
    measure, path = Size(str(tmp_path / "calls")), tmp_path / "s.sqlite"
    steps = []
    with Store(path) as store, joblib.parallel_config(backend="multiprocessing"):
        grid = points("rmc.rows=1,2,4", "rmc.cols=1")
        sweep(grid, [measure], store, {}, jobs=2, advance=lambda done, total: steps.append((done, total)))
    assert steps == [(0, 3), (1, 3), (2, 3), (3, 3)]


def test_the_front_is_what_nothing_beats() -> None:
    metrics = [Metric("a", "1", "a"), Metric("b", "1", "b", less=False), Metric("c", "1", "c", less=None)]
    figures = [
        {"a": 1.0, "b": 1.0},
        {"a": 2.0, "b": 3.0},
        {"a": 2.0, "b": 2.0},
        {"a": 0.5},
        {"a": 1.0, "b": 1.0},
    ]
    assert front([costs(metrics[:2], each) for each in figures]) == [True, True, False, False, True]
    assert leading(metrics, figures) == []
    leads = [Metric("a", "1", "a", leads=True), Metric("area_um2", "um2", "area", leads=True)]
    size = Metric("multipliers", "products", "size", leads=True)
    told = [{"a": 1.0, "multipliers": 1.0}, {"a": 2.0, "multipliers": 2.0}]
    assert [each.name for each in leading([*leads, size], told)] == ["a", "multipliers"]
    with_area = [each | {"area_um2": each["a"]} for each in told]
    assert [each.name for each in leading([*leads, size], with_area)] == ["a", "area_um2"]


@pytest.mark.parametrize("suffix", figure.SUFFIXES)
def test_a_plot_is_the_same_for_the_same_results(suffix: str) -> None:
    grid = points("rmc.rows=1,2,4", "rmc.cols=1,2", "groups.coarse=32,64")
    figures = [{"a": float(number), "b": 10.0 - number} for number in range(len(grid))]
    pair = [(Metric("a", "1", "a"), Metric("b", "um2", "b"))]
    first, second = (figure.draw(grid, figures, pair, suffix) for _ in range(2))
    assert first == second
    assert first != figure.draw(grid, figures[::-1], pair, suffix)
