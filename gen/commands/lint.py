"""Check the Verilog of every preset, or of one configuration, with Verilator's lint."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sevedo.gen.cli import ConfigType
from sevedo.gen.config import Config, ConfigError, preset, preset_names

if TYPE_CHECKING:
    from sevedo.gen.verilog.design import Design

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
    """Run `verilator --lint-only -Wall` on generated Verilog, core and processor; exit code 1 if it says anything.

    Every waiver is in gen/verilog/waivers.vlt, with its reason.

    \b
    Examples:
      sevedo lint
      sevedo lint --config mine.toml
    """
    from sevedo.gen.verilog.design import generate, generate_processor

    configs = {"config": config} if config else {name: preset(name) for name in preset_names()}
    found = 0
    for name, each in configs.items():
        found += _look(generate(each), name, out, each.rmc.rows * each.rmc.cols <= GATES_UP_TO)
        try:
            each.check_processor()
        except ConfigError as error:
            click.echo(f"{name}: no processor: {error}")
            continue
        # Its gates are the core's, and others of the same modules.
        found += _look(generate_processor(each), name, out, gates=False)
    if found:
        raise SystemExit(1)


def _look(design: Design, name: str, out: Path, gates: bool) -> int:
    """Check one design, with definitions for gates and perhaps with gates; how many messages there were."""
    from sevedo.gen.verilog.lint import lint

    file = out / name / f"{design.top}.v"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(design.verilog)
    messages = lint(file, design.top, gates=False)
    if gates:
        messages += lint(file, design.top)
    for text in messages:
        click.echo(text, err=True)
    click.echo(f"{name}: {'clean' if not messages else f'{len(messages)} messages'}  ({file})")
    return len(messages)
