"""The comparison of scale schemes, ready for the page: a table and a plot for every library."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .documents import Compare, Scheme, Silicon
from .plot import Mark, Plot, scatter
from .texts import area, digits, number, percent

REFERENCE = "hgq"
"""The scheme that others are set against."""

PARTS = ("dot product", "fine dequantizer", "accumulate", "coarse scale", "edge")
"""Parts of the energy, in the order of the bars."""


@dataclass(frozen=True)
class EnergyBar:
    """Energy of a scheme, fJ per multiply-accumulate, by `PARTS`."""

    scheme: str
    values: tuple[float, ...]

    @property
    def total(self) -> float:
        """All parts."""
        return sum(self.values)

    @property
    def shares(self) -> list[float]:
        """Of the whole."""
        return [value / self.total if self.total else 0.0 for value in self.values]


@dataclass(frozen=True)
class Comparison:
    """Schemes in one library, or without one.

    Members
    -------
    library : its name; empty without one
    heads : of the table
    rows : a scheme each: its name, and its figures
    plot : error over area, or over memory
    energies : by scheme; empty where they were not measured
    """

    library: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, tuple[str, ...]], ...]
    plot: Plot | None
    energies: tuple[EnergyBar, ...]


def comparisons(compare: Compare) -> list[Comparison]:
    """One for every library; one without figures of silicon where there is none."""
    libraries = list(dict.fromkeys(name for scheme in compare.schemes for name in scheme.silicon))
    return [_comparison(compare.schemes, library) for library in libraries or [""]]


def _comparison(schemes: Sequence[Scheme], library: str) -> Comparison:
    heads = ["memory of x", "memory of w", "output error"]
    if library:
        heads += ["area", "to hgq", "PE path", "scale path", "energy", "dequantization", "to hgq"]
    base = next((scheme for scheme in schemes if scheme.scheme == REFERENCE), schemes[0])
    rows, marks, energies = [], [], []
    for scheme in schemes:
        told = [
            f"{digits(scheme.activation_bits, 4)} b",
            f"{digits(scheme.weight_bits, 4)} b",
            percent(scheme.error, 2),
        ]
        found = scheme.silicon.get(library)
        if found is not None:
            told += _silicon(found, base.silicon.get(library))
            if found.energies:
                energies.append(
                    EnergyBar(scheme.scheme, tuple(found.energies.get(name, 0.0) for name in PARTS))
                )
        elif library:
            told += [number(None)] * (len(heads) - 3)
        rows.append((scheme.scheme, tuple(told)))
        if scheme.error is not None:
            place = found.area / 1e6 if found else (scheme.activation_bits + scheme.weight_bits) / 2
            marks.append(Mark(scheme.scheme, place, 100 * scheme.error))
    across = "area of the residual matrix core, mm²" if library else "memory, bits a value (mean of x and w)"
    plot = scatter(marks, across, "error of the outputs, %") if len(marks) > 1 else None
    return Comparison(library, tuple(heads), tuple(rows), plot, tuple(energies))


def _silicon(ours: Silicon, base: Silicon | None) -> list[str]:
    def ratio(mine: float | None, other: float | None) -> str:
        return number(None) if not mine or not other else f"{mine / other:.2f}"

    return [
        area(ours.area),
        ratio(ours.area, base.area if base else None),
        number(None) if ours.pe_delay is None else f"{ours.pe_delay:.2f} ns",
        number(None) if ours.coarse_delay is None else f"{ours.coarse_delay:.2f} ns",
        number(None) if ours.array is None else f"{ours.array:.1f} fJ",
        number(None) if ours.dequantization is None else f"{ours.dequantization:.1f} fJ",
        ratio(ours.dequantization, base.dequantization if base else None),
    ]
