"""Where words from DRAM wait for their client."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from sevedo.hw.memory.block import BlockMemory
from sevedo.hw.unit import Unit


class LandingBuffer(Unit):
    """First in, first out, written without asking: who writes knows that there is room.

    The words are in a `BlockMemory`; the one that is being given stands in its output register.

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
        m.submodules.memory = memory = BlockMemory(self.width, self.depth)
        to = Signal.like(memory.w_addr)
        at = Signal.like(memory.r_addr)
        waiting = Signal(range(self.depth + 1))  # words in the memory that have not been fetched
        fetch = Signal()
        m.d.comb += [
            memory.w_en.eq(self.write),
            memory.w_addr.eq(to),
            memory.w_data.eq(self.word),
            fetch.eq((waiting != 0) & (~self.o.valid | self.o.ready)),
            memory.r_en.eq(fetch),
            memory.r_addr.eq(at),
            self.o.payload.eq(memory.r_data),
        ]
        m.d.sync += waiting.eq(waiting + self.write - fetch)
        with m.If(self.write):
            m.d.sync += to.eq(self._after(to))
        with m.If(fetch):
            m.d.sync += [self.o.valid.eq(1), at.eq(self._after(at))]
        with m.Elif(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(self.clear):
            m.d.sync += [waiting.eq(0), self.o.valid.eq(0), to.eq(0), at.eq(0)]
        return m

    def _after(self, address: Value) -> Value:
        return Mux(address == self.depth - 1, 0, address + 1)
