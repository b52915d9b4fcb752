"""What was measured of trained models, ready for the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

from .documents import Evaluate, Judged, Row
from .texts import digits, number

FIGURES = (("perplexity", "perplexity", 2), ("pearson", "Pearson", 4), ("cosine", "cosine to FP32", 4))
"""Figures of a row: field, heading, decimal places."""

FP32 = "fp32"
"""The label of the model as it was trained."""


@dataclass(frozen=True)
class ModelView:
    """A model: what it was judged on; heads and rows of its table; `ours`: rows of the configuration's scheme.

    A row is its name, whether it is of that scheme, and its figures.
    """

    name: str
    measure: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, bool, tuple[str, ...]], ...]
    golden: bool


def models(evaluations: Sequence[Evaluate], scheme: str) -> list[ModelView]:
    """A table for every model that was evaluated."""
    return [_view(model, scheme, each.golden) for each in evaluations for model in each.models if model.rows]


def best_figure(evaluations: Sequence[Evaluate], scheme: str) -> tuple[str, str, str] | None:
    """The figure for the head of the page: what, the scheme's, and that of FP32; of the first model that has it."""
    for evaluation in evaluations:
        for model in evaluation.models:
            ours = next((r for r in model.rows if r.scheme == scheme and r.attention == "float"), None)
            if ours is None:
                continue
            for field, heading, places in FIGURES:
                value = getattr(ours, field)
                if value is not None:
                    trained = next(
                        (r for r in model.rows if r.label == FP32 and r.attention == "float"), None
                    )
                    beside = getattr(trained, field) if trained else None
                    return f"{model.name}, {heading}", number(value, places), number(beside, places)
    return None


def _view(model: Judged, scheme: str, golden: bool) -> ModelView:
    figures = [each for each in FIGURES if any(getattr(row, each[0]) is not None for row in model.rows)]
    heads = (
        "attention",
        "rank",
        "bits x",
        "bits w",
        "bits in memory",
        *(heading for _, heading, _ in figures),
    )
    rows = tuple(
        (
            PurePath(row.label).name,
            row.scheme == scheme,
            (
                row.attention,
                _ranks(row),
                digits(row.activation_bits, 4),
                digits(row.weight_bits, 4),
                digits(row.memory_bits, 4),
                *(number(getattr(row, field), places) for field, _, places in figures),
            ),
        )
        for row in model.rows
    )
    sizes = [f"{value:,} {name}" for name, value in model.measure.items() if isinstance(value, int)]
    text = str(model.measure.get("text", ""))
    return ModelView(model.name, "; ".join(filter(None, [text, ", ".join(sizes)])), heads, rows, golden)


def _ranks(row: Row) -> str:
    """Ranks in FP16, INT8 and INT4; the first alone where there are no others."""
    if row.scheme is None:
        return ""
    counts = [row.ranks.get(name, 0) for name in ("fp16", "int8", "int4")]
    return " + ".join(map(str, counts)) if any(counts[1:]) else str(counts[0])
