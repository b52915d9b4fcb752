"""Figures of finished evaluations, kept where `sevedo report` finds them: a file for each model, text and formats."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import IO, Any

from sevedo.gen.config import Config
from sevedo.gen.evaluate.code import code
from sevedo.gen.files import write_atomically
from sevedo.sim.toolchain import digest

FOLDER = "results"
"""In the folder of evaluations."""


def keep(folder: Path, config: Config, golden: bool, models: Sequence[Mapping[str, Any]]) -> None:
    """Keep the rows of some models; those of an earlier run with the same code, text and formats stay beside them.

    Parameters
    ----------
    folder : where evaluations are kept
    config : as it was given; its scheme's fields are what the other schemes were made from
    golden : whether layers ran bit for bit
    models : plain data, as in the JSON of `sevedo evaluate`
    """
    target = folder / FOLDER
    target.mkdir(parents=True, exist_ok=True)
    formats = json.dumps(config.model_dump(include={"numbers", "groups"}), sort_keys=True)
    for model in models:
        key = digest(code(), formats, json.dumps(model["measure"], sort_keys=True), str(golden))
        path = target / f"{model['name']}-{key}.json"
        rows = {_identity(row): row for row in [*_rows(path), *model["rows"]]}
        content = {
            "schema": 1,
            "golden": golden,
            "code": code(),
            "configuration": config.model_dump(),
            "models": [{**model, "rows": list(rows.values())}],
        }
        write_atomically({path: partial(_write, json.dumps(content, indent=2, allow_nan=False) + "\n")})


def _write(text: str, file: IO[bytes]) -> None:
    file.write(text.encode())


def _identity(row: Mapping[str, Any]) -> str:
    """What makes a row another one."""
    return json.dumps([row["label"], row["attention"], row["ranks"], row["memory_bits"]], sort_keys=True)


def _rows(path: Path) -> list[dict[str, Any]]:
    try:
        return list(json.loads(path.read_text())["models"][0]["rows"])
    except (OSError, ValueError, KeyError, IndexError):
        return []
