"""Bytes of frames to a stream of bytes."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from sevedo.hw.unit import Unit

from .framing import CHECK_BYTES, ESCAPE, FLAG, INVERTED, check, frame_byte


class FrameSender(Unit):
    """Puts flags around frames, their CRC behind them, and escapes where they are needed.

    Timing: a byte a cycle, but for flags, CRC and escapes; the first is at `o` a cycle after the frame is at `i`. `o`
    is a register; no combinational path from `i` to `o`.
    Numerics: `framing`.

    Members
    -------
    i : In(stream of {data, last}), a frame has at least one byte
    o : Out(stream of 8 bits)
    """

    LATENCY = 1

    def __init__(self) -> None:
        super().__init__({"i": In(stream.Signature(frame_byte())), "o": Out(stream.Signature(unsigned(8)))})

    @property
    def module_name(self) -> str:
        return "frame_sender"

    def build(self) -> Module:
        m = Module()
        m.submodules.crc = crc = check().create()
        free = ~self.o.valid | self.o.ready
        escaped = Signal()  # the escape of the byte that is next has gone
        left = Signal(range(CHECK_BYTES + 1))
        rest = Signal(8 * CHECK_BYTES)
        inside = Signal()
        checking = Signal()
        started = Signal()
        source = Mux(checking, rest[:8], self.i.p.data)
        special = (source == FLAG) | (source == ESCAPE)
        offered = Mux(checking, left != 0, self.i.valid)
        takes = Signal()
        m.d.comb += [
            takes.eq(free & inside & offered & (~special | escaped)),
            self.i.ready.eq(free & inside & ~checking & (~special | escaped)),
            crc.data.eq(self.i.p.data),
            crc.valid.eq(takes & ~checking),
            crc.start.eq(~inside),
        ]
        with m.If(free):
            m.d.sync += self.o.valid.eq(0)
            with m.If(~inside):
                with m.If(self.i.valid):
                    m.d.sync += [self.o.valid.eq(1), self.o.payload.eq(FLAG), inside.eq(1)]
            with m.Elif(checking & ~started):
                m.d.sync += [started.eq(1), rest.eq(crc.crc), left.eq(CHECK_BYTES)]
            with m.Elif(checking & (left == 0)):
                m.d.sync += [
                    self.o.valid.eq(1), self.o.payload.eq(FLAG),
                    inside.eq(0), checking.eq(0), started.eq(0),
                ]  # fmt: skip
            with m.Elif(offered):
                m.d.sync += self.o.valid.eq(1)
                with m.If(special & ~escaped):
                    m.d.sync += [self.o.payload.eq(ESCAPE), escaped.eq(1)]
                with m.Else():
                    m.d.sync += [self.o.payload.eq(source ^ Mux(escaped, INVERTED, 0)), escaped.eq(0)]
                    with m.If(checking):
                        m.d.sync += [rest.eq(rest[8:]), left.eq(left - 1)]
                    with m.Elif(self.i.p.last):
                        m.d.sync += checking.eq(1)
        return m
