"""The first product of the low-rank path."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from sevedo.gen.config import Config
from sevedo.hw.core import payloads
from sevedo.hw.unit import Unit

from .lane import VectorLane


class Projector(Unit):
    """z = V x' of every column tile: lanes of `lvc.ranks` ranks times `cols` tokens, an input k in a step.

    It runs ahead of everything else, into the next column tile and the next layer, as far as operands and z buffers go.
    Commands with rank 0 pass without a step.

    Timing: a step a cycle while operands are there; the last step of a block of ranks waits for `room`. A block of z is
    written `latency` cycles after it.
    Numerics: docs/numerics.md, low-rank path.

    Parameters
    ----------
    config : sizes and formats

    Members
    -------
    command : In(stream of payloads.command), one for a layer
    token : In(stream of payloads.numbers, cols), x'
    v : In(stream of payloads.numbers, lvc.ranks)
    room : In(1), z of this column tile has a place
    claim : Out(1), the last step of a column tile: the place is taken
    write : Out(1), `z` is that of the ranks of `block`; done : Out(1), it completes the column tile
    block : Out, block of ranks
    z : Out(ArrayLayout(ArrayLayout(number.width, lvc.ranks), cols))
    """

    latency = VectorLane.latency

    def __init__(self, config: Config) -> None:
        self.config = config
        number, tokens = config.numbers.data_format, config.rmc.cols
        column = data.ArrayLayout(unsigned(number.width), config.lvc.ranks)
        super().__init__(
            {
                "command": In(stream.Signature(payloads.command(config))),
                "token": In(stream.Signature(payloads.numbers(config, tokens))),
                "v": In(stream.Signature(payloads.numbers(config, config.lvc.ranks))),
                "room": In(1),
                "claim": Out(1),
                "write": Out(1),
                "done": Out(1),
                "block": Out(payloads.command(config)["rank_blocks"].shape),
                "z": Out(data.ArrayLayout(column, tokens)),
            }
        )

    @property
    def module_name(self) -> str:
        return "projector"

    def build(self) -> Module:
        m = Module()
        config, layer = self.config, self.command.p
        index = Signal.like(layer.inputs)
        block = Signal.like(self.block)
        col_tile = Signal.like(layer.col_tiles)
        go, last = Signal(), Signal()
        last_block = block + 1 == layer.rank_blocks
        operands = self.command.valid & (layer.rank != 0) & self.token.valid & self.v.valid
        m.d.comb += [
            last.eq(index + 1 == layer.inputs),
            go.eq(operands & (~last | self.room)),
            self.token.ready.eq(go),
            self.v.ready.eq(go),
            self.claim.eq(go & last & last_block),
            self.command.ready.eq((layer.rank == 0) | (self.claim & (col_tile + 1 == layer.col_tiles))),
        ]
        with m.If(go):
            m.d.sync += index.eq(Mux(last, 0, index + 1))
        with m.If(go & last):
            m.d.sync += block.eq(Mux(last_block, 0, block + 1))
        with m.If(self.claim):
            m.d.sync += col_tile.eq(Mux(self.command.ready, 0, col_tile + 1))

        # What the results of the lanes are, alongside the lanes.
        valid: Value = Cat(go & last, self.claim)
        place: Value = block
        for stage in range(VectorLane.latency):
            valids = Signal(2, name=f"valid_{stage}")
            places = Signal.like(block, name=f"block_{stage}", reset_less=True)
            m.d.sync += [valids.eq(valid), places.eq(place)]
            valid, place = valids, places
        m.d.comb += [Cat(self.write, self.done).eq(valid), self.block.eq(place)]

        for token in range(config.rmc.cols):
            for rank in range(config.lvc.ranks):
                lane = VectorLane(config.numbers.data_format, 1, rounds=True)
                m.submodules[f"lane_{rank}_{token}"] = lane
                m.d.comb += [
                    lane.a.eq(self.token.p[token]),
                    lane.b.eq(self.v.p[rank]),
                    lane.valid.eq(go),
                    lane.first.eq(index == 0),
                    self.z[token][rank].eq(lane.result),
                ]
        return m
