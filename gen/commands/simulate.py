"""Run a compiled program on the processor's Verilog with a DRAM, compared bit for bit; where its cycles go."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sevedo.gen.cli import Finite, UserError

if TYPE_CHECKING:
    from sevedo.gen.compile import Compiled
    from sevedo.gen.host.figures import RunFigures
    from sevedo.gen.host.run import SimulatedRun

LATENCY, BANDWIDTH = 100, 16.0

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command("simulate")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--inputs", type=_FILE, help=".npz: an array [T, K] for each input of the program, under its name."
)
@click.option(
    "--text", metavar="SENTENCE", help="Inputs are what its first T tokens give in the unquantized model."
)
@click.option(
    "--model", help="For --text: packaged model or checkpoint.  [default: what the program was made of]"
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of random inputs.")
@click.option(
    "--latency", type=click.IntRange(1, 1_000_000), default=LATENCY, show_default=True,
    help="Of the DRAM, in cycles.",
)  # fmt: skip
@click.option(
    "--bandwidth", type=Finite(1 / 16, 1024), default=BANDWIDTH, show_default=True,
    help="Of the DRAM, in bytes per cycle, reads and writes together.",
)  # fmt: skip
@click.option(
    "--stall", type=Finite(0, 0.95), default=0.0,
    help="Chance per cycle that a channel of the buses holds back.  [default: 0]",
)  # fmt: skip
@click.option(
    "--timeline", type=_FILE, help="What each unit did when, written for Perfetto and chrome://tracing."
)
@click.option("--json", "json_", type=_FILE, help="Figures, written as JSON.")
@click.option("--outputs", type=_FILE, help="Outputs of all layers, written as .npz.")
@click.option("--waves", type=_FILE, help="A waveform (VCD) of everything: large, and another, slower build.")
@click.option("--clock-mhz", type=Finite(0, 1e6, min_open=True), help="Clock, for times.")
def command(
    folder: Path,
    inputs: Path | None,
    text: str | None,
    model: str | None,
    seed: int,
    latency: int,
    bandwidth: float,
    stall: float,
    timeline: Path | None,
    json_: Path | None,
    outputs: Path | None,
    waves: Path | None,
    clock_mhz: float | None,
) -> None:
    """Run the program in DIR, which `sevedo compile` wrote, in Verilator, with a DRAM that has latency and bandwidth,
    and compare all of the data segment with the Python machine. Without --inputs and --text, inputs are random.

    The bound is what bandwidth (all bytes that the program moves) or the array (every beat that it takes) allow.
    Exit code 1 if a single bit differs.

    \b
    Examples:
      sevedo simulate build/minilm-program
      sevedo simulate build/minilm-program --text "A sentence of at least as many tokens as the program takes."
      sevedo simulate build/minilm-program --timeline timeline.json --bandwidth 8 --latency 200
    """
    from rich.console import Console

    from sevedo.gen.compile import load_compiled
    from sevedo.gen.files import check_output
    from sevedo.gen.host.given import given_inputs, verdict
    from sevedo.gen.host.show import LEGEND, counter_table, layer_table, summary

    written = {"timeline": timeline, "json": json_, "outputs": outputs, "waves": waves}
    for name, path in written.items():
        if path is not None:
            check_output(path, name)
    compiled = load_compiled(folder)
    data = bytes(compiled.data(given_inputs(compiled, folder, inputs, text, model, seed)))
    console = Console()
    if not console.is_terminal:
        console.width = 150
    from sevedo.gen.host.accelerator import ProcessorError
    from sevedo.sim.player import SimulationError

    try:
        run, different, figures = _simulate(compiled, data, (latency, bandwidth, stall, seed), waves)
    except (ProcessorError, SimulationError) as error:  # no mistake of the user's: the hardware is wrong
        click.echo(f"sevedo: the processor failed: {error}", err=True)
        raise SystemExit(1) from None
    console.print(LEGEND, highlight=False)
    console.print(layer_table(figures))
    console.print(counter_table(run.counters.cycles, run.counters.units))
    console.print(summary(figures, clock_mhz), highlight=False)
    console.print(verdict(compiled, different), highlight=False)
    facts = {
        "schema": 1,
        "bit_exact": different is None,
        "latency": latency,
        "bandwidth": bandwidth,
        "stall": stall,
        "configuration": compiled.config.model_dump(),
        "tokens": compiled.tokens,
        "counters": run.counters.data(),
        **figures.data(),
    }
    _write(compiled, run, facts, timeline, json_, outputs)
    if different is not None:
        raise SystemExit(1)


def _simulate(
    compiled: Compiled, data: bytes, dram: tuple[int, float, float, int], waves: Path | None
) -> tuple[SimulatedRun, int | None, RunFigures]:
    """The run, the first byte that differs from the machine's, and figures."""
    from sevedo.gen.host.figures import RunFigures, least_cycles
    from sevedo.gen.host.run import PATIENCE, RtlProcessor, first_difference, golden
    from sevedo.gen.progress import progress
    from sevedo.sim.dram import DramModel

    latency, bandwidth, stall, seed = dram
    model = DramModel(latency, bandwidth, stall=stall, seed=seed, reorder=stall > 0)
    least = round(least_cycles(compiled, bandwidth))
    with progress(1, "the Python machine"):
        wanted, report = golden(compiled, data)
    if not report.done:
        raise UserError(f"the program does not run: {report}")
    with progress(1, "compiling the Verilog (kept for the next run)"):
        processor = RtlProcessor.build(compiled.config, waves is not None)
    with progress(least, "simulating") as advance:
        limit = PATIENCE * (least + 100 * latency + 10_000)
        run = processor.run(compiled, data, model, limit=limit, progress=advance, waves=waves)
    figures = RunFigures.of(compiled, run.activity, run.counters.cycles, bandwidth)
    return run, first_difference(run.data, wanted), figures


def _write(
    compiled: Compiled,
    run: SimulatedRun,
    facts: dict[str, Any],
    timeline: Path | None,
    json_: Path | None,
    outputs: Path | None,
) -> None:
    import numpy as np

    from sevedo.gen.files import write_atomically
    from sevedo.gen.host.given import decoded_outputs
    from sevedo.gen.host.program import ProgramSteps
    from sevedo.gen.host.timeline import trace_events

    writers: dict[Path, Any] = {}
    if json_ is not None:
        writers[json_] = lambda file: file.write((json.dumps(facts, indent=2) + "\n").encode())
    if timeline is not None:
        events = json.dumps(trace_events(run.activity, ProgramSteps(compiled).label))
        writers[timeline] = lambda file: file.write(events.encode())
    if outputs is not None:
        values: dict[str, Any] = decoded_outputs(compiled, run.data)
        writers[outputs] = lambda file: np.savez(file, **values)
    write_atomically(writers)
