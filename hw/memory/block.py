"""The one kind of memory that the processor has: a block memory, or a macro in its place."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from sevedo.hw.unit import Unit


class BlockMemory(Unit):
    """A memory with one write port and one synchronous read port; an ASIC puts a macro here (docs/processor.md).

    Timing: a write and a read a cycle. `r_data` shows what was read from the cycle after `r_en` on, until the next one.
    A read of the address that is written in the same cycle gives the old word or any other; nothing may rely on it.
    Numerics: none. There is no reset: a word is undefined until it is written.

    Parameters
    ----------
    width : bits of a word
    depth : words

    Members
    -------
    w_en : In(1), write `w_data` to `w_addr`
    w_addr : In(address bits), below depth
    w_data : In(width)
    r_en : In(1), read `r_addr`
    r_addr : In(address bits), below depth
    r_data : Out(width)

    Raises
    ------
    ValueError : when width or depth is below 1.
    """

    LATENCY = 1
    undefined_at_first = True

    def __init__(self, width: int, depth: int) -> None:
        for name, size in (("width", width), ("depth", depth)):
            if size < 1:
                raise ValueError(f"{name}={size} must be at least 1")
        self.width = width
        self.depth = depth
        address = max((depth - 1).bit_length(), 1)
        super().__init__(
            {
                "w_en": In(1),
                "w_addr": In(address),
                "w_data": In(width),
                "r_en": In(1),
                "r_addr": In(address),
                "r_data": Out(width),
            }
        )

    @property
    def module_name(self) -> str:
        return f"block_memory_{self.width}x{self.depth}"

    @property
    def latency(self) -> int:
        """Cycles from an address to its word."""
        return self.LATENCY

    def build(self) -> Module:
        m = Module()
        m.submodules.storage = storage = Memory(shape=unsigned(self.width), depth=self.depth, init=[])
        write, read = storage.write_port(), storage.read_port()
        m.d.comb += [
            write.en.eq(self.w_en),
            write.addr.eq(self.w_addr),
            write.data.eq(self.w_data),
            read.en.eq(self.r_en),
            read.addr.eq(self.r_addr),
            self.r_data.eq(read.data),
        ]
        return m
