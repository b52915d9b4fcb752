"""From layers in order to a program: for each layer and column tile the same few instructions, ordered by tokens.

LOAD, QUANTIZE, MATMUL and STORE come before the STREAMs of a step: a STREAM ends only when the MATMUL takes its
operands and STORE its outputs, and instructions behind a full queue are not fetched. Every token is given by an
earlier instruction than those that wait for it. So the first instruction that is not done can always go on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby

from sevedo.gen.config import Config
from sevedo.gen.config.instructions import Segment, Target
from sevedo.ref.linear import QuantizedLinear

from .bundles import Stream
from .layout import Layout
from .memory import NEVER, Rows, code_halves, multiplier_halves
from .tokens import Channel, Instruction, Token

_AHEAD = 4
"""STORE this many steps back is nearly over when a LOAD begins: waiting for it costs nothing and bounds the tokens."""


_NUMBER_BYTES = 2
"""Of a number of the data format, FP16 or BF16."""


@dataclass(frozen=True)
class Placed:
    """A layer and where its operands lie in the image, from the first operand on.

    Members
    -------
    name, layer : the layer
    multipliers : offset of m
    streams : (offset, operands), in the order of the core
    """

    name: str
    layer: QuantizedLinear
    multipliers: int
    streams: list[tuple[int, Stream]]


@dataclass
class Program:
    """Instructions in order, addresses of the image counted from the first operand on.

    Members
    -------
    instructions : the last one is END
    ranges : for each layer the ranges [first, end) of its instructions, one for each column tile
    """

    instructions: list[Instruction] = field(default_factory=list)
    ranges: dict[str, list[tuple[int, int]]] = field(default_factory=dict)


class Writer:
    """Makes a program.

    Parameters
    ----------
    config : the processor
    tokens : T of every layer
    layout : of the data segment
    """

    def __init__(self, config: Config, tokens: int, layout: Layout) -> None:
        self.config, self.tokens, self.layout = config, tokens, layout
        self.program = Program()
        self._rows, self._multipliers, self._codes = (
            Rows(config), multiplier_halves(config), code_halves(config),
        )  # fmt: skip
        self._channels = {kind: Channel(kind) for kind in Token}
        self._matmuls: list[Instruction] = []
        self._stores: list[Instruction] = []
        self._written: dict[tuple[int, int], int] = {}  # (offset of a layer's output, column tile): step

    def write(self, layers: list[Placed]) -> Program:
        """The whole program."""
        for placed, tile in self._steps(layers):
            first = len(self.program.instructions)
            self._step(placed, tile)
            ranges = self.program.ranges.setdefault(placed.name, [])
            ranges.append((first, len(self.program.instructions)))
        self._add("END")
        return self.program

    def _steps(self, layers: list[Placed]) -> Iterator[tuple[Placed, int]]:
        """Layers in order, each column tile of those that read the same input one after the other."""
        for _, group in groupby(layers, lambda placed: self.layout.reads[placed.name]):
            same = list(group)
            for tile in range(-(-self.tokens // self.config.rmc.cols)):
                yield from ((placed, tile) for placed in same)

    def _add(self, name: str, **fields: int) -> Instruction:
        self.program.instructions.append(Instruction(name, fields))
        return self.program.instructions[-1]

    def _step(self, placed: Placed, tile: int) -> None:
        """A layer for a column tile."""
        layer, config, step = placed.layer, self.config, len(self._matmuls)
        source, target = self.layout.reads[placed.name], self.layout.outputs[placed.name]
        first = tile * config.rmc.cols
        tokens = min(config.rmc.cols, self.tokens - first)
        groups, row_tiles = layer.weight.groups, -(-layer.outputs // config.rmc.rows)
        loads = []

        multipliers = self._multipliers.take(placed.name, step)
        if multipliers.fresh:
            loads.append(
                self._add(
                    "LOAD", segment=Segment.IMAGE, target=Target.MULTIPLIERS, address=placed.multipliers,
                    row=multipliers.first, tokens=1, inputs=layer.inputs,
                )
            )  # fmt: skip
            self._wait(Token.ROOM, multipliers.parts[0].after, self._matmuls, loads[-1])
        rows = self._rows.take((source, tile), layer.inputs, step)
        for part in rows.parts if rows.fresh else ():
            before = (part.first - rows.first) * config.rmc.lanes  # numbers of the parts of lower rows
            loads.append(
                self._add(
                    "LOAD", segment=Segment.DATA, target=Target.IOMEM, row=part.first, tokens=tokens,
                    address=source.offset + first * source.pitch + before * _NUMBER_BYTES, pitch=source.pitch,
                    inputs=min(part.size * config.rmc.lanes, layer.inputs - before),
                )
            )  # fmt: skip
            self._wait(Token.ROOM, part.after, self._matmuls, loads[-1])
            writer = self._written.get((source.offset, tile), NEVER)
            if writer != NEVER:
                self._wait(Token.STORED, max(writer, step - _AHEAD), self._stores, loads[-1])

        codes = self._codes.take(step, step)
        quantize = self._add(
            "QUANTIZE", row=rows.first, tokens=tokens, inputs=layer.inputs, groups=groups,
            multiplier_row=multipliers.first, group=codes.first,
        )  # fmt: skip
        self._wait(Token.CODE_ROOM, codes.parts[0].after, self._matmuls, quantize)
        if loads:
            self._channels[Token.LOADED].require(step, loads[-1], quantize)
        matmul = self._add(
            "MATMUL", row=rows.first, multiplier_row=multipliers.first, inputs=layer.inputs, groups=groups,
            group=codes.first, row_tiles=row_tiles, **_sizes(layer, config),
        )  # fmt: skip
        self._channels[Token.CODED].require(step, quantize, matmul)
        store = self._add(
            "STORE", address=target.offset + first * target.pitch, pitch=target.pitch, tokens=tokens,
            outputs=layer.outputs, row_tiles=row_tiles,
        )  # fmt: skip
        for offset, stream in placed.streams:
            counts = {f"count_{name}": count for name, count in stream.counts.items()}
            words = len(stream.content) // config.bus.data_bytes
            self._add("STREAM", segment=Segment.IMAGE, address=offset, words=words, **counts)
        self._matmuls.append(matmul)
        self._stores.append(store)
        self._written[target.offset, tile] = step

    def _wait(self, kind: Token, step: int, givers: list[Instruction], waiter: Instruction) -> None:
        """`waiter` begins after the instruction of `step` is done."""
        if step != NEVER:
            self._channels[kind].require(step, givers[step], waiter)


def _sizes(layer: QuantizedLinear, config: Config) -> Mapping[str, int]:
    """Fields of MATMUL that say what kind of layer it is."""
    lvc = config.lvc
    found = {
        "wide_activations": layer.activation_scheme.digits - 1,
        "wide_weights": layer.weight.scheme.digits - 1,
        "rank": layer.rank,
        "rank_blocks": -(-layer.rank // lvc.ranks),
    }
    for each in config.rank_classes:
        blocks = -(-layer.class_rank(each.digits) // lvc.int_ranks)
        found[f"{each.name}_rows"] = blocks
        found[f"{each.name}_blocks"] = -(-blocks * lvc.int_ranks // lvc.int_lanes)
    return found
