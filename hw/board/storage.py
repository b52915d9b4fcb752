"""A memory with a single port and byte strobes: block RAM of any FPGA, the large single-port RAM of an iCE40 UP5K."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from sevedo.hw.unit import Unit


class StrobedMemory(Unit):
    """Words of bytes; each cycle one is read or some of its bytes are written.

    Timing: `r_data` shows what was read from the cycle after it was asked for until the next read.
    Numerics: none. A byte is undefined until it is written.

    Parameters
    ----------
    size : bytes of a word
    depth : words

    Members
    -------
    address : In(address bits), below depth
    read : In(1); write : In(size), bytes to write; never both
    w_data : In(8 * size); r_data : Out(8 * size)

    Raises
    ------
    ValueError : when size or depth is below 1.
    """

    LATENCY = 1
    undefined_at_first = True

    def __init__(self, size: int, depth: int) -> None:
        for name, value in (("size", size), ("depth", depth)):
            if value < 1:
                raise ValueError(f"{name}={value} must be at least 1")
        self.size, self.depth = size, depth
        super().__init__(
            {
                "address": In(max((depth - 1).bit_length(), 1)),
                "read": In(1),
                "write": In(size),
                "w_data": In(8 * size),
                "r_data": Out(8 * size),
            }
        )

    @property
    def module_name(self) -> str:
        return f"strobed_memory_{8 * self.size}x{self.depth}"

    @property
    def latency(self) -> int:
        """Cycles from an address to its word."""
        return self.LATENCY

    def build(self) -> Module:
        m = Module()
        m.submodules.storage = storage = Memory(shape=unsigned(8 * self.size), depth=self.depth, init=[])
        write, read = storage.write_port(granularity=8), storage.read_port()
        m.d.comb += [
            write.en.eq(self.write),
            write.addr.eq(self.address),
            write.data.eq(self.w_data),
            read.en.eq(self.read),
            read.addr.eq(self.address),
            self.r_data.eq(read.data),
        ]
        return m
