"""Programs of the processor: assemble, disassemble, C header, documentation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sevedo.gen.cli import ConfigType

if TYPE_CHECKING:
    from sevedo.gen.config import Config

_FILE = click.Path(path_type=Path, dir_okay=False)
MAX_BYTES = 64 << 20
"""A program larger than this is refused unread."""


@click.group("program")
def command() -> None:
    """Programs of the processor: text to bytes and back, and what C and people read.

    docs/instructions.md has the instructions, the form of the text and an example.

    \b
    Examples:
      sevedo program disassemble build/minilm-program > minilm.s
      sevedo program assemble minilm.s --config core --out minilm.bin
      sevedo program header --out sevedo_instructions.h
    """


@command.command("assemble")
@click.argument("source", metavar="FILE", type=_FILE)
@click.option("--out", type=_FILE, required=True, help="The program's bytes.")
@click.option("--config", type=ConfigType(), help="A processor whose rules every instruction must keep.")
def assemble_(source: Path, out: Path, config: Config | None) -> None:
    """Write the bytes of the program in FILE, a line for each instruction.

    \b
    Example:
      sevedo program assemble mine.s --config tiny --out mine.bin
    """
    from sevedo.gen.files import write_atomically
    from sevedo.gen.program import assemble
    from sevedo.gen.program.reading import read_text

    code = assemble(read_text(source, MAX_BYTES), config)
    write_atomically({out: lambda file: file.write(code)})


@command.command("disassemble")
@click.argument("source", metavar="PATH", type=click.Path(path_type=Path))
def disassemble_(source: Path) -> None:
    """Print a program as text: PATH is a file with its bytes, or a folder that `sevedo compile` wrote.

    \b
    Example:
      sevedo program disassemble build/minilm-program
    """
    from sevedo.gen.program import disassemble
    from sevedo.gen.program.reading import read_program

    click.echo(disassemble(*read_program(source, MAX_BYTES)), nl=False)


@command.command("header")
@click.option("--out", type=_FILE, help="The header's file.  [default: printed]")
def header_(out: Path | None) -> None:
    """Write the instruction set as a C header: constants, and a function that makes each instruction.

    \b
    Example:
      sevedo program header --out sevedo_instructions.h
    """
    from sevedo.gen.files import write_atomically
    from sevedo.gen.program import header

    text = header()
    if out is None:
        click.echo(text, nl=False)
    else:
        write_atomically({out: lambda file: file.write(text.encode())})


@command.command("docs")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    default=Path("docs"),
    show_default=True,
    help="The folder of the pages.",
)
def docs_(out: Path) -> None:
    """Write instructions.md and image.md anew, from the descriptions that hardware and compiler read.

    \b
    Example:
      sevedo program docs --out docs
    """
    from sevedo.gen.files import write_atomically
    from sevedo.gen.program.image_page import image_page
    from sevedo.gen.program.instructions_page import instructions_page

    instructions, image = instructions_page().encode(), image_page().encode()
    write_atomically(
        {
            out / "instructions.md": lambda file: file.write(instructions),
            out / "image.md": lambda file: file.write(image),
        }
    )
