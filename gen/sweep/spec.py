"""A sweep as it is asked for: a TOML file, options of the command, or both."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sevedo.gen.config import Config

from .errors import SweepError
from .grid import Axis, Grid

MEASURES = ("cycles", "error", "area", "energy")
"""What can be measured."""

MAX_FILE_BYTES = 1 << 20

_KINDS: dict[str, type] = {
    "config": str, "models": list, "shapes": list, "tokens": int, "rank": int, "blocks": list, "measures": list,
    "liberty": str, "axes": list, "grid": dict,
}  # fmt: skip
"""Fields of a sweep file."""


@dataclass(frozen=True)
class Spec:
    """What is asked for; empty or None where nothing is said.

    Members
    -------
    config : base configuration, a preset or a file
    axes : of the grid
    models, shapes, tokens : workloads, as `sevedo estimate` takes them
    rank : of the low-rank path; None: 32, or less where there is no room
    blocks : of MiniLM, for errors and energy
    measures : some of `MEASURES`
    liberty : files of a library, joined by colons
    pareto : names of two metrics for the plot
    """

    config: str = ""
    axes: tuple[Axis, ...] = ()
    models: tuple[str, ...] = ()
    shapes: tuple[str, ...] = ()
    tokens: int | None = None
    rank: int | None = None
    blocks: tuple[int, ...] = ()
    measures: tuple[str, ...] = ()
    liberty: str = ""
    pareto: tuple[str, ...] = field(default=())

    @classmethod
    def load(cls, path: Path) -> Spec:
        """Read a sweep file.

        Raises
        ------
        SweepError : it cannot be read, is no TOML, or has a field that there is not, or of another kind.
        """
        try:
            if not path.is_file():
                raise SweepError(f"sweep={path} must be an existing TOML file")
            if path.stat().st_size > MAX_FILE_BYTES:
                raise SweepError(f"sweep={path} must be at most {MAX_FILE_BYTES} bytes")
            values = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
        except OSError as error:
            raise SweepError(f"sweep={path} must be a file that can be read: {error.strerror}") from None
        except (ValueError, RecursionError) as error:
            if isinstance(error, SweepError):
                raise
            raise SweepError(f"sweep={path} must be TOML: {error}") from None
        return cls._of(values, path)

    @classmethod
    def _of(cls, values: dict[str, Any], path: Path) -> Spec:
        for name, value in values.items():
            if name not in _KINDS:
                raise SweepError(
                    f"sweep={path}: {name} is not a field; it must be one of {', '.join(_KINDS)}"
                )
            if not isinstance(value, _KINDS[name]) or isinstance(value, bool):
                kind = {list: "a list", dict: "a section", str: "text", int: "a whole number"}[_KINDS[name]]
                raise SweepError(f"sweep={path}: {name} must be {kind}")
        for name, entry in (
            ("models", str),
            ("shapes", str),
            ("measures", str),
            ("axes", str),
            ("blocks", int),
        ):
            if any(not isinstance(each, entry) for each in values.get(name, ())):
                what = "text" if entry is str else "a number"
                raise SweepError(f"sweep={path}: every entry of {name} must be {what}")
        grid = _flat(values.pop("grid", {}))
        pareto = tuple(values.pop("axes", ()))
        fields: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
        }
        return cls(**fields, axes=tuple(Axis.of(name, steps) for name, steps in grid.items()), pareto=pareto)

    def over(self, other: Spec) -> Spec:
        """This where it says something, `other` elsewhere; axes of the same fields are replaced, new ones added."""
        changes = {
            name: getattr(self, name)
            for name in self.__dataclass_fields__
            if name != "axes" and getattr(self, name) not in ("", (), None)
        }
        ours = {axis.fields: axis for axis in self.axes}
        axes = [ours.pop(axis.fields, axis) for axis in other.axes]
        return replace(other, **changes, axes=(*axes, *ours.values()))

    def grid(self, base: Config) -> Grid:
        """The grid on a base configuration.

        Raises
        ------
        SweepError : no axis; too many points; a field in two axes.
        """
        if not self.axes:
            raise SweepError(
                "the grid is empty: give --grid FIELD=VALUE,VALUE or a sweep file with a section [grid]"
            )
        return Grid(base, self.axes)


def _flat(grid: dict[str, Any], above: str = "") -> dict[str, Any]:
    """Axes by their fields' names; ``rmc.rows = [8, 16]`` without quotes is a section in a section to TOML."""
    found: dict[str, Any] = {}
    for name, value in grid.items():
        if isinstance(value, dict):
            found |= _flat(value, f"{above}{name}.")
        else:
            found[above + name] = value
    return found


def check_measures(names: Sequence[str]) -> None:
    """Refuse a measure that there is not.

    Raises
    ------
    SweepError : naming it and those that there are.
    """
    for name in names:
        if name not in MEASURES:
            raise SweepError(f"measure={name} must be one of {', '.join(MEASURES)}")
