"""Check the Verilog of every preset, or of one configuration, with Verilator's lint."""

from __future__ import annotations

from pathlib import Path

import click

from sevedo.gen.cli import ConfigType
from sevedo.gen.config import Config, preset, preset_names

GATES_UP_TO = 64
"""PEs up to which the gates are looked at too: Verilator takes minutes on the flattened gates of a large array, and the
modules that have both forms are the same in every size."""


@click.command("lint")
@click.option("--config", type=ConfigType(), help="A preset or a TOML file.  [default: every preset]")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("build", "lint"),
    show_default=True,
    help="Folder for the Verilog that is checked.",
)
def command(config: Config | None, out: Path) -> None:
    """Run `verilator --lint-only -Wall` on generated Verilog; the exit code is 1 if it says anything.

    Every waiver is in gen/verilog/waivers.vlt, with its reason.

    \b
    Examples:
      sevedo lint
      sevedo lint --config mine.toml
    """
    from sevedo.gen.verilog.design import generate
    from sevedo.gen.verilog.lint import lint

    configs = {"config": config} if config else {name: preset(name) for name in preset_names()}
    found = 0
    for name, each in configs.items():
        design = generate(each)
        file = out / name / f"{design.top}.v"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(design.verilog)
        messages = lint(file, design.top, gates=False)
        if each.rmc.rows * each.rmc.cols <= GATES_UP_TO:
            messages += lint(file, design.top)
        found += len(messages)
        for text in messages:
            click.echo(text, err=True)
        click.echo(f"{name}: {'clean' if not messages else f'{len(messages)} messages'}  ({file})")
    if found:
        raise SystemExit(1)
