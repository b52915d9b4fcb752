"""The results of a sweep: one SQLite file, each measurement in it as soon as it is there (docs/sweep.md)."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from sevedo.gen.files import FileError, check_output
from sevedo.sim.toolchain import digest

from .errors import SweepError
from .grid import Point
from .measures import Figures, Measure, Metric, by_metric

SCHEMA = 1
"""Version of the tables; it changes when a reader would have to."""

APPLICATION = 0x53655644
"""The file's application id ("SeVD"), by which ours are known."""

_TABLES = """
CREATE TABLE sweeps (run INTEGER PRIMARY KEY, description TEXT NOT NULL);
CREATE TABLE points (
    point TEXT PRIMARY KEY, number INTEGER NOT NULL, label TEXT NOT NULL, settings TEXT NOT NULL,
    valid INTEGER NOT NULL, rule TEXT, configuration TEXT, fingerprint TEXT, run INTEGER NOT NULL
);
CREATE TABLE measurements (
    measure TEXT NOT NULL, key TEXT NOT NULL, status TEXT NOT NULL, message TEXT, seconds REAL NOT NULL,
    run INTEGER NOT NULL, PRIMARY KEY (measure, key)
);
CREATE TABLE figures (
    measure TEXT NOT NULL, key TEXT NOT NULL, metric TEXT NOT NULL, value REAL,
    PRIMARY KEY (measure, key, metric)
);
CREATE TABLE point_measurements (
    point TEXT NOT NULL, measure TEXT NOT NULL, key TEXT NOT NULL, PRIMARY KEY (point, measure)
);
CREATE TABLE metrics (metric TEXT PRIMARY KEY, unit TEXT NOT NULL, meaning TEXT NOT NULL, less_is_better INTEGER);
"""

Done = dict[tuple[str, str], tuple[str, str]]
"""Status and message by measure and key."""


