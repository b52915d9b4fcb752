"""Write the core or the processor of a configuration as stand-alone Verilog, with its manifest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import IO

import click

from sevedo.gen.cli import UserError, config_option
from sevedo.gen.config import Config


@click.command("verilog")
@config_option
@click.option(
    "--top",
    type=click.Choice(["core", "processor"]),
    default="core",
    show_default=True,
    help="The core alone, or with memories, buses and a controller.",
)
@click.option(
    "--memories",
    type=click.Choice(["inferred", "black-box"]),
    default="inferred",
    show_default=True,
    help="Block memories of the processor as arrays, or as empty modules in whose place macros are put.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="Folder for the Verilog, named after the top, and manifest.json; made if it is not there.",
)
def command(config: Config, top: str, memories: str, out: Path) -> None:
    """Write core.v or processor.v (Verilog-2005, each distinct module once) and manifest.json.

    The manifest tells the configuration, ports with widths and layouts, streams, declared latencies, block memories and
    tool versions. The same configuration gives the same bytes, in any process.

    \b
    Examples:
      sevedo verilog --config tiny --out build/verilog/tiny
      sevedo verilog --config core --top processor --memories black-box --out build/asic
    """
    from sevedo.gen.files import write_atomically
    from sevedo.gen.verilog.design import generate, generate_processor

    black_boxes = memories == "black-box"
    if black_boxes and top == "core":
        raise UserError("memories=black-box must go with --top processor: the core has no block memories")
    design = generate_processor(config, black_boxes) if top == "processor" else generate(config)
    out.mkdir(parents=True, exist_ok=True)
    texts = {out / f"{design.top}.v": design.verilog, out / "manifest.json": design.manifest_text}
    write_atomically({path: _writer(text) for path, text in texts.items()})
    lines = design.verilog.count("\n")
    click.echo(
        f"{out / design.top}.v: {len(design.manifest['modules'])} modules, {lines} lines; {out}/manifest.json"
    )


def _writer(text: str) -> Callable[[IO[bytes]], object]:
    return lambda file: file.write(text.encode())
