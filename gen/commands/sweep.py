"""Measure a grid of configurations: cycles, error, area and energy, in parallel and resumable, with a Pareto plot."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sevedo.gen.cli import UserError
from sevedo.gen.commands.estimate import MODEL_NAMES

if TYPE_CHECKING:
    from sevedo.gen.config import Config
    from sevedo.gen.sweep.grid import Point
    from sevedo.gen.sweep.measures import Figures, Measure, Metric
    from sevedo.gen.sweep.run import Summary
    from sevedo.gen.sweep.spec import Spec

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command("sweep")
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option(
    "--config", metavar="PRESET|FILE.toml", help="What the grid changes.  [default: the sweep file's; core]"
)
@click.option(
    "--grid",
    "grids",
    multiple=True,
    metavar="FIELD=V,V,...",
    help="A field and its values; repeat for more. Fields that change together: rmc.rows+lvc.lanes=8+64,16+128.",
)
@click.option(
    "--model",
    "models",
    multiple=True,
    type=click.Choice(MODEL_NAMES),
    help="Whose cycles are predicted; repeat for more.  [default: vit-base, where no shape is given]",
)
@click.option(
    "--shape",
    "shapes",
    multiple=True,
    metavar="T,K,N[,RANK[,INT8,INT4]]",
    help="A layer of your own; repeat for more.",
)
@click.option("--tokens", type=click.IntRange(min=1), help="T of the models.  [default: as sevedo estimate]")
@click.option(
    "--rank",
    type=click.IntRange(min=0),
    help="Of the low-rank path in floating point.  [default: 32, or lvc.max_rank where that is less]",
)
@click.option(
    "--measure",
    "measures",
    multiple=True,
    metavar="NAME",
    help="cycles, error, area or energy; repeat for more.  [default: cycles and error; with --liberty, area]",
)
@click.option(
    "--block",
    "blocks",
    type=click.IntRange(0, 5),
    multiple=True,
    help="A block of MiniLM that errors are measured on; repeat for more.  [default: 0]",
)
@click.option(
    "--liberty",
    metavar="FILE[:FILE...]",
    help="A standard-cell library, its files joined by colons, for area and energy.",
)
@click.option(
    "--out",
    type=_FILE,
    default=Path("build/sweep.sqlite"),
    show_default=True,
    help="Where results are kept; a file that is there is gone on with.",
)
@click.option("--plot", type=_FILE, help="Draw the Pareto front: NAME.svg or NAME.png.")
@click.option(
    "--axes",
    metavar="METRIC,METRIC",
    help="What the plot shows.  [default: every pair of what points are judged by]",
)
@click.option(
    "--jobs", type=click.IntRange(min=1), help="Measurements at once.  [default: one for each processor]"
)
@click.option(
    "--backend",
    default="loky",
    show_default=True,
    metavar="NAME",
    help="Where measurements run: loky (processes), threading, dask or ray.",
)
@click.option(
    "--cluster",
    metavar="ADDRESS",
    help="Of the scheduler of a Dask or Ray cluster.  [default: one on this machine]",
)
def command(
    file: Path | None,
    config: str | None,
    grids: tuple[str, ...],
    out: Path,
    plot: Path | None,
    axes: str | None,
    jobs: int | None,
    backend: str,
    cluster: str | None,
    **options: Any,
) -> None:
    """Measure every combination of values of a grid, given in FILE (TOML, docs/sweep.md), by options, or both: options
    replace what the file says.

    Combinations that are no configuration are recorded with the rule that they break, and stop nothing. Every finished
    measurement is kept at once: an interrupted sweep, started again, goes on from there. Points that agree in what
    decides a figure share it: an error is measured once for all sizes of the array.

    \b
    Examples:
      sevedo sweep --grid rmc.rows=8,16,32 --grid rmc.cols=8,16,32 --model vit-base --plot pareto.svg
      sevedo sweep --grid groups.scheme=hgq,mx,coarse --grid groups.coarse=32,64,128 --measure error
      sevedo sweep sweep.toml --out build/sweep.sqlite --plot pareto.png --jobs 2
      sevedo sweep sweep.toml --backend dask --cluster tcp://scheduler:8786
    """
    from sevedo.gen.sweep.backend import backend as set_backend
    from sevedo.gen.sweep.plan import base_of, measures_of
    from sevedo.gen.sweep.run import sweep
    from sevedo.gen.sweep.spec import Spec
    from sevedo.gen.sweep.store import Store, metrics_of

    said = Spec.load(file) if file is not None else Spec()
    spec = _options(config, grids, axes, options).over(said)
    base = base_of(spec, file)
    _check_outputs(out, plot, file)
    points = list(spec.grid(base).points())
    if all(point.config is None for point in points):
        raise UserError(f"no point of the grid is a configuration; the first: {points[0].rule}")
    measures = measures_of(spec, base)
    metrics = metrics_of(measures)
    pairs = _pair(spec, metrics)
    _check_backend(backend)
    if not out.parent.exists():
        out.parent.mkdir(parents=True)
    with set_backend(backend, cluster, jobs), Store(out) as store:
        try:
            summary = _run(sweep, points, measures, store, _description(spec, base), jobs or -1)
        except (KeyboardInterrupt, BrokenProcessPool) as error:
            kept = f"{store.made()} measurements of this run and all before are kept in {out}"
            click.echo(f"sevedo: note: {kept}; the same command goes on", err=True)
            if isinstance(error, KeyboardInterrupt):
                raise
            click.echo(
                "sevedo: error: a worker was ended from outside; memory may be short, or --jobs too many",
                err=True,
            )
            raise SystemExit(1) from None
        figures = [store.figures(point) if point.config is not None else {} for point in points]
    _show(points, figures, metrics, summary, out)
    if plot is not None:
        _draw(points, figures, pairs or _pairs(metrics, figures), plot)
    if summary.failed:
        raise SystemExit(1)


def _options(config: str | None, grids: tuple[str, ...], axes: str | None, options: dict[str, Any]) -> Spec:
    """What the options say, as a sweep file would."""
    from sevedo.gen.sweep.grid import Axis
    from sevedo.gen.sweep.spec import Spec

    liberty = options.pop("liberty") or ""
    pareto = tuple(part.strip() for part in axes.split(",")) if axes else ()
    return Spec(
        config=config or "", axes=tuple(map(Axis.parse, grids)), liberty=liberty, pareto=pareto, **options
    )


def _check_outputs(out: Path, plot: Path | None, file: Path | None) -> None:
    from sevedo.gen.files import check_output
    from sevedo.gen.sweep.figure import SUFFIXES

    for name, path in (("out", out), ("plot", plot)):
        if path is not None and file is not None and path.exists() and path.samefile(file):
            raise UserError(f"{name}={path} is also an input; it must be another file")
    if plot is None:
        return
    if plot.suffix not in SUFFIXES:
        raise UserError(f"plot={plot} must end in {' or '.join(SUFFIXES)}")
    check_output(plot, "plot")
    if plot.resolve() == out.resolve():
        raise UserError(f"plot={plot} must be another file than out={out}")


def _check_backend(name: str) -> None:
    from sevedo.gen.sweep.backend import BACKENDS

    if name not in BACKENDS:
        raise UserError(f"backend={name} must be one of {', '.join(BACKENDS)}")


def _description(spec: Spec, base: Config) -> dict[str, Any]:
    """What was asked for, kept with the results."""
    from dataclasses import asdict
    from importlib import metadata

    return {"sevedo": metadata.version("sevedo"), "base": base.model_dump(), **asdict(spec)}


def _run(
    sweep: Any, points: Sequence[Point], measures: Sequence[Measure], store: Any, facts: Any, jobs: int
) -> Summary:
    """Run it under a bar with the time left."""
    from sevedo.gen.progress import progress

    with progress(1, "measurements") as bar:
        return sweep(points, measures, store, facts, jobs=jobs, advance=bar)


def _pair(spec: Spec, metrics: Sequence[Metric]) -> list[tuple[Metric, Metric]]:
    """The axes that were asked for."""
    known = {metric.name: metric for metric in metrics}
    for name in spec.pareto:
        if name not in known:
            raise UserError(f"axes: {name} must be one of {', '.join(known)}")
    if len(spec.pareto) not in (0, 2):
        raise UserError(f"axes={','.join(spec.pareto)} must be two metrics")
    return [(known[spec.pareto[0]], known[spec.pareto[1]])] if spec.pareto else []


def _pairs(metrics: Sequence[Metric], figures: Sequence[Figures]) -> list[tuple[Metric, Metric]]:
    """Every pair of the leading metrics that differ between points, six at most."""
    from itertools import combinations

    from sevedo.gen.sweep.pareto import leading

    return list(combinations(leading(metrics, figures), 2))[:6]


def _show(
    points: Sequence[Point],
    figures: Sequence[Figures],
    metrics: Sequence[Metric],
    summary: Summary,
    out: Path,
) -> None:
    from rich.console import Console

    from sevedo.gen.sweep.pareto import leading
    from sevedo.gen.sweep.show import table

    console = Console()
    if not console.is_terminal:
        console.width = 200
    console.print(table(points, figures, metrics, leading(metrics, figures)))
    for point in points:
        if point.config is None:
            console.print(
                f"invalid: {point.label}: {point.rule}", highlight=False, markup=False, soft_wrap=True
            )
    for line in summary.refused:
        console.print(f"refused: {line}", highlight=False, markup=False, soft_wrap=True)
    for line in summary.failed:
        click.echo(f"failed: {line}", err=True)
    console.print(
        f"{summary.points} points, {summary.invalid} invalid; measurements: {summary.kept} were there, "
        f"{summary.made} made, {len(summary.failed)} failed; kept in {out}",
        highlight=False, markup=False, soft_wrap=True,
    )  # fmt: skip


def _draw(
    points: Sequence[Point], figures: Sequence[Figures], pairs: Sequence[tuple[Metric, Metric]], plot: Path
) -> None:
    from sevedo.gen.files import write_atomically
    from sevedo.gen.sweep.figure import draw
    from sevedo.gen.sweep.pareto import costs

    shown = [pair for pair in pairs if any(costs(pair, each) is not None for each in figures)]
    if not shown:
        raise UserError(f"plot={plot} needs two metrics that differ between the points; the results are kept")
    image = draw(points, figures, shown, plot.suffix)
    write_atomically({plot: lambda file: file.write(image)})
    click.echo(f"written: {plot}")
