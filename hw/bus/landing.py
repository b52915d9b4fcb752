"""Where words from DRAM wait for their client."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib import stream
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from sevedo.hw.unit import Unit


class LandingBuffer(Unit):
    """First in, first out, written without asking: who writes knows that there is room.

    The memory has one write port and one synchronous read port, so that it can be an SRAM; the word that is being given
    stands in its output register.

    Timing: a word is at `o` `LATENCY` cycles after `write`, when nothing is before it; then a word a cycle, in and out
    at once. No combinational path from `write` to `o`.
    Numerics: none, bits are moved.

    Parameters
    ----------
    width : bits of a word
    depth : words, at least 1

    Members
    -------
    write : In(1), take `word`; never more than `depth` words are inside, those at `o` included
    word : In(width)
    o : Out(stream.Signature(width))
    clear : In(1), forget everything; no `write` meanwhile

    Raises
    ------
    ValueError : when depth is below 1.
    """

    LATENCY = 2

    def __init__(self, width: int, depth: int):
        if depth < 1:
            raise ValueError(f"depth={depth} must be at least 1")
        self.width = width
        self.depth = depth
        super().__init__(
            {
                "write": In(1),
                "word": In(width),
                "o": Out(stream.Signature(unsigned(width))),
                "clear": In(1),
            }
        )

    @property
    def module_name(self) -> str:
        return f"landing_buffer_{self.depth}x{self.width}"

    @property
    def latency(self) -> int:
        """Cycles from a word in to valid out, when empty."""
        return self.LATENCY

    def build(self) -> Module:
        m = Module()
        m.submodules.storage = storage = Memory(shape=unsigned(self.width), depth=self.depth, init=[])
        write, read = storage.write_port(), storage.read_port()
        waiting = Signal(range(self.depth + 1))  # words in the memory that have not been fetched
        fetch = Signal()
        m.d.comb += [
            write.en.eq(self.write),
            write.data.eq(self.word),
            fetch.eq((waiting != 0) & (~self.o.valid | self.o.ready)),
            read.en.eq(fetch),
            self.o.payload.eq(read.data),
        ]
        m.d.sync += waiting.eq(waiting + self.write - fetch)
        with m.If(self.write):
            m.d.sync += write.addr.eq(self._after(write.addr))
        with m.If(fetch):
            m.d.sync += [self.o.valid.eq(1), read.addr.eq(self._after(read.addr))]
        with m.Elif(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(self.clear):
            m.d.sync += [waiting.eq(0), self.o.valid.eq(0), write.addr.eq(0), read.addr.eq(0)]
        return m

    def _after(self, address: Value) -> Value:
        return Mux(address == self.depth - 1, 0, address + 1)
