"""Quantize a trained model, from a GGUF or safetensors checkpoint to the files that golden model and core run."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sevedo.gen.cli import CONFIG_FILE, UserError, config_option
from sevedo.gen.config import Config

if TYPE_CHECKING:
    from sevedo.ref.checkpoint import Checkpoint
    from sevedo.ref.checkpoint.calibration import Calibration
    from sevedo.ref.flow.recipe import Recipe

DEFAULT_TOKENS = 40000

STEPS: dict[str, tuple[str, dict[str, Any]]] = {
    "smoothing": ("Leave activations as they are.", {"smoothing": "none"}),
    "low-rank": ("No low-rank path.", {"rank": 0}),
    "classes": ("All ranks in floating point.", {"classes": "fp16"}),
    "clipping": ("Scales reach the largest weight.", {"clips": (1.0,)}),
    "compensation": ("Round weights to nearest, each by itself.", {"rounding": "nearest"}),
    "tuning": ("No training of factors and biases at the end.", {"tune_steps": 0}),
}
"""Steps that can be switched off: what it means, and the fields of the recipe that do it."""

_TEXT = click.Path(path_type=Path, dir_okay=False)


def step_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """An option `--no-STEP` for each of `STEPS`."""
    for name, (text, _) in reversed(STEPS.items()):
        function = click.option(f"--no-{name}", is_flag=True, help=text)(function)
    return function


@click.command("quantize")
@click.argument("checkpoint", metavar="CHECKPOINT")
@config_option
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="A folder for artefact.safetensors and artefact.json, or NAME.safetensors; NAME.json comes beside it.",
)
@click.option(
    "--rank", type=click.IntRange(min=0), help="Ranks of the low-rank path.  [default: the recipe's]"
)
@click.option("--recipe", type=_TEXT, help="Steps and their settings, JSON or TOML.  [default: built in]")
@step_options
@click.option(
    "--calibration",
    type=_TEXT,
    multiple=True,
    help="Text to calibrate on, UTF-8, a text in each line; repeat for more.  [default: articles 150 to 299 of the Lee "
    "news of gensim]",
)
@click.option(
    "--calibration-tokens",
    "tokens",
    type=click.IntRange(min=1),
    default=DEFAULT_TOKENS,
    show_default=True,
    help="How many tokens of it are used; at least twice the inputs K of the widest layer.",
)
@click.option("--restart", is_flag=True, help="Drop what an interrupted run left in OUT.partial.")
def command(
    checkpoint: str,
    config: Config,
    out: Path,
    rank: int | None,
    recipe: Path | None,
    calibration: tuple[Path, ...],
    tokens: int,
    restart: bool,
    **switches: bool,
) -> None:
    """Quantize the linear layers of CHECKPOINT: a GGUF file (Llama), a safetensors file or the folder of one (Llama,
    BERT; with config.json and tokenizer.json), or a packaged model: smollm2, minilm.

    Embeddings, norms and the output projection stay in the checkpoint, which the artefact names by its SHA-256.
    Finished layers are kept in OUT.partial until the artefact is whole: an interrupted run goes on from there. The same
    inputs give the same bytes.

    \b
    Examples:
      sevedo quantize smollm2 --config core --out build/smollm2
      sevedo quantize model.gguf --out model.safetensors --calibration book.txt --no-compensation
    """
    from rich.console import Console

    from sevedo.gen.quantize.show import bars, table
    from sevedo.ref.artefact import Artefact, PartialStore, save
    from sevedo.ref.artefact.errors import ArtefactError
    from sevedo.ref.artefact.file import versions
    from sevedo.ref.flow.model import quantize

    begin = time.monotonic()
    paths = _outputs(
        out, checkpoint, [recipe, *calibration, click.get_current_context().meta.get(CONFIG_FILE)]
    )
    off = [name for name in STEPS if switches[f"no_{name.replace('-', '_')}"]]
    chosen = _recipe(recipe, rank, off).on(config)
    model, texts = _model(checkpoint, calibration, tokens)
    facts: dict[str, Any] = {
        "recipe": chosen.to_json(),
        "model": {"name": model.name, "kind": model.kind, "sha256": model.sha256},
        "calibration": texts.data(),
        "versions": versions(),
    }
    whole = Path(os.path.abspath(out))
    folder = whole.with_name(f"{whole.name}.partial")
    console = Console()
    if not console.is_terminal:
        console.width = 120
    run = {"configuration": config.model_dump(), **facts}
    with PartialStore(folder, config, run, restart) as store:
        if store.kept:
            click.echo(f"sevedo: note: {folder} has {store.kept} finished layers; they are used", err=True)
        try:
            with bars() as show:
                layers = quantize(model.module, texts.inputs, config, chosen, store=store, progress=show)
        except KeyboardInterrupt:
            click.echo(
                f"sevedo: note: finished layers are kept in {folder}; the same command goes on", err=True
            )
            raise
        except ArtefactError:
            raise
        # What the flow refuses: ranks that the core has not, layers that the formats cannot hold. It would again with
        # the layers that are kept, and a run that is not refused is another one.
        except ValueError as error:
            store.remove()
            raise UserError(str(error)) from None
        records = {name: store.records[name].to_json() for name in layers if name in store.records}
        save(paths[0], Artefact(config, layers, facts, records))
        console.print(table(layers, store.records))
        store.remove()
    size = paths[0].stat().st_size
    values = sum(layer.inputs * layer.outputs for layer in layers.values())
    console.print(
        f"{len(layers)} layers, {values:,} weights, {8 * size / values:.2f} bits for each with scales, factors and "
        f"biases; {texts.tokens:,} calibration tokens; {time.monotonic() - begin:.0f} s",
        highlight=False,
    )
    console.print(f"written: {paths[0]}, {paths[1]}", highlight=False, markup=False, soft_wrap=True)


def _outputs(out: Path, checkpoint: str, inputs: list[Path | None]) -> tuple[Path, Path]:
    """The two files that will be written, checked before anything is done."""
    from sevedo.gen.files import check_output
    from sevedo.ref.artefact.file import paths_of

    paths = paths_of(out)
    for path in paths:
        # A folder that is not there yet comes with the result; what holds it must be there.
        check_output(path if path.parent != out or out.exists() else out, "out")
        for source in [Path(checkpoint), *(other for other in inputs if other)]:
            if path.exists() and source.exists() and path.samefile(source):
                raise UserError(f"out={path} is also an input; it must be another file")
    return paths


def _recipe(path: Path | None, rank: int | None, off: list[str]) -> Recipe:
    """The recipe with what the user said of it."""
    from sevedo.gen.quantize.inputs import read_recipe
    from sevedo.ref.flow.recipe import Recipe

    found = read_recipe(path) if path else {}
    if rank is not None:
        if "low-rank" in off:
            raise UserError(f"rank={rank} and --no-low-rank contradict each other")
        found["rank"] = rank
    for name in off:
        found |= STEPS[name][1]
    try:
        return Recipe.from_json(found)
    except ValueError as error:
        raise UserError(str(error)) from None


def _model(checkpoint: str, files: tuple[Path, ...], tokens: int) -> tuple[Checkpoint, Calibration]:
    from sevedo.gen.quantize.inputs import NEWS, read_texts
    from sevedo.ref.checkpoint import read
    from sevedo.ref.checkpoint.calibration import calibrate_on
    from sevedo.ref.workloads import WorkloadError, news

    try:
        if files:
            name, texts = ", ".join(path.name for path in files), read_texts(files)
        else:
            name, texts = NEWS, news()[150:]
    except WorkloadError as error:
        raise UserError(f"{error}; or name texts of your own: --calibration FILE") from None
    try:
        model = read(checkpoint)
    except WorkloadError as error:
        raise UserError(str(error)) from None
    return model, calibrate_on(model, name, texts, tokens)
