"""The Verilog of a processor, generated at most once from the same sources: elaboration is slower than many a run."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import sevedo.gen.config
import sevedo.gen.verilog
import sevedo.hw
from sevedo.gen.config import Config
from sevedo.gen.verilog.design import generate_processor
from sevedo.gen.verilog.manifest import tool_versions
from sevedo.sim.compile import cached
from sevedo.sim.toolchain import digest

_VERILOG, _MANIFEST = "processor.v", "manifest.json"


class KeptDesign(NamedTuple):
    """A generated processor: its Verilog and the content of its manifest."""

    verilog: str
    manifest: dict[str, Any]


def processor(config: Config) -> KeptDesign:
    """Generate it, unless that was done before.

    Raises
    ------
    ConfigError : a configuration that cannot be a processor.
    """
    config.check_processor()

    def build(folder: Path) -> None:
        design = generate_processor(config)
        (folder / _VERILOG).write_text(design.verilog, encoding="utf-8")
        (folder / _MANIFEST).write_text(design.manifest_text, encoding="utf-8")

    folder = cached("verilog-" + digest(json.dumps(config.model_dump(), sort_keys=True), _sources()), build)
    manifest = json.loads((folder / _MANIFEST).read_bytes())
    return KeptDesign((folder / _VERILOG).read_text(encoding="utf-8"), manifest)


@cache
def _sources() -> str:
    """Of all that decides the Verilog."""
    folders = [
        Path(str(package.__file__)).parent for package in (sevedo.hw, sevedo.gen.config, sevedo.gen.verilog)
    ]
    files = sorted(file for folder in folders for file in folder.rglob("*.py"))
    content = [part for file in files for part in (file.name, file.read_bytes())]
    return digest(*content, json.dumps(tool_versions()))
