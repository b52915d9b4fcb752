"""Accuracy of whole models in every scale scheme, in the golden model: perplexity and similarity."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sevedo.gen.cli import CONFIG_FILE, UserError, plain_config_option
from sevedo.gen.config import SCHEMES, Config

if TYPE_CHECKING:
    from rich.console import Console

    from sevedo.gen.evaluate.session import Given
    from sevedo.gen.evaluate.subject import Subject

FP32, ALL = "fp32", "all"
MODELS = ("smollm2", "minilm")

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command("evaluate")
@plain_config_option(default="core")
@click.option("--model", default=ALL, show_default=True, help=f"{', '.join(MODELS)}, or {ALL}.")
@click.option(
    "--scheme",
    "schemes",
    multiple=True,
    metavar="NAME",
    help=f"{FP32} or a scale scheme, repeat for more.  [default: {FP32} and every scheme; {FP32} with --artefact]",
)
@click.option(
    "--artefact",
    "artefacts",
    type=click.Path(path_type=Path),
    multiple=True,
    help="A model quantized by `sevedo quantize`; repeat for more.",
)
@click.option(
    "--tokens",
    type=click.IntRange(min=2),
    default=1536,
    show_default=True,
    help="Of the news.",
)
@click.option(
    "--context", type=click.IntRange(min=2), default=512, show_default=True, help="Tokens of a window."
)
@click.option("--quantize-attention", is_flag=True, help="Every row again with Q K^T and P V quantized too.")
@click.option(
    "--rank", type=click.IntRange(min=0), help="Ranks of the low-rank path.  [default: the recipe's]"
)
@click.option("--recipe", type=_FILE, help="Steps of the quantization, JSON or TOML.  [default: built in]")
@click.option(
    "--fast",
    is_flag=True,
    help="Layers in float32: the same codes, sums in another order; quicker.",
)
@click.option("--json", "json_", type=_FILE, help="Write the figures as JSON too.")
@click.option("--plot", type=_FILE, help="Draw them against bits per value: NAME.svg or NAME.png.")
@click.option(
    "--keep",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder where quantized models and figures are kept.  [default: build/evaluate]",
)
def command(
    config: Config,
    model: str,
    schemes: tuple[str, ...],
    artefacts: tuple[Path, ...],
    tokens: int,
    context: int,
    quantize_attention: bool,
    rank: int | None,
    recipe: Path | None,
    fast: bool,
    json_: Path | None,
    plot: Path | None,
    keep: Path | None,
) -> None:
    """Evaluate trained models: SmolLM2 by its perplexity on news; MiniLM by how well the cosines of its embeddings
    agree with people on 1,225 pairs of documents, and by how near they are to those in float32.

    Layers are quantized by the flow of `sevedo quantize`, on other news, and run bit for bit as the hardware computes
    them. Quantized models and figures are kept when they are finished: an interrupted run goes on from there, and one
    that is repeated only reads. Norms, softmax, embeddings and the output projection stay in float32.

    \b
    Examples:
      sevedo evaluate --plot accuracy.svg --json accuracy.json
      sevedo evaluate --model smollm2 --scheme fp32 --scheme hgq --quantize-attention
      sevedo evaluate --artefact build/smollm2 --tokens 4096
    """
    names = _models(model)
    chosen = _schemes(config, schemes, bool(artefacts))
    _check(tokens, context, json_, plot, [recipe, click.get_current_context().meta.get(CONFIG_FILE)])

    from rich.console import Console

    from sevedo.gen.evaluate.figure import draw
    from sevedo.gen.evaluate.kept import keep as keep_results
    from sevedo.gen.evaluate.layers import Quantizer
    from sevedo.gen.evaluate.result import data, legend, table
    from sevedo.gen.evaluate.session import Session
    from sevedo.gen.files import write_atomically
    from sevedo.gen.quantize.inputs import read_recipe
    from sevedo.gen.quantize.show import bars
    from sevedo.sim.toolchain import build_folder

    console = Console()
    if not console.is_terminal:
        console.width = 160
    folder = keep or build_folder() / "evaluate"
    fields = read_recipe(recipe) if recipe else {}
    quantizer = Quantizer(folder / "models", fields if rank is None else fields | {"rank": rank}, bars)
    given = _given(artefacts, names)
    if given and model == ALL:
        names = tuple(name for name in names if any(each.model == name for each in given))
    subjects = _subjects(names, model == ALL and not given, tokens, context, console)
    session = Session(
        config,
        quantizer,
        folder / "figures",
        quantize_attention,
        not fast,
        lambda line: click.echo(f"sevedo: note: {line}", err=True),
    )
    rows = {
        name: session.rows(each, chosen, [other for other in given if other.model == name])
        for name, each in subjects.items()
    }
    console.print(legend(), highlight=False)
    for name, found in rows.items():
        console.print(table(name, subjects[name].measure.facts, found))
    found_data = data({name: subject.facts for name, subject in subjects.items()}, rows)
    keep_results(folder, config, not fast, found_data)
    writers: dict[Path, Callable[[Any], object]] = {}
    if json_ is not None:
        content = {
            "schema": 1,
            "golden": not fast,
            "configuration": config.model_dump(),
            "models": found_data,
        }
        writers[json_] = lambda file: file.write(
            (json.dumps(content, indent=2, allow_nan=False) + "\n").encode()
        )
    if plot is not None:
        image = draw(rows, {name: subject.measure.unit for name, subject in subjects.items()}, plot.suffix)
        writers[plot] = lambda file: file.write(image)
    if writers:
        write_atomically(writers)
        console.print(
            f"written: {', '.join(map(str, writers))}", highlight=False, markup=False, soft_wrap=True
        )


def _named(what: str, value: str, known: Iterable[str]) -> UserError:
    """What is said of a name that there is not."""
    names = list(known)
    near = difflib.get_close_matches(value, names, n=1)
    return UserError(
        f"{what}={value} must be one of {', '.join(names)}" + (f"; {near[0]} is near" if near else "")
    )


def _models(model: str) -> tuple[str, ...]:
    if model not in (*MODELS, ALL):
        raise _named("model", model, (*MODELS, ALL))
    return MODELS if model == ALL else (model,)


def _schemes(config: Config, schemes: tuple[str, ...], artefacts: bool) -> list[str]:
    """What is to be shown, in the order asked for, each once."""
    from sevedo.gen.config import ConfigError

    chosen = list(dict.fromkeys(schemes or ((FP32,) if artefacts else (FP32, *SCHEMES))))
    for name in chosen:
        if name not in (FP32, *SCHEMES):
            raise _named("scheme", name, (FP32, *SCHEMES))
        if name != FP32:
            try:
                config.with_scheme(name)
            except ConfigError as error:
                raise UserError(str(error)) from None
    return chosen


def _check(
    tokens: int, context: int, json_: Path | None, plot: Path | None, inputs: list[Path | None]
) -> None:
    """What can be told before anything is loaded."""
    from sevedo.gen.files import check_output

    if tokens < context:
        raise UserError(
            f"tokens={tokens} must be at least context={context}: perplexity is measured in whole windows"
        )
    if plot is not None and plot.suffix not in (".svg", ".png"):
        raise UserError(f"plot={plot} must end in .svg or .png")
    for name, path in (("json", json_), ("plot", plot)):
        if path is None:
            continue
        check_output(path, name)
        for source in inputs:
            if source is not None and path.exists() and source.exists() and path.samefile(source):
                raise UserError(f"{name}={path} is also an input; it must be another file")
    if json_ is not None and plot is not None and json_.resolve() == plot.resolve():
        raise UserError(f"plot={plot} must be another file than json={json_}")


def _given(artefacts: tuple[Path, ...], names: tuple[str, ...]) -> list[Given]:
    """The artefacts, each one of a model that is evaluated."""
    from sevedo.gen.evaluate.session import Given

    found = [Given.read(path) for path in artefacts]
    for each in found:
        if each.model not in names:
            raise UserError(
                f"artefact={each.path} is of model {each.model or '(not named)'}; "
                f"models that can be evaluated here: {', '.join(names)}"
            )
    return found


def _subjects(
    names: tuple[str, ...], anything: bool, tokens: int, context: int, console: Console
) -> dict[str, Subject]:
    """The models; where any will do, those that are installed."""
    from sevedo.gen.evaluate.subject import subject
    from sevedo.ref.workloads import WorkloadError

    found, missing = {}, []
    for name in names:
        try:
            found[name] = subject(name, tokens, context)
        except WorkloadError as error:
            missing.append(f"{name}: {error}")
    if missing and not (anything and found):
        raise UserError(missing[0])
    for line in missing:
        console.print(f"left out, {line}", highlight=False, markup=False)
    return found
