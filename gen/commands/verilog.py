"""Write the core of a configuration as stand-alone Verilog, with its manifest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import IO

import click

from sevedo.gen.cli import config_option
from sevedo.gen.config import Config


@click.command("verilog")
@config_option
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="Folder for core.v and manifest.json; made if it is not there.",
)
def command(config: Config, out: Path) -> None:
    """Write core.v (Verilog-2005, each distinct module once) and manifest.json.

    The manifest tells the configuration, ports with widths and layouts, streams, declared latencies and tool versions.
    The same configuration gives the same bytes, in any process.

    \b
    Example:
      sevedo verilog --config tiny --out build/verilog/tiny
    """
    from sevedo.gen.files import write_atomically
    from sevedo.gen.verilog.design import generate

    design = generate(config)
    out.mkdir(parents=True, exist_ok=True)
    texts = {out / f"{design.top}.v": design.verilog, out / "manifest.json": design.manifest_text}
    write_atomically({path: _writer(text) for path, text in texts.items()})
    lines = design.verilog.count("\n")
    click.echo(
        f"{out / design.top}.v: {len(design.manifest['modules'])} modules, {lines} lines; {out}/manifest.json"
    )


def _writer(text: str) -> Callable[[IO[bytes]], object]:
    return lambda file: file.write(text.encode())
