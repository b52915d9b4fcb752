"""U of the integer classes and its scales, as often as blocks of tokens and digits of z need them."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from sevedo.gen.config import Config
from sevedo.gen.config.operands import operands
from sevedo.hw.core import payloads
from sevedo.hw.lvc.pair import ClassWalk
from sevedo.hw.unit import Unit

from .reads import held_valid, reads


def column_command(config: Config) -> data.StructLayout:
    """Row tiles, and of each class its blocks of `int_lanes` ranks."""
    return data.StructLayout(
        {"row_tiles": unsigned(24)} | {f"{each.name}_blocks": unsigned(16) for each in config.rank_classes}
    )


class ColumnFeeder(Unit):
    """Gives `int_u` and `int_u_scale` in the order of hw/core/payloads.py.

    A row tile's digits of U are there once: class after class, high digits first. They are given for every block of
    `int_tokens` tokens and every digit of z. Layers without integer classes pass.

    Timing: a beat a cycle while beats are there and taken; a beat is offered `LATENCY` cycles after it is available.
    Numerics: none, bits are moved.

    Parameters
    ----------
    config : sizes and formats, with integer classes

    Members
    -------
    command : In(stream of column_command)
    u, u_scale : Out(reads), the operand buffers
    columns, scales : Out(stream of payloads.class_operands: int_u, int_u_scale)
    """

    LATENCY = 1

    def __init__(self, config: Config) -> None:
        self.config = config
        there, shapes = operands(config), payloads.class_operands(config)
        super().__init__(
            {
                "command": In(stream.Signature(column_command(config))),
                "u": Out(reads(there["int_u"])),
                "u_scale": Out(reads(there["int_u_scale"])),
                "columns": Out(stream.Signature(shapes["int_u"])),
                "scales": Out(stream.Signature(shapes["int_u_scale"])),
            }
        )

    @property
    def module_name(self) -> str:
        return "column_feeder"

    def build(self) -> Module:
        m = Module()
        config, work = self.config, self.command.p
        classes, parts, in_section = (
            config.rank_classes,
            config.rmc.cols // config.lvc.int_tokens,
            config.lvc_tiles,
        )
        blocks = [work[f"{each.name}_blocks"] for each in classes]
        wide = [each.digits - 1 for each in classes]
        end = Signal()  # of a class in a block of tokens
        go = Signal()
        walk = ClassWalk.build(m, blocks, end)
        number = Signal(2, name="pass_number")
        block = Signal.like(blocks[0])
        part = Signal(range(max(parts, 2)))
        tile = Signal.like(work.row_tiles)
        place = Signal(range(max(in_section, 2)))
        two = walk.of(wide)
        low = two & number[0]
        last_block, last_pass = block + 1 == walk.of(blocks), number == Mux(two, 3, 1)
        last_part, last_tile = part == parts - 1, tile + 1 == work.row_tiles
        ends = last_block & last_pass
        end_of_tile = end & walk.last & last_part
        section_ends = last_tile | (place == in_section - 1)
        first_size = blocks[0] << wide[0]
        base = Mux(walk.which, first_size, 0) if len(classes) > 1 else 0
        free = held_valid(m, self.columns.valid, self.columns.ready, go)
        scale_free = held_valid(m, self.scales.valid, self.scales.ready, end)
        m.d.comb += [
            go.eq(
                self.command.valid
                & walk.any
                & self.u.available
                & free
                & (~ends | (self.u_scale.available & scale_free))
            ),
            end.eq(go & ends),
            self.command.ready.eq(~walk.any | (end_of_tile & last_tile)),
            self.u.offset.eq(base + Mux(low, walk.of(blocks), 0) + block),
            self.u.enable.eq(go),
            self.u.advance.eq(end_of_tile),
            self.u.step.eq(sum((size << two for size, two in zip(blocks, wide, strict=True)), Const(0))),
            self.u.last.eq(section_ends),
            self.u_scale.offset.eq(walk.which & (blocks[0] != 0)),
            self.u_scale.enable.eq(end),
            self.u_scale.advance.eq(end_of_tile),
            self.u_scale.step.eq(sum((size != 0 for size in blocks), Const(0))),
            self.u_scale.last.eq(section_ends),
            Value.cast(self.columns.p).eq(self.u.beat),
            Value.cast(self.scales.p).eq(self.u_scale.beat),
        ]
        with m.If(go):
            m.d.sync += block.eq(Mux(last_block, 0, block + 1))
            with m.If(last_block):
                m.d.sync += number.eq(Mux(last_pass, 0, number + 1))
        with m.If(end & walk.last):
            m.d.sync += part.eq(Mux(last_part, 0, part + 1))
        with m.If(end_of_tile):
            m.d.sync += [tile.eq(Mux(last_tile, 0, tile + 1)), place.eq(Mux(section_ends, 0, place + 1))]
        return m
