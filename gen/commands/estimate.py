"""Predict the cycles of layers and whole models on a configuration, and say what bounds them; no tool is needed."""

from __future__ import annotations

import json
from pathlib import Path

import click

from sevedo.gen.cli import UserError, config_option
from sevedo.gen.config import Config

MODEL_NAMES = ("vit-base", "llama2-7b", "minilm", "smollm2-135m")
"""Those of `sevedo.gen.estimate.MODELS`, which help must not wait for: it brings Amaranth."""


@click.command("estimate")
@config_option
@click.option(
    "--model",
    "models",
    multiple=True,
    type=click.Choice(MODEL_NAMES),
    help="Every linear layer of a model; repeatable.",
)
@click.option(
    "--shape",
    "shapes",
    multiple=True,
    metavar="T,K,N[,RANK[,INT8,INT4]]",
    help="A layer of your own; repeatable.",
)
@click.option(
    "--tokens",
    type=click.IntRange(min=1),
    help="T of the models.  [default: vit-base 197, llama2-7b 128 and 1, minilm 128, smollm2-135m 512 and 1]",
)
@click.option(
    "--rank",
    type=click.IntRange(min=0),
    help="Rank of the low-rank path in floating point; at most min(N, K) is used.  [default: 32, or less where the "
    "vector core or the layer has no room; 0: the array alone]",
)
@click.option(
    "--int8-rank", type=click.IntRange(min=0), default=0, show_default=True,
    help="Ranks in codes of two digits (INT8); at most min(N, K) are used.",
)  # fmt: skip
@click.option(
    "--int4-rank", type=click.IntRange(min=0), default=0, show_default=True,
    help="Ranks in codes of one digit (INT4); likewise.",
)  # fmt: skip
@click.option(
    "--activation-passes", type=click.IntRange(1, 2), default=1, show_default=True,
    help="2: activation codes of twice the configuration's bits (INT8).",
)  # fmt: skip
@click.option(
    "--weight-passes", type=click.IntRange(1, 2), default=1, show_default=True,
    help="2: likewise for weight codes.",
)  # fmt: skip
@click.option("--clock-mhz", type=float, help="Clock, for times and MAC rates.")
@click.option(
    "--json", "json_", type=click.Path(path_type=Path, dir_okay=False), help="Write the figures as JSON too."
)
def command(
    config: Config,
    models: tuple[str, ...],
    shapes: tuple[str, ...],
    tokens: int | None,
    rank: int | None,
    int8_rank: int,
    int4_rank: int,
    activation_passes: int,
    weight_passes: int,
    clock_mhz: float | None,
    json_: Path | None,
) -> None:
    """Predict the cycles of linear layers, from the first beat in to the last beat out, with operands always there; say
    what share of the array's time is useful, what the rest is lost to, and what bounds each layer. Without --model and
    --shape, all models.

    The prediction is that of a simulation to the cycle (docs/performance.md). Below, for as many PEs in arrays of other
    shapes: the share lost to partly filled tiles.

    \b
    Examples:
      sevedo estimate --config core --model vit-base --rank 0
      sevedo estimate --config core --model llama2-7b --tokens 1 --clock-mhz 500
      sevedo estimate --config core --model minilm --rank 8 --int8-rank 8 --int4-rank 16
      sevedo estimate --config mine.toml --shape 197,768,3072 --shape 1,4096,4096,32 --json cycles.json
    """
    if clock_mhz is not None and not 0 < clock_mhz < 1e6:
        raise UserError(f"clock-mhz={clock_mhz:g} must be above 0 and below 1000000")
    if json_ is not None:
        from sevedo.gen.files import check_output

        check_output(json_, "json")

    from rich.console import Console

    from sevedo.gen.estimate import MODELS, ShapeError, Workload, parse_shape, workload
    from sevedo.gen.estimate.report import LEGEND, WorkloadEstimate, layer_table, mapping_table
    from sevedo.gen.estimate.shapes import DEFAULT_RANK

    used = (min(DEFAULT_RANK, config.lvc.max_rank) if rank is None else rank), int8_rank, int4_rank
    passes = activation_passes, weight_passes
    wanted = [
        workload(name, each, used, *passes)
        for name in dict.fromkeys(models or (() if shapes else MODEL_NAMES))
        for each in (MODELS[name].tokens if tokens is None else (tokens,))
    ]
    if shapes:
        try:
            layers = tuple(parse_shape(text, used, *passes) for text in shapes)
        except ShapeError as error:
            raise UserError(str(error)) from None
        wanted.append(Workload("shapes", layers))
    estimates = [WorkloadEstimate.of(config, each) for each in wanted]

    console = Console()
    if not console.is_terminal:
        console.width = 190
    console.print(LEGEND, highlight=False)
    for each in estimates:
        console.print(layer_table(each, clock_mhz))
    console.print(mapping_table(config, estimates))
    if json_ is not None:
        from sevedo.gen.files import write_atomically

        content = {
            "schema": 1,
            "configuration": config.model_dump(),
            "clock_mhz": clock_mhz,
            "workloads": [each.data(clock_mhz) for each in estimates],
        }
        write_atomically({json_: lambda file: file.write((json.dumps(content, indent=2) + "\n").encode())})
