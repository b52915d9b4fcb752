"""Memory on the chip in place of a DRAM: an AXI4 slave, with a side door for the host."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import *
from amaranth.lib import data
from amaranth.lib.wiring import In
from amaranth.utils import exact_log2

from sevedo.gen.config import Config
from sevedo.hw.bus.axi import INCREMENT, OKAY, axi4
from sevedo.hw.link.word import word_bus
from sevedo.hw.stream.buffer import StreamBuffer
from sevedo.hw.unit import Unit

from .storage import StrobedMemory

DECODE_ERROR = 0b11
PAGE = 4096
"""Bytes that no burst crosses, so that each is wholly inside or outside."""


class BoardMemory(Unit):
    """Answers bursts of whole words, INCR, in order; any other, and those beyond its end, with DECERR.

    One port of memory: in each cycle the host has it, if it wants, else a beat that is written or one that is read, in
    turn where both could.

    Timing: a beat a cycle; a read beat 3 cycles after its burst was taken, when nothing is before it. No combinational
    path from an input of `axi` to an output.
    Numerics: none.

    Parameters
    ----------
    config : widths of the bus
    size : bytes, a multiple of 4096

    Members
    -------
    axi : In(axi4)
    host : In(word_bus), words of the same bytes; an address beyond the end is an error

    Raises
    ------
    ValueError : for another size.
    """

    AHEAD = 4
    """Read beats that wait for `rready`."""

    def __init__(self, config: Config, size: int) -> None:
        if size < PAGE or size % PAGE:
            raise ValueError(f"size={size} must be a multiple of {PAGE}, and not 0")
        self.config, self.size = config, size
        super().__init__({"axi": In(axi4(config)), "host": In(word_bus())})

    @property
    def module_name(self) -> str:
        return "board_memory"

    def build(self) -> Module:
        m = Module()
        axi, bus = self.axi, self.config.bus
        word, depth = bus.data_bytes, self.size // bus.data_bytes
        m.submodules.storage = storage = StrobedMemory(word, depth)
        reads, writes = (self._bursts(m, channel) for channel in ("ar", "aw"))

        # Beats that are read, on their way out.
        beat = data.StructLayout({"data": 8 * word, "resp": 2, "last": 1, "id": 1})
        m.submodules.read_beats = out = StreamBuffer(beat, self.AHEAD)
        ahead = Signal(range(self.AHEAD + 1))
        beats = data.StructLayout({"data": 8 * word, "strb": word})
        m.submodules.write_beats = into = StreamBuffer(beats, 2)
        m.submodules.responses = responses = StreamBuffer(data.StructLayout({"resp": 2, "id": 1}), 2)
        m.d.comb += [
            into.i.valid.eq(axi.wvalid),
            axi.wready.eq(into.i.ready),
            into.i.p.data.eq(axi.wdata),
            into.i.p.strb.eq(axi.wstrb),
            axi.rvalid.eq(out.o.valid),
            out.o.ready.eq(axi.rready),
            axi.rdata.eq(out.o.p.data),
            axi.rresp.eq(out.o.p.resp),
            axi.rlast.eq(out.o.p.last),
            axi.rid.eq(out.o.p.id),
            axi.bvalid.eq(responses.o.valid),
            responses.o.ready.eq(axi.bready),
            axi.bresp.eq(responses.o.p.resp),
            axi.bid.eq(responses.o.p.id),
        ]

        # Who has the memory in this cycle.
        host_now, host_next = self._host(m, storage)
        may_read = reads["valid"] & (ahead != self.AHEAD)
        may_write = writes["valid"] & into.o.valid & (responses.i.ready | ~writes["last"])
        turn = Signal()
        read = Signal()
        write = Signal()
        m.d.comb += [
            write.eq(~host_now & may_write & (turn | ~may_read)),
            read.eq(~host_now & may_read & ~write),
            reads["go"].eq(read),
            writes["go"].eq(write),
            into.o.ready.eq(write),
            responses.i.valid.eq(write & writes["last"]),
            responses.i.p.resp.eq(Mux(writes["good"], OKAY, DECODE_ERROR)),
            responses.i.p.id.eq(writes["id"]),
        ]
        m.d.sync += turn.eq(read)
        with m.If(host_now):
            m.d.comb += host_next
        with m.Elif(write):
            m.d.comb += [
                storage.address.eq(writes["index"]),
                storage.w_data.eq(into.o.p.data),
                storage.write.eq(into.o.p.strb & writes["good"].replicate(word)),
            ]
        with m.Else():
            m.d.comb += [storage.address.eq(reads["index"]), storage.read.eq(read)]

        arrived = Signal()
        m.d.sync += [
            arrived.eq(read),
            out.i.p.resp.eq(Mux(reads["good"], OKAY, DECODE_ERROR)),
            out.i.p.last.eq(reads["last"]),
            out.i.p.id.eq(reads["id"]),
            ahead.eq(ahead + read - (axi.rvalid & axi.rready)),
        ]
        m.d.comb += [out.i.valid.eq(arrived), out.i.p.data.eq(storage.r_data)]
        return m

    def _bursts(self, m: Module, channel: str) -> dict[str, Any]:
        """Bursts of an address channel, beat by beat: `go` takes the one that is `valid`."""
        axi, word = self.axi, self.config.bus.data_bytes
        low = exact_log2(word)
        index_bits = max((self.size // word - 1).bit_length(), 1)
        shape = data.StructLayout({"index": index_bits, "left": 8, "good": 1, "id": 1})
        m.submodules[f"{channel}_queue"] = queue = StreamBuffer(shape, 2)
        address = getattr(axi, f"{channel}addr")
        # A burst crosses no page, so its first word tells for all of them.
        inside = (address >> exact_log2(PAGE)) < self.size // PAGE
        whole = (getattr(axi, f"{channel}burst") == INCREMENT) & (getattr(axi, f"{channel}size") == low)
        m.d.comb += [
            queue.i.valid.eq(getattr(axi, f"{channel}valid")),
            getattr(axi, f"{channel}ready").eq(queue.i.ready),
            queue.i.p.index.eq(address >> low),
            queue.i.p.left.eq(getattr(axi, f"{channel}len")),
            queue.i.p.good.eq(inside & whole),
            queue.i.p.id.eq(getattr(axi, f"{channel}id")),
        ]
        active = Signal()
        last = Signal()
        go = Signal()
        now: Any = Signal(shape)
        m.d.comb += [last.eq(now.left == 0), queue.o.ready.eq(~active | (go & last))]
        with m.If(queue.o.ready):
            m.d.sync += [active.eq(queue.o.valid), now.eq(queue.o.p)]
        with m.Elif(go):
            m.d.sync += [now.index.eq(now.index + 1), now.left.eq(now.left - 1)]
        return {"valid": active, "last": last, "go": go, "index": now.index, "good": now.good, "id": now.id}

    def _host(self, m: Module, storage: StrobedMemory) -> tuple[Value, list[Any]]:
        """Whether the host has the memory in this cycle, and what it does there."""
        host, word = self.host, self.config.bus.data_bytes
        low = exact_log2(word)
        request = Signal.like(host.request.p)
        now = Signal()
        answer = Signal()
        error = Signal()
        lane = Signal(max(low - 2, 1))
        inside = host.request.p.address < self.size
        m.d.comb += host.request.ready.eq(~now & ~answer)
        m.d.sync += [now.eq(0), answer.eq(now)]
        with m.If(host.request.valid & host.request.ready):
            m.d.sync += [now.eq(1), request.eq(host.request.p), error.eq(~inside)]
        m.d.comb += [
            lane.eq(request.address[2:low] if low > 2 else 0),
            host.done.eq(answer),
            host.error.eq(error),
            host.data.eq(storage.r_data.word_select(lane, 32)),
        ]
        access = [
            storage.address.eq(request.address >> low),
            storage.w_data.eq(request.data.replicate(word // 4)),
            storage.read.eq(~request.write),
            storage.write.eq(Mux(request.write & ~error, 0xF << (lane << 2), 0)),
        ]
        return now, access
