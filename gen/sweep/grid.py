"""A grid of configurations: every combination of the values of its axes, on a base configuration."""

from __future__ import annotations

import difflib
import itertools
import math
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sevedo.gen.config import SCHEMES, Config, ConfigError

from .errors import SweepError

MAX_POINTS = 100_000
"""A larger grid is refused: it would be a slip."""

SCHEME = "groups.scheme"

Settings = tuple[tuple[str, Any], ...]
"""Fields and their values, in the order of the axes."""


@dataclass(frozen=True)
class Point:
    """A combination of values.

    Members
    -------
    settings : the fields that the grid sets
    config : the configuration; None where the values make none
    rule : what they break then, one line; else empty
    """

    settings: Settings
    config: Config | None
    rule: str = ""

    @property
    def label(self) -> str:
        """In words: ``rmc.rows=8, groups.scheme=mx``."""
        return ", ".join(f"{name}={value}" for name, value in self.settings)


@dataclass(frozen=True)
class Axis:
    """Fields that change together, and their values: ``rmc.rows+lvc.lanes`` takes pairs of values.

    Members
    -------
    fields : names, ``section.field``
    values : for each step a value for every field
    """

    fields: tuple[str, ...]
    values: tuple[tuple[Any, ...], ...]

    @classmethod
    def of(cls, name: str, values: Sequence[Any]) -> Axis:
        """An axis from a name and its list of values.

        Raises
        ------
        SweepError : no such field; no values; values that are not as many as the fields.
        """
        fields = tuple(part.strip() for part in name.split("+"))
        for each in fields:
            _check_field(each)
        if len(set(fields)) != len(fields):
            raise SweepError(f"grid {name}: a field must stand in it once")
        if not isinstance(values, (list, tuple)) or not values:
            raise SweepError(f"grid {name} must have a list of one value or more")
        steps = []
        for value in values:
            step = tuple(value) if isinstance(value, (list, tuple)) else (value,)
            if len(step) != len(fields):
                raise SweepError(
                    f"grid {name}: {_shown(value)} must be {len(fields)} value(s), one for each field"
                )
            if any(isinstance(each, (list, dict)) for each in step):
                raise SweepError(f"grid {name}: {_shown(value)} must be plain values: numbers or text")
            if step not in steps:
                steps.append(step)
        return cls(fields, tuple(steps))

    @classmethod
    def parse(cls, text: str) -> Axis:
        """An axis as the command line gives it: ``rmc.rows=8,16`` or ``rmc.rows+lvc.lanes=8+64,16+128``.

        Raises
        ------
        SweepError : as `of`; no ``=``.
        """
        name, equals, values = text.partition("=")
        if not equals or not values.strip():
            raise SweepError(f"grid={text} must be FIELD=VALUE,VALUE,... such as rmc.rows=8,16")
        steps = [[_value(each) for each in step.split("+")] for step in values.split(",")]
        return cls.of(name.strip(), steps)


@dataclass(frozen=True)
class Grid:
    """Every combination of the values of axes; the last axis changes fastest.

    Members
    -------
    base : the configuration that the fields are changed in
    axes : in the order in which they were given
    """

    base: Config
    axes: tuple[Axis, ...]

    def __post_init__(self) -> None:
        names = [name for axis in self.axes for name in axis.fields]
        for name in names:
            if names.count(name) > 1:
                raise SweepError(f"grid {name} is given twice; a field must stand in one axis")
        if self.size > MAX_POINTS:
            raise SweepError(f"the grid has {self.size} points; it must have at most {MAX_POINTS}")

    @property
    def size(self) -> int:
        """How many points it has, those that are no configuration included."""
        return math.prod(len(axis.values) for axis in self.axes)

    def points(self) -> Iterator[Point]:
        """All points, in order."""
        for steps in itertools.product(*(axis.values for axis in self.axes)):
            settings = tuple(
                pair
                for axis, step in zip(self.axes, steps, strict=True)
                for pair in zip(axis.fields, step, strict=True)
            )
            try:
                yield Point(settings, change(self.base, dict(settings)))
            except ConfigError as error:
                yield Point(settings, None, str(error))


def change(base: Config, settings: Mapping[str, Any]) -> Config:
    """A configuration with other values, all set before any rule is looked at.

    Another scheme keeps the fields that both have, as `Config.with_scheme` does; the grid's own values go over that.

    Raises
    ------
    ConfigError : the values make no configuration.
    """
    if SCHEME in settings:
        base = base.with_scheme(settings[SCHEME])
    values = base.model_dump()
    for name, value in settings.items():
        section, _, field = name.partition(".")
        values[section][field] = value
    return Config.parse(values)


def known_fields() -> list[str]:
    """Every field that an axis can have, those of any scheme included."""
    found: dict[str, None] = {}
    for section, info in Config.model_fields.items():
        kinds = list(SCHEMES.values()) if section == "groups" else [info.annotation]
        for kind in kinds:
            found |= dict.fromkeys(f"{section}.{field}" for field in kind.model_fields)  # type: ignore[union-attr]
    return list(found)


def _check_field(name: str) -> None:
    known = known_fields()
    if name in known:
        return
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    raise SweepError(
        f"grid field {name or '(none)'} is not a field of a configuration; "
        + (f"near: {', '.join(near)}" if near else "it must be section.field, as rmc.rows is")
    )


def _value(text: str) -> Any:
    """A value as TOML writes it; what TOML does not know is text."""
    text = text.strip()
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _shown(value: Any) -> str:
    return repr(value)[:60]
