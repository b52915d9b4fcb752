"""Writes through an AXI4 port."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from sevedo.gen.config import Config
from sevedo.gen.config.instructions import Error
from sevedo.hw.stream.buffer import StreamBuffer
from sevedo.hw.unit import Unit

from .axi import OKAY, axi4_write, constants
from .payloads import NUMBER_BITS, fault, window, write_data, write_request
from .splitter import BurstSplitter

_AHEAD = 4
"""Bursts that AW runs ahead of W."""
_UNANSWERED = 16
"""Bursts that B is waited for."""


class AxiWriter(Unit):
    """The write half of an AXI4 master: requests become bursts, filled from a stream of words.

    Timing: a burst is at AW two cycles after its request was taken, up to four bursts before their words; a word is at
    W one cycle after it was taken, a word a cycle. `done` and `fault` stand in the cycle after their cause.
    Numerics: none, bits are moved. Every burst lies inside the window.

    Parameters
    ----------
    config : the accelerator: its bus

    Members
    -------
    axi : Out(axi4_write)
    data : In(window), the range of segment 1; it stands still while there are requests
    request : In(stream of write_request)
    words : In(stream of write_data), those of all requests, in order
    done : Out(1), a request was written and DRAM has confirmed all of it; once for each, not while halted
    halt : In(1), take no request and no word, and begin no burst; bursts that stand at AW or were taken there end with
        beats that write nothing
    clear : In(1), while halted and idle: forget requests
    idle : Out(1), no burst is asked for or under way, all are confirmed
    fault : Out(fault): RANGE for a request that leaves its window, of which nothing is written; WRITE for a burst that
        DRAM refused. `client` is 0, `number` is the request's. Of both in one cycle, WRITE is told
    """

    def __init__(self, config: Config):
        self.config = config
        super().__init__(
            {
                "axi": Out(axi4_write(config)),
                "data": In(window(config)),
                "request": In(stream.Signature(write_request(config))),
                "words": In(stream.Signature(write_data(config))),
                "done": Out(1),
                "halt": In(1),
                "clear": In(1),
                "idle": Out(1),
                "fault": Out(fault(config)),
            }
        )

    @property
    def module_name(self) -> str:
        return "axi_writer"

    def build(self) -> Module:
        m = Module()
        axi = self.axi
        m.submodules.splitter = splitter = BurstSplitter(self.config, self.request.p.words.shape().width)
        asked = data.StructLayout(
            {"address": unsigned(self.config.bus.address_bits), "last": 1, "number": NUMBER_BITS}
        )
        m.submodules.unanswered = unanswered = StreamBuffer(asked, _UNANSWERED)
        m.submodules.ahead = ahead = StreamBuffer(unsigned(8), _AHEAD)
        constants(m, axi, "aw", self.config)
        burst = splitter.burst
        go = Signal()
        number = Signal(NUMBER_BITS, reset_less=True)
        with m.If(self.request.valid & self.request.ready):
            m.d.sync += number.eq(self.request.p.number)
        m.d.comb += [
            splitter.request.valid.eq(self.request.valid),
            splitter.request.p.offset.eq(self.request.p.offset),
            splitter.request.p.words.eq(self.request.p.words),
            self.request.ready.eq(splitter.request.ready),
            splitter.window.eq(self.data),
            splitter.halt.eq(self.halt),
            splitter.clear.eq(self.clear),
            burst.ready.eq((~axi.awvalid | axi.awready) & ahead.i.ready & unanswered.i.ready & ~self.halt),
            go.eq(burst.valid & burst.ready),
            ahead.i.valid.eq(go),
            ahead.i.payload.eq(burst.p.beats - 1),
            unanswered.i.valid.eq(go),
            unanswered.i.p.address.eq(burst.p.address),
            unanswered.i.p.last.eq(burst.p.last),
            unanswered.i.p.number.eq(number),
            self.idle.eq(~axi.awvalid & ~unanswered.o.valid),
        ]
        with m.If(go):
            m.d.sync += [
                axi.awvalid.eq(1),
                axi.awaddr.eq(burst.p.address),
                axi.awlen.eq(burst.p.beats - 1),
            ]
        with m.Elif(axi.awready):
            m.d.sync += axi.awvalid.eq(0)
        self._words(m, ahead)
        self._answers(m, unanswered, splitter)
        return m

    def _words(self, m: Module, ahead: StreamBuffer) -> None:
        """The words of the bursts that `ahead` has, or, when halted, nothing in their place."""
        axi, words = self.axi, self.words
        # What stands at W must not change when a halt comes, so it stands in a buffer.
        beat = data.StructLayout({"word": write_data(self.config), "last": unsigned(1)})
        m.submodules.beats = beats = StreamBuffer(beat, 2)
        count = Signal(8)
        m.d.comb += [
            beats.i.valid.eq(ahead.o.valid & (words.valid | self.halt)),
            words.ready.eq(ahead.o.valid & beats.i.ready & ~self.halt),
            beats.i.p.word.data.eq(words.p.data),
            beats.i.p.word.strobe.eq(Mux(self.halt, 0, words.p.strobe)),
            beats.i.p.last.eq(count == ahead.o.payload),
            ahead.o.ready.eq(beats.i.valid & beats.i.ready & beats.i.p.last),
            axi.wvalid.eq(beats.o.valid),
            axi.wdata.eq(beats.o.p.word.data),
            axi.wstrb.eq(beats.o.p.word.strobe),
            axi.wlast.eq(beats.o.p.last),
            beats.o.ready.eq(axi.wready),
        ]
        with m.If(beats.i.valid & beats.i.ready):
            m.d.sync += count.eq(Mux(beats.i.p.last, 0, count + 1))

    def _answers(self, m: Module, unanswered: StreamBuffer, splitter: BurstSplitter) -> None:
        """What B says, and what the splitter refuses."""
        axi, fault = self.axi, self.fault
        answered, asked = axi.bvalid & unanswered.o.valid, unanswered.o.p
        m.d.comb += [axi.bready.eq(1), unanswered.o.ready.eq(axi.bvalid)]
        m.d.sync += [
            self.done.eq(answered & asked.last & (axi.bresp == OKAY) & ~self.halt),
            fault.valid.eq(splitter.refused),
            fault.error.eq(Error.RANGE),
            fault.address.eq(splitter.address),
            fault.number.eq(self.request.p.number),
        ]
        with m.If(answered & (axi.bresp != OKAY)):
            m.d.sync += [
                fault.valid.eq(1),
                fault.error.eq(Error.WRITE),
                fault.address.eq(asked.address),
                fault.number.eq(asked.number),
            ]
