"""Texts and recipes from files, with limits."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

from sevedo.gen.files import FileError

MAX_TEXT_BYTES = 256 << 20
"""A longer text is refused unread."""
MAX_RECIPE_BYTES = 1 << 20

NEWS = "news[150:] of gensim 4.4.0"
"""The default calibration texts; articles 0 to 149 are left for tuning and evaluation."""


def _read(path: Path, name: str, most: int) -> str:
    try:
        if not path.is_file():
            raise FileError(f"{name}={path} must be an existing file")
        if (size := path.stat().st_size) > most:
            raise FileError(f"{name}={path} has {size} bytes; at most {most} are read")
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise FileError(f"{name}={path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise FileError(f"{name}={path} must be text in UTF-8") from None


def read_texts(paths: tuple[Path, ...]) -> list[str]:
    """Every line that is not blank, in order: a text each.

    Raises
    ------
    FileError : a file that is missing, too large, not UTF-8, or without text.
    """
    found = []
    for path in paths:
        lines = [line for line in _read(path, "calibration", MAX_TEXT_BYTES).splitlines() if line.strip()]
        if not lines:
            raise FileError(f"calibration={path} holds no text")
        found += lines
    return found


def read_recipe(path: Path) -> dict[str, Any]:
    """The fields of a recipe from JSON or TOML, which the suffix decides.

    Raises
    ------
    FileError : a file that is missing, too large, or not of that format; one line.
    """
    text = _read(path, "recipe", MAX_RECIPE_BYTES)
    if path.suffix not in (".json", ".toml"):
        raise FileError(f"recipe={path} must end in .json or .toml")
    try:
        found = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise FileError(f"recipe={path} must be {path.suffix[1:].upper()}: {error}") from None
    if not isinstance(found, dict):
        raise FileError(f"recipe={path} must be an object with the recipe's fields")
    return found
