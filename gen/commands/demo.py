"""Real layers of a trained transformer through the generated Verilog, compared bit for bit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from sevedo.gen.cli import UserError, config_option
from sevedo.gen.config import Config

RANK = 32


@click.command("demo")
@config_option
@click.option("--block", type=click.IntRange(0, 5), default=0, show_default=True, help="Block of the model.")
@click.option("--sentence", help="Your own sentence; the default is built in.")
@click.option(
    "--rank", type=click.IntRange(min=0), default=RANK, show_default=True, help="Rank of the low-rank path."
)
@click.option(
    "--json", "json_", type=click.Path(path_type=Path, dir_okay=False), help="Write the table as JSON too."
)
def command(config: Config, block: int, sentence: str | None, rank: int, json_: Path | None) -> None:
    """Take the six linear layers of one block of all-MiniLM-L6-v2 with the activations of a real sentence, quantize
    them, run them through the Verilog in Verilator, and compare every output bit with the PyTorch golden model.

    Smoothing is calibrated on three other sentences. "error" is the Frobenius error relative to the unquantized layer;
    beside it the error of plain per-token INT4. Exit code 1 if a single bit differs.

    \b
    Examples:
      sevedo demo
      sevedo demo --config core --block 5 --sentence "Any text you like."
    """
    if rank > config.lvc.max_rank:
        raise UserError(
            f"rank={rank} must be at most lvc.max_rank={config.lvc.max_rank}; a configuration can raise it"
        )

    from rich.console import Console

    from sevedo.gen.files import check_output, write_atomically
    from sevedo.ref.models.minilm import MiniLm
    from sevedo.ref.workloads import SENTENCES, WorkloadError
    from sevedo.sim.layer import RtlCore

    if json_ is not None:
        check_output(json_, "json")
    console = Console()
    if not console.is_terminal:
        console.width = 120
    try:
        model = MiniLm()
    except WorkloadError as error:
        raise UserError(str(error)) from None
    text = SENTENCES[0] if sentence is None else sentence
    layers = model.block_layers(text, block)
    calibration = [model.block_layers(other, block) for other in SENTENCES[1:]]
    console.print(
        f"all-MiniLM-L6-v2, block {block}, {layers[0].activations.shape[0]} tokens: {text}", highlight=False
    )
    console.print(_describe(config, rank), highlight=False)
    with console.status("generating and compiling the Verilog (kept for the next run)"):
        core = RtlCore.build(config)
    rows = _run(core, layers, calibration, rank)
    console.print(_table(rows))
    exact = all(row["bit_exact"] for row in rows)
    bits = sum(row["outputs_compared"] for row in rows)
    console.print(
        f"{bits} outputs compared, {'every bit equal' if exact else 'NOT all equal'}", highlight=False
    )
    if json_ is not None:
        content = {"schema": 1, "block": block, "sentence": text, "rank": rank, "layers": rows}
        write_atomically({json_: lambda file: file.write((json.dumps(content, indent=2) + "\n").encode())})
    if not exact:
        raise SystemExit(1)


def _describe(config: Config, rank: int) -> str:
    numbers, rmc = config.numbers, config.rmc
    return (
        f"W{numbers.weight_bits}A{numbers.activation_bits}, {config.groups.summary}, rank {rank}; "
        f"{rmc.rows} x {rmc.cols} PEs of {rmc.lanes} lanes"
    )


def _run(core: Any, layers: Any, calibration: Any, rank: int) -> list[dict[str, Any]]:
    """Every layer through golden model and Verilog; a row of figures each."""
    import torch

    from sevedo.gen.progress import progress
    from sevedo.ref.linear import quantize_linear
    from sevedo.ref.metrics import exact_linear, per_token_int4, relative_error

    prepared = []
    for number, layer in enumerate(layers):
        known = torch.cat([other[number].activations for other in calibration]).double()
        weight, bias, x = layer.weight.double(), layer.bias.double(), layer.activations.double()
        quantized = quantize_linear(weight, bias, known, core.config, min(rank, *weight.shape))
        prepared.append(
            (
                layer,
                quantized,
                quantized.prepare(x),
                exact_linear(x, weight, bias),
                per_token_int4(x, weight, bias),
            )
        )
    total = sum(core.beats(quantized, inputs) for _, quantized, inputs, _, _ in prepared)
    rows, before = [], 0
    with progress(total, "simulating") as advance:
        for layer, quantized, inputs, reference, plain in prepared:
            trace = quantized.compute(inputs)
            run = core.run(quantized, inputs, progress=lambda done, before=before: advance(before + done))
            before += core.beats(quantized, inputs)
            advance(before)
            rows.append(
                {
                    "layer": layer.name,
                    "tokens": reference.shape[0],
                    "inputs": quantized.inputs,
                    "outputs": quantized.outputs,
                    "rank": quantized.rank,
                    "outputs_compared": reference.numel(),
                    "bit_exact": bool((torch.as_tensor(run.output_bits) == trace.output_bits).all()),
                    "cycles": run.cycles,
                    "utilization": run.utilization,
                    "relative_error": relative_error(trace.output, reference),
                    "relative_error_per_token_int4": relative_error(plain, reference),
                }
            )
    return rows


def _table(rows: list[dict[str, Any]]) -> Any:
    from rich.table import Table

    table = Table()
    for heading in ("layer", "T x K x N", "bit-exact"):
        table.add_column(heading, no_wrap=True)
    for heading in ("cycles", "utilization", "error", "plain INT4"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(
            row["layer"].split(".", 3)[3],
            f"{row['tokens']} x {row['inputs']} x {row['outputs']}",
            "yes" if row["bit_exact"] else "[bold red]NO",
            f"{row['cycles']:,}",
            f"{row['utilization']:.1%}",
            f"{row['relative_error']:.4f}",
            f"{row['relative_error_per_token_int4']:.4f}",
        )
    return table
