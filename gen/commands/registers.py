"""Write the registers of the processor, or of a board, as C header, HTML, Markdown or Python."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import IO

import click

from sevedo.gen.cli import UserError

FORMATS = ("c", "html", "markdown", "python", "data")


@click.command("registers")
@click.option(
    "--format", "form", metavar="FORMAT", default="markdown", show_default=True, help=", ".join(FORMATS)
)
@click.option(
    "--of",
    "whose",
    metavar="WHOSE",
    default="processor",
    show_default=True,
    help="processor, or board: those of a board around it, as Markdown tables or data.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="File to write, for html a folder; on the screen by default.",
)
def command(form: str, whose: str, out: Path | None) -> None:
    """Write the registers of the processor, or of a board, as C header, HTML, Markdown or Python.

    All come from one description, gen/registers/processor.rdl. `data` is the module gen/config/register_map.py, which
    the hardware is made from.

    \b
    Examples:
      sevedo registers --format c --out sevedo_registers.h
      sevedo registers --format html --out build/registers
    """
    from sevedo.gen.files import write_atomically
    from sevedo.gen.registers import texts
    from sevedo.gen.registers.html import write_html
    from sevedo.gen.registers.source import BOARD, SOURCE, read

    if whose not in ("processor", "board"):
        raise UserError(f"of={whose} must be processor or board")
    boards = {"markdown": texts.tables, "data": texts.board_description}
    makers = {
        "c": texts.c_header,
        "markdown": texts.markdown,
        "python": texts.python,
        "data": texts.description,
    }
    if form not in FORMATS:
        raise UserError(f"format={form} must be one of {', '.join(FORMATS)}")
    if whose == "board" and form not in boards:
        raise UserError(f"format={form} must be one of {', '.join(boards)} with --of board")
    if form == "html":
        if out is None:
            raise UserError("format=html needs --out, a folder")
        write_html(out)
        click.echo(f"{out / 'index.html'}")
        return
    text = boards[form](read(BOARD)) if whose == "board" else makers[form](read(SOURCE))
    if out is None:
        click.echo(text, nl=False)
        return
    out.parent.mkdir(parents=True, exist_ok=True)
    write_atomically({out: _writer(text)})
    click.echo(f"{out}")


def _writer(text: str) -> Callable[[IO[bytes]], object]:
    return lambda file: file.write(text.encode())
