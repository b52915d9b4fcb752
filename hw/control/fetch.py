"""The program, from DRAM: instruction after instruction."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from sevedo.gen.config import Config
from sevedo.gen.config.instructions import INSTRUCTION_BYTES, Segment
from sevedo.hw.bus.payloads import read_request
from sevedo.hw.unit import Unit

CHUNK_BYTES = 256


class ProgramFetcher(Unit):
    """Reads the image segment from `entry` on, ahead of what is needed, never beyond the segment.

    Timing: an instruction in each of as many cycles as it has bus words, while data comes.

    Parameters
    ----------
    config : width of the bus

    Members
    -------
    start : In(1), begin at `entry`, a byte offset; size : In(32), bytes of the segment
    stop : In(1), ask for nothing more
    request : Out(stream of read_request)
    data : In(stream of bus words)
    instruction : Out(stream of 256 bits)
    exhausted : Out(1), the segment has ended and another instruction is needed
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        super().__init__(
            {
                "start": In(1),
                "stop": In(1),
                "entry": In(32),
                "size": In(32),
                "request": Out(stream.Signature(read_request(config))),
                "data": In(stream.Signature(unsigned(8 * config.bus.data_bytes))),
                "instruction": Out(stream.Signature(unsigned(8 * INSTRUCTION_BYTES))),
                "exhausted": Out(1),
            }
        )

    @property
    def module_name(self) -> str:
        return "program_fetcher"

    def build(self) -> Module:
        m = Module()
        bus = self.config.bus.data_bytes
        whole = max(bus, INSTRUCTION_BYTES)  # what is read at least
        chunk = max(CHUNK_BYTES, whole)
        running = Signal()
        offset = Signal(32)
        left = Signal(32)  # bytes that were not asked for
        pending = Signal(32)  # words that were asked for and not taken
        size = Mux(left < chunk, left, chunk)
        asked, taken = self.request.valid & self.request.ready, self.data.valid & self.data.ready
        m.d.comb += [
            self.request.valid.eq(running & (left != 0)),
            self.request.p.segment.eq(Segment.IMAGE),
            self.request.p.offset.eq(offset),
            self.request.p.words.eq(size // bus),
            self.exhausted.eq(running & (left == 0) & (pending == 0) & ~self.instruction.valid),
        ]
        m.d.sync += pending.eq(pending + Mux(asked, self.request.p.words, 0) - taken)
        with m.If(asked):
            m.d.sync += [offset.eq(offset + chunk), left.eq(left - size)]
        with m.If(self.stop):
            m.d.sync += running.eq(0)
        with m.If(self.start):
            aligned = self.entry & (whole - 1) == 0
            room = (self.size - self.entry) & ~(whole - 1)
            m.d.sync += [
                running.eq(1),
                offset.eq(self.entry),
                left.eq(Mux(aligned & (self.entry <= self.size), room, 0)),
            ]
        self._instructions(m, bus, pending != 0)
        return m

    def _instructions(self, m: Module, bus: int, asked: Value) -> None:
        """Bus words in, once they were `asked` for; instructions out."""
        if bus <= INSTRUCTION_BYTES:
            count = INSTRUCTION_BYTES // bus
            words = Signal(8 * INSTRUCTION_BYTES, reset_less=True)
            level = Signal(range(count + 1))
            gone = self.instruction.valid & self.instruction.ready
            m.d.comb += [
                self.instruction.valid.eq(level == count),
                self.instruction.p.eq(words),
                self.data.ready.eq(asked & ((level != count) | gone)),
            ]
            with m.If(self.data.valid & self.data.ready):
                m.d.sync += words.eq(Cat(words, self.data.p)[8 * bus :])
                m.d.sync += level.eq(Mux(gone, 1, level + 1))
            with m.Elif(gone):
                m.d.sync += level.eq(0)
            return
        count = bus // INSTRUCTION_BYTES
        index = Signal(range(count))
        m.d.comb += [
            self.instruction.valid.eq(self.data.valid & asked),
            self.instruction.p.eq(self.data.p.word_select(index, 8 * INSTRUCTION_BYTES)),
            self.data.ready.eq(asked & self.instruction.ready & (index == count - 1)),
        ]
        with m.If(self.instruction.valid & self.instruction.ready):
            m.d.sync += index.eq(index + 1)
