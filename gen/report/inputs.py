"""What a report is made of: the JSON of other commands, read, checked, and held against the configuration."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from sevedo.gen.config import Config
from sevedo.gen.evaluate.code import code

from .documents import Between, Compare, Evaluate, Power, Synth
from .errors import ReportError

MAX_BYTES = 256 << 20
"""A larger file is refused unread."""

Document = TypeVar("Document", bound=BaseModel)


@dataclass(frozen=True)
class Source:
    """Where figures come from: what the page says of it at its end.

    Members
    -------
    what : which figures
    name : the file's, without its folder
    sha256 : of its content
    """

    what: str
    name: str
    sha256: str


@dataclass(frozen=True)
class Inputs:
    """Everything that was given; None or empty for what was not measured."""

    synth: Synth | None = None
    evaluate: tuple[Evaluate, ...] = ()
    compare: Compare | None = None
    power: tuple[Power, ...] = ()
    between: Between | None = None
    sources: tuple[Source, ...] = ()


def kept_evaluations(folder: Path, config: Config) -> list[Path]:
    """What `sevedo evaluate` kept of these formats, with the code as it is: one file a model and text, by name."""
    found = []
    for path in sorted(folder.glob("*.json")):
        try:
            evaluation, _ = read(path, "evaluate", Evaluate)
            check_evaluate(evaluation, config, "")
        except ReportError:
            continue
        if evaluation.code == code():
            found.append(path)
    return found


def read(path: Path, option: str, kind: type[Document]) -> tuple[Document, Source]:
    """Read a JSON file.

    Raises
    ------
    ReportError : it cannot be read, is not JSON, or lacks what it must have; naming option, file, field and rule.
    """
    content, source = read_bytes(path, option)
    try:
        return kind.model_validate(_json(content)), source
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in problem["loc"]) or "it"
        raise ReportError(
            f"{option}={path}: {place}: {problem['msg'].lower()} (see docs/report.md)"
        ) from None
    except ValueError as error:
        raise ReportError(f"{option}={path} must be JSON: {error}") from None


def read_bytes(path: Path, option: str) -> tuple[bytes, Source]:
    """A file's content, and what is said of it.

    Raises
    ------
    ReportError : it is no file, cannot be read, or is too large.
    """
    try:
        if not path.is_file():
            raise ReportError(f"{option}={path} must be an existing file")
        if path.stat().st_size > MAX_BYTES:
            raise ReportError(f"{option}={path} must be at most {MAX_BYTES} bytes")
        content = path.read_bytes()
    except OSError as error:
        raise ReportError(f"{option}={path} cannot be read: {error.strerror}") from None
    return content, Source(option, path.name, hashlib.sha256(content).hexdigest())


def _json(content: bytes) -> Any:
    try:
        return json.loads(content)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def check_same(document: Synth | Power, config: Config, where: str) -> None:
    """Refuse figures of another configuration.

    Raises
    ------
    ReportError : naming both fingerprints.
    """
    theirs, ours = document.configuration.fingerprint, f"{config.fingerprint:08x}"
    if theirs != ours:
        raise ReportError(
            f"{where} is of configuration {theirs}; the report's is {ours}: measure with the same --config"
        )


def check_compare(compare: Compare, config: Config, where: str) -> None:
    """Refuse a comparison that the configuration is no row of.

    Raises
    ------
    ReportError : naming the field that differs.
    """
    ours = config.model_dump()
    same = [scheme for scheme in compare.schemes if scheme.scheme == config.groups.scheme]
    for scheme in same:
        if difference := _difference(scheme.configuration, ours):
            raise ReportError(f"{where} is of another configuration: {difference}")
    if not same:
        raise ReportError(f"{where} has no row of the configuration's scheme, {config.groups.scheme}")


def check_evaluate(evaluate: Evaluate, config: Config, where: str) -> None:
    """Refuse an evaluation in other formats; the sizes of the array change no bit, and another scheme is another row.

    Raises
    ------
    ReportError : naming the field that differs.
    """
    for section in ("numbers", "groups"):
        theirs = evaluate.configuration.get(section)
        if not isinstance(theirs, dict):
            raise ReportError(f"{where}: configuration.{section} must be there")
        ours = config.model_dump()[section]
        if section == "groups" and theirs.get("scheme") != ours["scheme"]:
            shared = set(theirs) & set(ours) - {"scheme"}
            theirs, ours = ({name: one[name] for name in shared} for one in (theirs, ours))
        if difference := _difference({section: theirs}, {section: ours}):
            raise ReportError(f"{where} is of another configuration: {difference}")


def _difference(theirs: dict[str, Any], ours: dict[str, Any]) -> str:
    """The first field that differs, in words; empty where none does."""
    for section, fields in ours.items():
        other = theirs.get(section)
        if not isinstance(other, dict):
            return f"it has no section {section}"
        for name in sorted({*fields, *other}):
            if fields.get(name) != other.get(name):
                return f"{section}.{name} is {other.get(name)!r} there and {fields.get(name)!r} here"
    return ""
