"""List the presets, or print one to copy and change."""

from __future__ import annotations

import click

from sevedo.gen.cli import UserError
from sevedo.gen.config import SCHEMES, ConfigError, preset, preset_names, preset_text


@click.command("presets")
@click.argument("name", required=False)
@click.option("--scheme", metavar="SCHEME", help=f"With another scale scheme: {', '.join(SCHEMES)}.")
def command(name: str | None, scheme: str | None) -> None:
    """List the presets with a line about each, or print the TOML text of preset NAME.

    A printed preset is a complete configuration: change the copy and pass its file name to any --config.

    \b
    Examples:
      sevedo presets
      sevedo presets tiny > mine.toml
      sevedo presets core --scheme mx > mx.toml
      sevedo verilog --config mine.toml --out build/mine
    """
    if name is not None:
        click.echo(preset_text(name) if scheme is None else _with_scheme(name, scheme), nl=False)
        return
    if scheme is not None:
        raise UserError(f"scheme={scheme} needs the name of a preset: {', '.join(preset_names())}")
    width = max(map(len, preset_names()))
    for each in preset_names():
        click.echo(f"{each:{width}}  {_describe(preset_text(each))}")


def _describe(text: str) -> str:
    """What the first comment line of a preset says after its name."""
    first = text.partition("\n")[0].lstrip("# ")
    return first.partition(": ")[2] or first


def _with_scheme(name: str, scheme: str) -> str:
    """The text of a preset with its section `groups` written anew."""
    try:
        values = preset(name).with_scheme(scheme).groups.model_dump()
    except ConfigError as error:
        raise UserError(str(error)) from None
    fields = SCHEMES[scheme].model_fields
    lines = ["[groups]                # who shares a scale: decides every output bit"]
    for field, value in values.items():
        setting = f'{field} = "{value}"' if isinstance(value, str) else f"{field} = {value}"
        said = fields[field].description
        lines.append(f"{setting:23} # {said}" if said else setting)
    before, _, rest = preset_text(name).partition("[groups]")
    return before + "\n".join(lines) + "\n\n" + rest.partition("\n\n")[2]
