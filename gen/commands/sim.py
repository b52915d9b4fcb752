"""Run the cocotb benches of a configuration: the core and its halves under every kind of stall."""

from __future__ import annotations

import click

from sevedo.gen.cli import config_option
from sevedo.gen.config import Config

TOPS = {"core": "core", "rmc": "residual_matrix_core", "lvc": "low_rank_vector_core"}
"""What can be simulated, and the module that each is."""


@click.command("sim")
@config_option
@click.option(
    "--unit", type=click.Choice([*TOPS, "all"]), default="all", show_default=True, help="What to simulate."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the layer and of the stalls.")
@click.option("--waves", is_flag=True, help="Write a VCD into build/waves, as WAVES=1 does.")
def command(config: Config, unit: str, seed: int, waves: bool) -> None:
    """Simulate the generated Verilog with cocotb and Verilator and compare every output bit with the golden model.

    A random layer that fills a few tiles goes through the core, the residual matrix core and the low-rank vector core,
    once for every kind of stall of the battery; on every transfer the stream rules are checked. Exit code 1 when a bit
    or a rule is broken.

    \b
    Examples:
      sevedo sim --config tiny
      WAVES=1 sevedo sim --unit rmc
    """
    from sevedo.sim.bench import BenchError, waves_wanted
    from sevedo.sim.play import play_layer
    from sevedo.sim.toolchain import build_folder

    waves = waves or waves_wanted()
    failed = False
    for name in TOPS if unit == "all" else (unit,):
        try:
            beats, kinds = play_layer(config, name, seed, waves)
        except BenchError as error:
            failed = True
            click.echo(f"{name}: FAILED\n{error}", err=True)
            continue
        click.echo(f"{name}: {beats} output beats equal under each of {kinds} kinds of stall")
        if waves:
            click.echo(f"waveform: {build_folder() / 'waves' / TOPS[name]}.all.vcd")
    if failed:
        raise SystemExit(1)
