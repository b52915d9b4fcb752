"""A link with a memory behind it whose bytes come and go as streams, for long runs in Verilator."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out, connect, flipped

from sevedo.gen.config import preset
from sevedo.gen.config.link import WINDOW
from sevedo.hw.board.memory import BoardMemory
from sevedo.hw.link.link import LinkCore
from sevedo.hw.unit import Unit

CONFIG = preset("tiny").replace(bus__data_bytes=8)
SIZE = 4096


class LinkUnit(Unit):
    """Takes a byte when fewer frames than a host may send ahead are unanswered; 4 KiB of memory."""

    def __init__(self) -> None:
        byte = data.StructLayout({"data": 8, "error": 1})
        super().__init__(
            {"i": In(stream.Signature(byte)), "o": Out(stream.Signature(unsigned(8)))}
            | {name: Out(32) for name in ("good", "bad", "full")}
        )

    @property
    def module_name(self) -> str:
        return "link_unit"

    def build(self) -> Module:
        m = Module()
        m.submodules.link = link = LinkCore()
        m.submodules.memory = memory = BoardMemory(CONFIG, SIZE)
        connect(m, link.bus, memory.host)
        connect(m, link.o, flipped(self.o))
        for name in ("good", "bad", "full"):
            count = getattr(self, name)
            m.d.sync += count.eq(count + getattr(link, name))
        # An answer begins and ends with a flag, and has no other.
        flags = Signal(2)
        waiting = Signal(8)
        ended = self.o.valid & self.o.ready & (self.o.payload == 0x7E) & flags[0]
        with m.If(self.o.valid & self.o.ready & (self.o.payload == 0x7E)):
            m.d.sync += flags.eq(~flags[0])
        m.d.sync += waiting.eq(waiting + link.good - ended)
        # A flag is followed by a cycle without a byte, so that what it ended is counted.
        pause = Signal(2)
        go = self.i.valid & self.i.ready
        m.d.sync += pause.eq(Cat(go & (self.i.p.data == 0x7E), pause[0]))
        m.d.comb += [
            self.i.ready.eq((waiting < WINDOW - 1) & ~pause.any()),
            link.valid.eq(go),
            link.data.eq(Mux(go, self.i.p.data, 0)),
            link.error.eq(self.i.p.error),
        ]
        return m
