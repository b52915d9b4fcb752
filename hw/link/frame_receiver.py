"""Frames out of a stream of bytes that may hold anything."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from sevedo.hw.memory.block import BlockMemory
from sevedo.hw.unit import Unit

from .framing import CHECK_BYTES, ESCAPE, FLAG, INVERTED, check, frame_byte


class FrameReceiver(Unit):
    """Keeps what is between flags until its CRC is known; gives whole frames that match, and nothing else.

    Timing: takes a byte a cycle, whenever it comes. A frame is at `o` 2 cycles after its closing flag, when none is
    before it; then a byte a cycle. No combinational path from an input to an output.
    Numerics: `framing`.

    Parameters
    ----------
    depth : bytes that wait, those of the frame being received included; a power of two. A frame with more than
        ``depth - 1`` bytes never fits

    Members
    -------
    valid : In(1), a byte is there; data : In(8); error : In(1), it is known to be wrong
    o : Out(stream of {data, last}), bytes of good frames without their CRC
    good, bad, full : Out(1), pulses at the end of a frame: it is kept, it is damaged, there was no room for it

    Raises
    ------
    ValueError : when depth is no power of two or below 16.
    """

    HELD = CHECK_BYTES + 1
    """Bytes that are held back: the CRC, and the last byte before it, which must be known as such."""

    LATENCY = 2

    def __init__(self, depth: int) -> None:
        if depth < 16 or depth & depth - 1:
            raise ValueError(f"depth={depth} must be a power of two of at least 16")
        self.depth = depth
        super().__init__(
            {
                "valid": In(1),
                "data": In(8),
                "error": In(1),
                "o": Out(stream.Signature(frame_byte())),
                "good": Out(1),
                "bad": Out(1),
                "full": Out(1),
            }
        )

    @property
    def module_name(self) -> str:
        return f"frame_receiver_{self.depth}"

    def build(self) -> Module:
        m = Module()
        bits = exact_log2(self.depth)
        m.submodules.storage = storage = BlockMemory(9, self.depth)
        m.submodules.crc = crc = check().create()
        held = Signal(8 * self.HELD)  # the newest byte lowest
        count = Signal(range(self.HELD + 1))  # bytes of the frame, as many as are held at most
        escaped = Signal()
        wrong = Signal()
        over = Signal()
        at = Signal(bits)  # next to write
        kept = Signal(bits)  # whole frames end
        taken = Signal(bits)  # next to read
        room = (at + 1)[:bits] != taken

        flag = self.valid & ~self.error & (self.data == FLAG)
        escape = self.valid & ~self.error & (self.data == ESCAPE)
        byte = self.valid & ~self.error & ~flag & ~escape
        value = self.data ^ Mux(escaped, INVERTED, 0)
        complete = (count == self.HELD) & crc.match_detected & ~escaped & ~wrong
        something = (count != 0) | escaped | wrong | over
        ends = flag & something
        keep = ends & complete & ~over & room
        write = (byte & (count == self.HELD) & ~wrong & ~over & room) | keep
        m.d.comb += [
            crc.data.eq(value),
            crc.valid.eq(byte),
            crc.start.eq(flag),
            storage.w_en.eq(write),
            storage.w_addr.eq(at),
            storage.w_data.eq(Cat(held[-8:], keep)),
        ]
        m.d.sync += [
            self.good.eq(keep),
            self.full.eq(ends & ~keep & (over | complete)),
            self.bad.eq(ends & ~keep & ~over & ~complete),
        ]
        with m.If(self.valid):
            m.d.sync += escaped.eq(escape)
        with m.If(byte):
            m.d.sync += held.eq(Cat(value, held[:-8]))
            with m.If(count != self.HELD):
                m.d.sync += count.eq(count + 1)
            with m.Elif(~room):
                m.d.sync += over.eq(1)
        with m.If(self.valid & self.error):
            m.d.sync += wrong.eq(1)
        with m.If(write):
            m.d.sync += at.eq(at + 1)
        with m.If(flag):
            m.d.sync += [count.eq(0), wrong.eq(0), over.eq(0)]
            with m.If(keep):
                m.d.sync += kept.eq(at + 1)
            with m.Else():
                m.d.sync += at.eq(kept)

        # The byte that is being given stands in the memory's output register.
        go = self.o.valid & self.o.ready
        fetch = (taken != kept) & (~self.o.valid | go)
        m.d.comb += [
            storage.r_en.eq(fetch),
            storage.r_addr.eq(taken),
            self.o.p.eq(storage.r_data),
        ]
        with m.If(fetch):
            m.d.sync += [taken.eq(taken + 1), self.o.valid.eq(1)]
        with m.Elif(go):
            m.d.sync += self.o.valid.eq(0)
        return m
