"""The page: everything that is known of a configuration put into one HTML file with nothing to fetch."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from sevedo.gen.config import Config
from sevedo.gen.synth.library import library_label

from . import accuracy, configuration, cycles, energy, plot, schemes, silicon, texts, treemap
from .blocks import Hierarchy
from .inputs import Inputs
from .layout import Placed, place


@dataclass(frozen=True)
class Tile:
    """A figure at the head of the page: what it is, the figure, and a word on it; no figure: not measured."""

    what: str
    value: str
    note: str


@dataclass(frozen=True)
class Options:
    """What the user said.

    Members
    -------
    name : of the configuration, as ``--config`` takes it
    clock_mhz : for times; None: what the synthesis says
    date : shown at the end; empty: none, and the same input gives the same bytes
    """

    name: str
    clock_mhz: float | None = None
    date: str = ""


def render(
    config: Config, hierarchy: Hierarchy, inputs: Inputs, options: Options, tools: dict[str, str]
) -> str:
    """The page; the same arguments give the same text.

    Parameters
    ----------
    config : the configuration
    hierarchy : its design, elaborated
    inputs : what was measured
    options : what the user said
    tools : versions of what the design was made with
    """
    synth = inputs.synth
    timing = silicon.timing_view(synth) if synth else None
    clock = _clock(options, timing)
    works = cycles.workloads(config, clock)
    compared = schemes.comparisons(inputs.compare) if inputs.compare else []
    diagrams = [place(diagram) for diagram in hierarchy.diagrams()]
    area = silicon.area_view(synth) if synth else None
    return _environment().get_template("page.html.j2").render(
        name=options.name,
        date=options.date,
        fingerprint=f"{config.fingerprint:08x}",
        headline=configuration.headline(config),
        tiles=_tiles(config, area, timing, clock, works, inputs, compared),
        sections=configuration.sections(config),
        derived=configuration.derived(config),
        toml=config.toml(),
        diagrams=diagrams,
        drawn={placed.diagram.module for placed in diagrams},
        opened=_opened(diagrams),
        counts=hierarchy.counts,
        modules=hierarchy.modules,
        top=hierarchy.top,
        synth=synth,
        area=area,
        timing=timing,
        clock=clock,
        workloads=works,
        parts=cycles.PARTS,
        models=accuracy.models(inputs.evaluate, config.groups.scheme),
        scheme=config.groups.scheme,
        compared=compared,
        compare=inputs.compare,
        powers=[(power, energy.energy_view(power)) for power in inputs.power],
        between=inputs.between,
        energy=_energy(compared, config.groups.scheme),
        energy_parts=schemes.PARTS,
        sources=inputs.sources,
        tools=tools,
        treemap=treemap,
        plot=plot,
    )  # fmt: skip


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    filters = {
        "number": texts.number,
        "percent": texts.percent,
        "digits": texts.digits,
        "area": texts.area,
        "memory": texts.bits,
    }
    made.filters.update(filters)
    return made


def _clock(options: Options, timing: silicon.TimingView | None) -> cycles.Clock | None:
    """What times are told at: what the user said, what the synthesis met, or what its longest path allows."""
    if options.clock_mhz is not None:
        return cycles.Clock(options.clock_mhz, "as asked for")
    if timing is None:
        return None
    if timing.clock_ns and timing.met:
        return cycles.Clock(1e3 / timing.clock_ns, "the clock that the synthesis meets, before wires")
    return cycles.Clock(timing.mhz, "what the longest path allows, before wires")


def _opened(diagrams: list[Placed]) -> set[str]:
    """Diagrams that are unfolded at first: the way from the top to the core, and what the core is made of."""
    first = {placed.diagram.module for placed in diagrams[:1]}
    return first | {"program_core", "engine", "core", "residual_matrix_core", "low_rank_vector_core"}


def _energy(compared: list[schemes.Comparison], scheme: str) -> list[tuple[str, schemes.EnergyBar]]:
    """Energies of the configuration's scheme, by library."""
    return [(each.library, bar) for each in compared for bar in each.energies if bar.scheme == scheme]


def _tiles(
    config: Config,
    area: silicon.AreaView | None,
    timing: silicon.TimingView | None,
    clock: cycles.Clock | None,
    works: list[cycles.WorkloadView],
    inputs: Inputs,
    compared: list[schemes.Comparison],
) -> list[Tile]:
    """The figures at the head of the page."""
    macs = config.rmc.rows * config.rmc.cols * config.rmc.lanes
    found = [Tile("multiply-accumulates a cycle", texts.number(macs), "of the array")]
    if area is not None and inputs.synth is not None:
        where = _where(inputs)
        size = texts.area(area.whole, area.unit)
        found.append(Tile(f"area of {inputs.synth.unit}", size, f"{where}, logic"))
    else:
        found.append(Tile("area", "", ""))
    if timing is not None:
        state = "" if timing.met is None else " (met)" if timing.met else " (missed)"
        asked = f"; asked {timing.clock_ns:g} ns{state}" if timing.clock_ns else ""
        found.append(
            Tile(
                "longest path",
                f"{timing.critical_ns:.2f} ns",
                f"{texts.number(timing.mhz)} MHz{asked}, before wires",
            )
        )
    else:
        found.append(Tile("longest path", "", ""))
    if clock is not None:
        tops = 2 * macs * clock.mhz / 1e6
        found.append(Tile("peak", texts.operations(tops), f"at {texts.number(clock.mhz)} MHz; a MAC is two"))
    bars = _energy(compared, config.groups.scheme)
    for power in inputs.power:
        note = (
            f"{texts.digits(power.tops_per_watt)} TOPS/W, {library_label(power.library.names)}, before wires"
        )
        found.append(Tile("energy of a MAC", f"{texts.number(power.fj_per_mac)} fJ", note))
    if bars and not inputs.power:
        library, bar = bars[0]
        found.append(Tile("energy of a MAC", f"{bar.total:.0f} fJ", f"{library}, slice of the array"))
    elif not inputs.power:
        found.append(Tile("energy of a MAC", "", ""))
    for work in works:
        if work.total is None:
            found.append(Tile(work.name, "does not fit", "see below"))
            continue
        milliseconds = work.total.milliseconds
        speed = f"{texts.number(work.total.cycles)} cycles"
        if milliseconds is not None:
            speed += f", {texts.duration(milliseconds)}"
        found.append(Tile(f"{work.name}: useful", texts.percent(work.total.utilization), speed))
    figure = accuracy.best_figure(inputs.evaluate, config.groups.scheme)
    if figure is not None:
        what, value, trained = figure
        found.append(Tile(what, value, f"FP32: {trained}"))
    else:
        found.append(Tile("accuracy", "", ""))
    return found


def _where(inputs: Inputs) -> str:
    """What was synthesised for, in words."""
    synth = inputs.synth
    if synth is None:
        return ""
    return ", ".join(synth.library.names) if synth.library and synth.library.names else synth.target
