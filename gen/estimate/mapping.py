"""The same number of PEs in arrays of other shapes: what partly filled tiles cost in each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sevedo.gen.config import Config

from .bandwidth import array_bytes
from .shapes import LayerShape

MOST = 256
"""The largest rows and cols of a configuration."""


@dataclass(frozen=True)
class Mapping:
    """An array of `rows` x `cols` PEs.

    Members
    -------
    tokens : share of the array's beats lost to columns without a token
    outputs : share lost to rows without an output
    operand_bytes : bytes of x and w, scales included, that it takes in a cycle
    """

    rows: int
    cols: int
    tokens: float
    outputs: float
    operand_bytes: float

    @property
    def lost(self) -> float:
        """Both shares together."""
        return self.tokens + self.outputs


def mappings(config: Config, layers: Sequence[LayerShape]) -> list[Mapping]:
    """Every shape of as many PEs as `config` has, from many rows to many columns, for the layers together.

    A layer weighs what its products do; K is taken as it is, since no shape of the array changes its padding.
    """
    pes = config.rmc.rows * config.rmc.cols
    found = []
    for rows in range(min(pes, MOST), 0, -1):
        cols = pes // rows
        if rows * cols != pes or cols > MOST:
            continue
        shaped = config.replace(
            rmc__rows=rows, rmc__cols=cols, lvc__lanes=rows, lvc__output_tokens=1,
            lvc__int8_ranks=0, lvc__int4_ranks=0,
        )  # fmt: skip
        needed = sum(_slots(layer, 1, 1) for layer in layers)
        with_columns = sum(_slots(layer, 1, cols) for layer in layers)
        taken = sum(_slots(layer, rows, cols) for layer in layers)
        found.append(
            Mapping(
                rows,
                cols,
                tokens=(with_columns - needed) / with_columns,
                outputs=needed / with_columns * (1 - with_columns / taken),
                operand_bytes=array_bytes(shaped),
            )
        )
    return found


def _slots(layer: LayerShape, rows: int, cols: int) -> int:
    """Products that tiles of rows x cols make room for, K as it is."""
    tokens = -(-layer.tokens // cols) * cols
    outputs = -(-layer.outputs // rows) * rows
    return tokens * outputs * layer.inputs * layer.passes * layer.count
