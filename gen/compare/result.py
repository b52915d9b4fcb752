"""The figures of a comparison: a row a scheme, as data and as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from sevedo.gen.compare.silicon import CATEGORIES, DEQUANTIZATION, DOT, Silicon, data
from sevedo.gen.config import Config

REFERENCE = "hgq"
"""The scheme that the others are set against."""


@dataclass(frozen=True)
class Row:
    """One scheme.

    Members
    -------
    scheme : its name
    config : the core
    activation_bits, weight_bits : memory of a value
    error : root mean square over real layers of the relative output error; None without the model
    silicon : figures by the name of the library
    """

    scheme: str
    config: Config
    activation_bits: float
    weight_bits: float
    error: float | None
    silicon: Mapping[str, Silicon]

    @property
    def bits(self) -> float:
        """Memory of a value, mean of activation and weight."""
        return (self.activation_bits + self.weight_bits) / 2

    def data(self) -> dict[str, Any]:
        """The row as plain data."""
        return {
            "scheme": self.scheme,
            "configuration": self.config.model_dump(),
            "activation_bits": self.activation_bits,
            "weight_bits": self.weight_bits,
            "error": self.error,
            "silicon": {name: data(figures) for name, figures in self.silicon.items()},
        }


@dataclass(frozen=True)
class Ratio:
    """A figure of the reference over that of another scheme, and the mark: at most so much."""

    library: str
    what: str
    against: str
    value: float
    mark: float

    @property
    def met(self) -> bool:
        """Whether the mark is reached."""
        return self.value <= self.mark

    def text(self) -> str:
        """In words."""
        change = f"{100 * (self.value - 1):+.1f} %"
        mark = f"at most {100 * (self.mark - 1):+.0f} %"
        return f"{self.library}: {REFERENCE} against {self.against}, {self.what} {change} ({mark})"


def ratios(rows: Sequence[Row]) -> list[Ratio]:
    """The reference against the schemes that marks are set for."""
    by_name = {row.scheme: row for row in rows}
    if REFERENCE not in by_name:
        return []
    found = []
    for library, ours in by_name[REFERENCE].silicon.items():
        for against, what, mark in (
            ("fp-fine", "area", 0.75),
            ("fp-fine", "dequantization energy", 0.5),
            ("coarse", "area", 1.2),
        ):
            if against not in by_name:
                continue
            theirs = by_name[against].silicon[library]
            pair = (
                (ours.area, theirs.area) if what == "area" else (ours.dequantization, theirs.dequantization)
            )
            if pair[0] is not None and pair[1]:
                found.append(Ratio(library, what, against, pair[0] / pair[1], mark))
    return found


def pareto(points: Sequence[tuple[float, float]]) -> list[int]:
    """Indices of the points that no other point beats in both coordinates, by the first coordinate."""
    order = sorted(range(len(points)), key=lambda index: points[index])
    front: list[int] = []
    for index in order:
        if not front or points[index][1] < points[front[-1]][1]:
            front.append(index)
    return front


def cells(rows: Sequence[Row], library: str | None) -> tuple[list[str], list[list[str]]]:
    """Heads and texts of the table of one library, or of what needs none."""
    heads = ["scheme", "bits x", "bits w", "error %"]
    if library is not None:
        heads += ["area um2", "to hgq", "PE ns", "scale ns"]
        heads += [f"{name} fJ" for name in (DOT, *DEQUANTIZATION)] + ["dequant. fJ", "to hgq"]
    base = next((row for row in rows if row.scheme == REFERENCE), rows[0])
    texts = []
    for row in rows:
        line = [
            row.scheme,
            f"{row.activation_bits:.4g}",
            f"{row.weight_bits:.4g}",
            _number(None if row.error is None else 100 * row.error, 2),
        ]
        if library is not None:
            ours, reference = row.silicon[library], base.silicon[library]
            line += [
                _number(ours.area, 0),
                _number(ours.area / reference.area, 2),
                _number(ours.pe_delay, 2),
                _number(ours.coarse_delay, 2),
            ]
            energies = ours.energies or {}
            line += [_number(energies.get(name), 1) for name in (DOT, *DEQUANTIZATION)]
            known = ours.dequantization is not None and reference.dequantization
            line += [
                _number(ours.dequantization, 1),
                _number(ours.dequantization / reference.dequantization if known else None, 2),  # type: ignore[operator]
            ]
        texts.append(line)
    return heads, texts


def table(rows: Sequence[Row], library: str | None) -> Table:
    """A table for the terminal."""
    heads, texts = cells(rows, library)
    made = Table(title=library or "no library", title_justify="left")
    for index, head in enumerate(heads):
        made.add_column(head, justify="right" if index else "left")
    for line in texts:
        made.add_row(*line)
    return made


def _number(value: float | None, places: int) -> str:
    return "-" if value is None else f"{value:,.{places}f}"


def legend() -> str:
    """What the columns mean."""
    return (
        "bits: memory of an activation x, of a weight w, with its share of scales. error: root mean square of the "
        "relative output error. area: residual matrix core. ns: longest path of a PE, of a coarse-scale unit. fJ per "
        f"multiply-accumulate: {', '.join(category.name for category in CATEGORIES[:-1])}; dequant. is all but the "
        "dot product."
    )
