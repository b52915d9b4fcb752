"""List the presets, or print one to copy and change."""

from __future__ import annotations

import click

from sevedo.gen.config import preset_names, preset_text


@click.command("presets")
@click.argument("name", required=False)
def command(name: str | None) -> None:
    """List the presets with a line about each, or print the TOML text of preset NAME.

    A printed preset is a complete configuration: change the copy and pass its file name to any --config.

    \b
    Examples:
      sevedo presets
      sevedo presets tiny > mine.toml
      sevedo verilog --config mine.toml --out build/mine
    """
    if name is not None:
        click.echo(preset_text(name), nl=False)
        return
    width = max(map(len, preset_names()))
    for preset in preset_names():
        click.echo(f"{preset:{width}}  {_describe(preset_text(preset))}")


def _describe(text: str) -> str:
    """What the first comment line of a preset says after its name."""
    first = text.partition("\n")[0].lstrip("# ")
    return first.partition(": ")[2] or first
