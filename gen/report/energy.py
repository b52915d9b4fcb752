"""Power and energy of a core at gate level, ready for the page."""

from __future__ import annotations

from dataclasses import dataclass

from .documents import Power, PowerRun

MOST_ROWS = 30
"""Parts in the table; the small rest is one row."""


@dataclass(frozen=True)
class PartView:
    """A row: group and part; fJ per multiply-accumulate, by kind and in all; share of the whole."""

    group: str
    name: str
    cells: int
    kinds: tuple[float, float, float, float]
    total: float
    share: float


@dataclass(frozen=True)
class EnergyView:
    """What a measurement of power says.

    Members
    -------
    groups : name, fJ per multiply-accumulate, share of the whole; the largest first
    parts : the largest first
    others : the same core with other data: what data, and the run
    data : what was run, in words
    low, high : of the energies told in another technology; None without any
    cells, kinds : of all parts together
    """

    groups: tuple[tuple[str, float, float], ...]
    parts: tuple[PartView, ...]
    others: tuple[tuple[str, PowerRun], ...]
    data: str
    low: float | None
    high: float | None
    cells: int
    kinds: tuple[float, ...]


def energy_view(power: Power) -> EnergyView:
    """Groups and parts by size."""
    whole = power.fj_per_mac or 1.0
    groups = sorted(power.groups.items(), key=lambda item: -item[1])
    parts = [
        PartView(
            part.group,
            part.name,
            part.cells,
            (part.internal, part.switching, part.clock, part.leakage),
            part.fj_per_mac,
            part.fj_per_mac / whole,
        )
        for part in sorted(power.parts, key=lambda part: -part.fj_per_mac)
    ]
    shown, rest = parts[:MOST_ROWS], parts[MOST_ROWS:]
    if rest:
        sums = [sum(part.kinds[place] for part in rest) for place in range(4)]
        shown.append(
            PartView(
                "",
                f"{len(rest)} smaller parts",
                sum(part.cells for part in rest),
                (sums[0], sums[1], sums[2], sums[3]),
                sum(part.total for part in rest),
                sum(part.share for part in rest),
            )
        )
    told = [rule.fj_per_mac for rule in power.scaled.rules] if power.scaled else []
    return EnergyView(
        tuple((name, value, value / whole) for name, value in groups),
        tuple(shown),
        tuple((words(run), run) for run in power.sensitivity),
        words(power),
        min(told, default=None),
        max(told, default=None),
        sum(part.cells for part in parts),
        tuple(sum(part.kinds[place] for part in parts) for place in range(4)),
    )


def words(run: PowerRun) -> str:
    """What data a run had."""
    data = run.data
    text = str(data.get("meaning") or data.get("kind") or "data that was not named")
    where = ", ".join(str(data[name]) for name in ("model", "layer") if data.get(name))
    sizes = [
        f"{name} {data[key]:,}"
        for name, key in (("T", "tokens"), ("K", "inputs"), ("N", "outputs"))
        if key in data
    ]
    return "; ".join(filter(None, [text, where, ", ".join(sizes)]))