class Store:
    """An open file of results.

    Parameters
    ----------
    path : an SQLite file of ours, or one that is to be

    Raises
    ------
    SweepError : a file that is none of ours, or of another version; FileError : one that cannot be.
    """

    def __init__(self, path: Path) -> None:
        check_output(path, "out")
        self.path = path
        try:
            self._db = sqlite3.connect(path, timeout=60, isolation_level=None)
            self._db.execute("PRAGMA foreign_keys = ON")
            self._open()
        except sqlite3.Error as error:
            raise SweepError(f"out={path} must be a file of sevedo sweep: {error}") from None
        self.run = 0

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._db.close()

    def _open(self) -> None:
        with _Transaction(self._db):
            application, version = (
                self._one(f"PRAGMA {name}") for name in ("application_id", "user_version")
            )
            if not self._one("SELECT count(*) FROM sqlite_master"):
                self._db.execute(f"PRAGMA application_id = {APPLICATION}")
                self._db.execute(f"PRAGMA user_version = {SCHEMA}")
                for statement in filter(str.strip, _TABLES.split(";")):
                    self._db.execute(statement)
            elif application != APPLICATION:
                raise SweepError(f"out={self.path} must be a file of sevedo sweep; it is another database")
            elif version != SCHEMA:
                raise SweepError(f"out={self.path} must have schema {SCHEMA}; it has {version}")

    def _one(self, query: str, values: Sequence[Any] = ()) -> Any:
        return self._db.execute(query, values).fetchone()[0]

    def begin(
        self, description: Mapping[str, Any], points: Sequence[Point], measures: Sequence[Measure]
    ) -> None:
        """Note what is to be done: a new run, its points, which measurement each needs, and what metrics mean."""
        with _Transaction(self._db):
            text = json.dumps(description, sort_keys=True)
            self._db.execute("INSERT INTO sweeps (description) VALUES (?)", (text,))
            self.run = self._one("SELECT max(run) FROM sweeps")
            for metric in by_metric(tuple(measures)).values():
                self._db.execute(
                    "INSERT OR REPLACE INTO metrics VALUES (?, ?, ?, ?)",
                    (metric.name, metric.unit, metric.text, metric.less),
                )
            for number, point in enumerate(points):
                self._put_point(number, point, measures)
            self._make_view()

    def _put_point(self, number: int, point: Point, measures: Sequence[Measure]) -> None:
        name, config = point_key(point), point.config
        self._db.execute(
            "INSERT OR REPLACE INTO points VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                name,
                number,
                point.label,
                json.dumps(dict(point.settings)),
                config is not None,
                point.rule or None,
                None if config is None else json.dumps(config.model_dump()),
                None if config is None else f"{config.fingerprint:08x}",
                self.run,
            ),
        )
        if config is not None:
            self._db.executemany(
                "INSERT OR REPLACE INTO point_measurements VALUES (?, ?, ?)",
                [(name, measure.name, measure.key(config)) for measure in measures],
            )

    def done(self) -> Done:
        """Every measurement that has ended, with its status: ``done``, ``refused`` (a rule) or ``failed`` (a tool)."""
        rows = self._db.execute("SELECT measure, key, status, message FROM measurements")
        return {(measure, key): (status, message or "") for measure, key, status, message in rows}

    def put(
        self, measure: str, key: str, status: str, message: str, figures: Figures, seconds: float
    ) -> None:
        """Keep one measurement: after this it survives whatever happens."""
        with _Transaction(self._db):
            self._db.execute(
                "INSERT OR REPLACE INTO measurements VALUES (?, ?, ?, ?, ?, ?)",
                (measure, key, status, message or None, seconds, self.run),
            )
            self._db.execute("DELETE FROM figures WHERE measure = ? AND key = ?", (measure, key))
            self._db.executemany(
                "INSERT INTO figures VALUES (?, ?, ?, ?)",
                [(measure, key, name, value) for name, value in figures.items()],
            )

    def figures(self, point: Point) -> Figures:
        """What is known of a point."""
        rows = self._db.execute(
            "SELECT metric, value FROM point_measurements JOIN figures USING (measure, key) WHERE point = ?",
            (point_key(point),),
        )
        return {name: value for name, value in rows if value is not None}

    def made(self) -> int:
        """Measurements that were made in this run."""
        return int(self._one("SELECT count(*) FROM measurements WHERE run = ?", (self.run,)))

    def _make_view(self) -> None:
        """The view ``results``: a row a point, a column for every field that a grid set and for every metric."""
        settings: dict[str, None] = {}
        for (text,) in self._db.execute("SELECT settings FROM points ORDER BY run, number"):
            settings |= dict.fromkeys(json.loads(text))
        metrics = [name for (name,) in self._db.execute("SELECT metric FROM metrics ORDER BY rowid")]
        columns = [
            *(f'json_extract(settings, \'$."{name}"\') AS "{name}"' for name in settings),
            *(
                f"max(CASE WHEN metric = '{name}' THEN value END) AS \"{name}\""  # names are ours: letters and _
                for name in metrics
            ),
        ]
        self._db.execute("DROP VIEW IF EXISTS results")
        self._db.execute(
            f"CREATE VIEW results AS SELECT point, valid, rule, {', '.join(columns)} FROM points "
            "LEFT JOIN point_measurements USING (point) LEFT JOIN figures USING (measure, key) "
            "GROUP BY point ORDER BY run, number"
        )


def point_key(point: Point) -> str:
    """What a point is known by: its configuration, or the values that make none."""
    if point.config is None:
        return digest("invalid", json.dumps(point.settings))
    return digest(json.dumps(point.settings), json.dumps(point.config.model_dump(), sort_keys=True))


def metrics_of(measures: Iterable[Measure]) -> list[Metric]:
    """All metrics, in order."""
    return list(by_metric(tuple(measures)).values())


class _Transaction:
    """All or nothing, on the disk when it ends."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._db.execute("COMMIT" if kind is None else "ROLLBACK")


__all__ = ["FileError", "Store", "metrics_of", "point_key"]
