"""Build the bitstream of a board, with open tools from PyPI alone."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from sevedo.gen.cli import ConfigType, Finite

MARGIN = 0.95
"""Of what the worst seed reaches, when a clock is to be found: another clock is placed and routed another way."""


@click.command("bitstream")
@click.option(
    "--board", "name", metavar="BOARD", default="ulx3s-85f", show_default=True, help="See docs/boards.md."
)
@click.option("--config", metavar="PRESET|FILE.toml", help="The processor.  [default: the board's preset]")
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="A folder for bitstream and reports."
)
@click.option("--seeds", type=click.IntRange(min=1, max=100), default=2, show_default=True,
              help="Seeds of place and route; the worst clock counts.")  # fmt: skip
@click.option("--clock-mhz", type=Finite(min=1, max=400),
              help="Of the processor.  [default: the board's, or what the worst seed reaches]")  # fmt: skip
@click.option("--baud", type=click.IntRange(min=9600), help="Of the serial port.  [default: the board's]")
@click.option(
    "--memory-kib", type=click.IntRange(min=4), help="Memory in place of a DRAM.  [default: the board's]"
)
@click.option(
    "--program", is_flag=True, help="Program the board when it is built; only this needs its programmer."
)
@click.option("--list", "list_", is_flag=True, is_eager=True, expose_value=False, callback=lambda c, p, v: _list(c, v),
              help="List the boards.")  # fmt: skip
def command(
    name: str,
    config: str | None,
    out: Path,
    seeds: int,
    clock_mhz: float | None,
    baud: int | None,
    memory_kib: int | None,
    program: bool,
) -> None:
    """Build the bitstream of a board: processor, memory, host link and self-test, with open tools from PyPI alone.

    OUT holds the bitstream, utilization.json, timing.json, configuration.toml, build.json, the Verilog, what the tools
    said, and SHA256SUMS. It appears whole or not at all; a build that fails leaves OUT.failed. A configuration that is
    too large is refused after synthesis, before place and route.

    \b
    Examples:
      sevedo bitstream --board ulx3s-85f --config fpga --out build/ulx3s
      sevedo bitstream --board icebreaker --out build/icebreaker --program
    """
    from sevedo.gen.boards.board import Setting, board_named
    from sevedo.gen.boards.build import TimingError, build
    from sevedo.gen.boards.fit import SHOWN
    from sevedo.gen.boards.program import program as run_programmer
    from sevedo.gen.boards.program import require_programmer
    from sevedo.gen.boards.tools import ToolFailure

    board = board_named(name)
    chosen = ConfigType().convert(config or board.preset, None, click.get_current_context())
    setting = Setting.of(board, chosen, clock_mhz, baud, memory_kib)
    if program:
        require_programmer(board)

    def advance(what: str) -> None:
        click.echo(f"{board.name}: {what}", err=True)

    try:
        try:
            built = build(setting, out, range(1, seeds + 1), advance)
        except TimingError as error:
            if clock_mhz is not None:
                raise
            slower = MARGIN * error.reached_mhz
            advance(f"{setting.clock_hz / 1e6:g} MHz are not reached: once more with {slower:.1f} MHz")
            setting = Setting.of(board, chosen, slower, baud, memory_kib)
            built = build(setting, out, range(1, seeds + 1), advance)
        if program:
            run_programmer(board, built.bitstream)
    except (ToolFailure, TimingError) as error:
        click.echo(f"sevedo: error: {error}", err=True)
        sys.exit(1)
    for resource, there in built.usage.there.items():
        used = built.usage.used[resource]
        click.echo(f"{SHOWN[resource]}: {used:,} of {there:,}, {100 * used / there:.1f} %")
    click.echo(
        f"clock: {setting.clock_hz / 1e6:g} MHz; {built.worst_mhz:.1f} MHz in the worst of {seeds} seeds"
    )
    click.echo(f"written: {built.bitstream}")


def _list(context: click.Context, wanted: bool) -> None:
    if not wanted:
        return
    from sevedo.gen.boards.catalogue import BOARDS

    for board in BOARDS.values():
        click.echo(
            f"{board.name:16} {board.title}; preset {board.preset}, {board.clock_mhz:g} MHz, "
            f"{board.memory_kib} KiB, {board.baud} baud"
        )
    context.exit()
