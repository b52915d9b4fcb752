"""Codes of z, from where they are made to where they wait."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from sevedo.gen.config import Config
from sevedo.hw.core import payloads
from sevedo.hw.unit import Unit

from .code import ZCode
from .pair import ClassWalk


class CodeWriter(Unit):
    """Makes codes of z of the integer classes, a token of `int_ranks` ranks in a cycle, and says where they belong.

    Timing: a beat a cycle while the column tile has `room`; codes come out `latency` cycles later.
    Numerics: those of `ZCode`.

    Parameters
    ----------
    config : sizes and formats, with integer classes

    Members
    -------
    command : In(stream of payloads.command), one for a layer
    z : In(stream of ArrayLayout(ArrayLayout(32, int_ranks), 1)), FP32
    room : In(1), codes of this column tile have a place
    claim : Out(1), the last z of a column tile is taken: the place is
    write : Out(1), `codes` are there; done : Out(1), the last of a column tile
    index, block, part, token : Out, class, block of `int_lanes` ranks, block of `int_ranks` ranks within it, token
    codes : Out(ArrayLayout(ArrayLayout(signed(activation_bits), 2), int_ranks)), digits, the low ones first
    """

    latency = 1

    def __init__(self, config: Config) -> None:
        self.config = config
        lvc = config.lvc
        code = data.ArrayLayout(signed(config.numbers.activation_bits), 2)
        super().__init__(
            {
                "command": In(stream.Signature(payloads.command(config))),
                "z": In(stream.Signature(payloads.residual_sums(config.projection))),
                "room": In(1),
                "claim": Out(1),
                "write": Out(1),
                "done": Out(1),
                "index": Out(1),
                "block": Out(range(max(-(-each.ranks // lvc.int_lanes) for each in config.rank_classes) + 1)),
                "part": Out(range(max(lvc.int_lanes // lvc.int_ranks, 2))),
                "token": Out(range(max(config.rmc.cols, 2))),
                "codes": Out(data.ArrayLayout(code, lvc.int_ranks)),
            }
        )

    @property
    def module_name(self) -> str:
        return "code_writer"

    def build(self) -> Module:
        m = Module()
        config, layer = self.config, self.command.p
        parts = config.lvc.int_lanes // config.lvc.int_ranks
        sizes = [layer[f"{each.name}_rows"] for each in config.rank_classes]
        token, part, block = (Signal.like(port) for port in (self.token, self.part, self.block))
        row = Signal.like(sizes[0] if len(sizes) == 1 else sizes[0] + sizes[1])
        col_tile = Signal.like(layer.col_tiles)
        go = Signal()
        end_of_class = Signal()
        walk = ClassWalk.build(m, sizes, end_of_class)
        last_token, last_row = token == config.rmc.cols - 1, row + 1 == walk.of(sizes)
        last_col = col_tile + 1 == layer.col_tiles
        m.d.comb += [
            go.eq(self.command.valid & walk.any & self.z.valid & self.room),
            self.z.ready.eq(go),
            end_of_class.eq(go & last_token & last_row),
            self.claim.eq(end_of_class & walk.last),
            self.command.ready.eq(~walk.any | (self.claim & last_col)),
        ]
        with m.If(go):
            m.d.sync += token.eq(Mux(last_token, 0, token + 1))
        with m.If(go & last_token):
            m.d.sync += [row.eq(row + 1), part.eq(part + 1)]
            with m.If(part == parts - 1):
                m.d.sync += [part.eq(0), block.eq(block + 1)]
            with m.If(last_row):
                m.d.sync += [row.eq(0), part.eq(0), block.eq(0)]
        with m.If(self.claim):
            m.d.sync += col_tile.eq(Mux(last_col, 0, col_tile + 1))

        m.d.sync += [self.write.eq(go), self.done.eq(self.claim)]
        places = [
            Signal.like(port, reset_less=True) for port in (self.index, self.block, self.part, self.token)
        ]
        codes = Signal.like(self.codes, reset_less=True)
        m.d.comb += [Cat(self.index, self.block, self.part, self.token).eq(Cat(places)), self.codes.eq(codes)]
        m.d.sync += Cat(places).eq(Cat(walk.which, block, part, token))
        for rank in range(config.lvc.int_ranks):
            m.submodules[f"code_{rank}"] = unit = ZCode(config.numbers.activation_bits)
            m.d.comb += unit.z.eq(self.z.p[0][rank])
            m.d.sync += codes[rank].eq(unit.digits)
        return m
