"""Measure the golden model's speed and the generator's and simulation's, and print them beside their marks."""

from __future__ import annotations

import time

import click

from sevedo.gen.cli import config_option
from sevedo.gen.config import Config


@click.command("bench")
@config_option
@click.option(
    "--size", type=click.IntRange(min=16), default=1536, show_default=True, help="K = N of the layer."
)
@click.option("--tokens", type=click.IntRange(min=1), default=64, show_default=True, help="T of the layer.")
def command(config: Config, size: int, tokens: int) -> None:
    """Measure the golden model on a K = N = 1536, T = 64 layer, then emission and simulation of the configuration.

    \b
    Example:
      sevedo bench --config tiny
    """
    from rich.console import Console
    from rich.table import Table

    from sevedo.gen.verilog.design import generate
    from sevedo.ref import bench
    from sevedo.sim.layer import RtlCore
    from sevedo.sim.play import random_layer

    console = Console()
    table = Table("measure", "figure", "mark")
    speed = bench.measure(config, size, size, tokens)
    mark = f"at least {bench.TARGET / 1e9} G MAC/s"
    table.add_row("golden residual path", f"{speed.residual_rate / 1e9:.2f} G MAC/s", mark)
    table.add_row("golden whole layer", f"{speed.layer_rate / 1e9:.2f} G MAC/s", "")
    start = time.perf_counter()
    design = generate(config)
    table.add_row("emission", f"{time.perf_counter() - start:.1f} s", "")
    table.add_row(
        "Verilog", f"{design.verilog.count(chr(10)):,} lines, {len(design.manifest['modules'])} modules", ""
    )
    start = time.perf_counter()
    core = RtlCore.build(config)
    table.add_row("compilation (0 when it was kept)", f"{time.perf_counter() - start:.1f} s", "")
    layer, inputs, _ = random_layer(config, 0)
    start = time.perf_counter()
    run = core.run(layer, inputs)
    table.add_row("smallest run", f"{time.perf_counter() - start:.2f} s, {run.cycles} cycles", "")
    console.print(table)
