"""The rows of an evaluation as a table and as plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from sevedo.gen.evaluate.case import FP32, Row

FIGURES = {"perplexity": ("perplexity", 3), "pearson": ("Pearson", 4), "cosine": ("cosine", 4)}
"""Headings and decimal places of figures."""


def table(model: str, facts: Mapping[str, Any], rows: Sequence[Row]) -> Table:
    """A row for every scheme; what it loses against float32 beside it."""
    sizes = ", ".join(f"{value:,} {name}" for name, value in facts.items() if isinstance(value, int))
    made = Table(title=f"{model}: {facts['text']}; {sizes}", title_justify="left")
    made.add_column("layers", no_wrap=True)
    for head in ("attention", "rank", "bits x", "bits w", "memory", *_heads(rows), "seconds"):
        made.add_column(head, justify="right", no_wrap=True)
    trained = next((row for row in rows if row.label == FP32 and row.attention == "float"), None)
    for row in rows:
        made.add_row(
            row.label,
            row.attention,
            "" if row.scheme is None else _ranks(row),
            *(f"{bits:.4g}" for bits in (*row.bits, row.memory)),
            *_cells(row, trained),
            f"{row.seconds:.0f}",
        )
    return made


def _heads(rows: Sequence[Row]) -> list[str]:
    return [head for name in rows[0].figures for head in (FIGURES[name][0], _change(name)) if head]


def _change(name: str) -> str:
    """The heading of what is lost; cosines are against float32 as they are."""
    return {"perplexity": "to FP32", "pearson": "to FP32"}.get(name, "")


def _cells(row: Row, trained: Row | None) -> list[str]:
    found = []
    for name, value in row.figures.items():
        found.append(f"{value:,.{FIGURES[name][1]}f}")
        if not _change(name):
            continue
        if trained is None or trained is row:
            found.append("")
        elif name == "perplexity":
            found.append(f"{value / trained.figures[name] - 1:+.1%}")
        else:
            found.append(f"{value - trained.figures[name]:+.4f}")
    return found


def _ranks(row: Row) -> str:
    """Ranks in FP16, INT8 and INT4; the first alone where there are no others."""
    return " + ".join(map(str, row.ranks)) if any(row.ranks[1:]) else str(row.ranks[0])


def legend() -> str:
    """What the columns mean."""
    return (
        "rank: of the low-rank path, FP16 + INT8 + INT4. bits: memory of an activation x, of a weight w, its share of "
        "scales included. memory: bits of all that the layers keep for each of their weights, low-rank factors too. "
        "Pearson: correlation of cosines with people's ratings. cosine: mean, to the embeddings in float32."
    )


def data(
    subjects: Mapping[str, Mapping[str, Any]], rows: Mapping[str, Sequence[Row]]
) -> list[dict[str, Any]]:
    """The models with their rows, plain data."""
    return [{**subjects[name], "rows": [row.data() for row in found]} for name, found in rows.items()]
