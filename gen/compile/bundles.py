"""The operands of a layer as STREAM instructions take them: lists of equal bundles, in bytes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from sevedo.gen.config import Config
from sevedo.gen.config.instructions import BY_NAME
from sevedo.gen.config.operands import NAMES, Operand, operands
from sevedo.ref.linear import QuantizedLinear
from sevedo.ref.machine.beats import pack_sections

from .beats import Array, Beats, layer_beats
from .errors import CompileError

MOST_BEATS = (1 << next(f.width for f in BY_NAME["STREAM"].fields if f.name == "count_w")) - 1
"""Beats of an operand that a bundle can have."""


@dataclass(frozen=True)
class Stream:
    """Operands of one STREAM instruction.

    Members
    -------
    counts : beats of each operand in a bundle
    content : the bundles, one after the other; whole bus words
    """

    counts: Mapping[str, int]
    content: bytes


def layer_streams(name: str, layer: QuantizedLinear, config: Config) -> tuple[list[Stream], dict[str, int]]:
    """The streams of a layer for a column tile, in the order in which the core takes them; bytes of each operand.

    Raises
    ------
    CompileError : a bundle would have more beats than an instruction can say.
    """
    known, streams, sizes = operands(config), [], Counter[str]()
    for bundle in _bundles(layer, config):
        counts = {operand: bundle[operand].shape[1] for operand in NAMES if operand in bundle}
        for operand, count in counts.items():
            if count > MOST_BEATS:
                raise CompileError(
                    f"layer {name}: inputs K={layer.inputs} make {count} beats of {operand} in a bundle; it can have "
                    f"at most {MOST_BEATS} (rmc.lanes={config.rmc.lanes}, lvc.lanes={config.lvc.lanes})"
                )
        sections = _sections(bundle, known, 8 * config.bus.data_bytes)
        sizes.update({operand: section.size for operand, section in sections.items()})
        streams.append(Stream(counts, np.concatenate(list(sections.values()), axis=1).tobytes()))
    return streams, dict(sizes)


def _bundles(layer: QuantizedLinear, config: Config) -> Iterator[Beats]:
    """Operands of every STREAM: [bundles, beats of each bundle, *shape]."""
    beats, group = layer_beats(layer, config), config.lvc_tiles
    yield from beats.projections
    tiles = -(-layer.outputs // config.rmc.rows)
    whole = tiles // group * group
    for first, last, size in ((0, whole, group), (whole, tiles, tiles - whole)):
        if first < last:
            yield {
                name: values[first // group : -(-last // group)]
                if name == "u"
                else values[first:last].reshape((last - first) // size, -1, *values.shape[2:])
                for name, values in beats.tiles.items()
            }


def _sections(bundle: Beats, known: Mapping[str, Operand], bus_bits: int) -> dict[str, Array]:
    """Bytes of every operand, a row for each bundle, in the order of a bundle."""
    return {name: pack_sections(known[name], bundle[name], bus_bits) for name in NAMES if name in bundle}
