"""The steps of the integer classes' second product, counted."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from sevedo.gen.config import Config
from sevedo.hw.core import payloads
from sevedo.hw.unit import Unit

from .pair import ClassWalk


class ClassSequencer(Unit):
    """Admits steps of `IntegerExpander` and says where each stands: column tile, tile, block of tokens, class, pair of
    digits, block of ranks, from the outside in.

    Timing: combinational from the inputs to `step`; counters step with it. A step waits for its operands, the last one
    of a class also for scales, for `room`, and until `class_share` cycles after the last one of the class before, so
    that nothing that was taken is ever held up. Layers without integer classes pass without a step.

    Parameters
    ----------
    config : sizes and formats, with integer classes

    Members
    -------
    command : In(stream of payloads.command), one for a layer
    operands_valid, scales_valid : In(1)
    room : In, a bit for each class
    step : Out(1), a step is made in this cycle; the following are meaningful with it
    first, last : Out(1), of its class
    promote : Out(1), a step is made that begins digits one place lower
    high : Out(1), z gives its high digit
    free : Out(1), a step is made, the last of its column tile
    index, block, part : Out, class, block of ranks, block of tokens; also before the step
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        lvc = config.lvc
        self.parts = config.rmc.cols // lvc.int_tokens
        blocks = max(-(-each.ranks // lvc.int_lanes) for each in config.rank_classes)
        super().__init__(
            {
                "command": In(stream.Signature(payloads.command(config))),
                "operands_valid": In(1),
                "scales_valid": In(1),
                "room": In(len(config.rank_classes)),
                "step": Out(1),
                "first": Out(1),
                "last": Out(1),
                "promote": Out(1),
                "high": Out(1),
                "free": Out(1),
                "index": Out(1),
                "block": Out(range(blocks + 1)),
                "part": Out(range(max(self.parts, 2))),
            }
        )

    @property
    def module_name(self) -> str:
        return "class_sequencer"

    def build(self) -> Module:
        m = Module()
        config, layer = self.config, self.command.p
        share, parts = config.class_share, self.parts
        blocks = [layer[f"{each.name}_blocks"] for each in config.rank_classes]
        wide = [each.digits - 1 for each in config.rank_classes]  # whether U has two digits
        number = Signal(
            2, name="pass_number"
        )  # (high, high), (high, low), (low, high), (low, low), or high, low
        row_tile = Signal.like(layer.row_tiles)
        col_tile = Signal.like(layer.col_tiles)
        pause = Signal(range(max(share, 2)))  # before the next class can end
        end = Signal()
        walk = ClassWalk.build(m, blocks, end)
        last_block = self.block + 1 == walk.of(blocks)
        last_pass = number == Mux(walk.of(wide), 3, 1)
        last_part = self.part == parts - 1
        last_row, last_col = row_tile + 1 == layer.row_tiles, col_tile + 1 == layer.col_tiles
        end_of_tile = end & walk.last & last_part
        m.d.comb += [
            self.index.eq(walk.which),
            self.first.eq((number == 0) & (self.block == 0)),
            self.last.eq(last_block & last_pass),
            self.step.eq(
                self.command.valid
                & walk.any
                & self.operands_valid
                & (~self.last | (self.scales_valid & walk.of(list(self.room)) & (pause == 0)))
            ),
            end.eq(self.step & self.last),
            self.promote.eq(self.step & number[0] & (self.block == 0)),
            self.high.eq(~Mux(walk.of(wide), number[1], number[0])),
            self.free.eq(end_of_tile & last_row),
            self.command.ready.eq(~walk.any | (self.free & last_col)),
        ]
        with m.If(self.step):
            m.d.sync += self.block.eq(Mux(last_block, 0, self.block + 1))
            with m.If(last_block):
                m.d.sync += number.eq(Mux(last_pass, 0, number + 1))
        with m.If(end):
            m.d.sync += pause.eq(share - 1)
            with m.If(walk.last):
                m.d.sync += self.part.eq(Mux(last_part, 0, self.part + 1))
        with m.Elif(pause != 0):
            m.d.sync += pause.eq(pause - 1)
        with m.If(end_of_tile):
            m.d.sync += row_tile.eq(Mux(last_row, 0, row_tile + 1))
        with m.If(self.free):
            m.d.sync += col_tile.eq(Mux(last_col, 0, col_tile + 1))
        return m
