"""Requests from the host, carried out."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib import stream
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from sevedo.gen.config.link import (
    HEADER_BYTES,
    MAX_WORDS,
    PROTOCOL,
    WINDOW,
    Operation,
    Status,
)
from sevedo.hw.unit import Unit

from .framing import frame_byte
from .word import word_bus


class Executor(Unit):
    """Takes request frames, reads and writes words, gives an answer frame for each; docs/boards.md is the protocol.

    A write is carried out once, however often its frame comes: requests are numbered, and one that was carried out
    before is only answered again.

    Timing: a byte of a request or an answer a cycle at most, and the bus.
    Numerics: none.

    Members
    -------
    i : In(stream of {data, last}), requests
    o : Out(stream of {data, last}), answers
    bus : Out(word_bus)
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "i": In(stream.Signature(frame_byte())),
                "o": Out(stream.Signature(frame_byte())),
                "bus": Out(word_bus()),
            }
        )

    @property
    def module_name(self) -> str:
        return "link_executor"

    def build(self) -> Module:
        m = Module()
        header = Signal(8 * HEADER_BYTES)
        place = Signal(range(max(HEADER_BYTES, 8) + 1))
        sequence, operation, words, address = header[:8], header[8:16], header[16:32], header[32:64]
        expected = Signal(8)
        session = Signal()
        status = Signal(3)
        left = Signal(16)  # words
        at = Signal(32)
        word = Signal(32)
        more = Signal()  # bytes of the request are left
        fresh = Signal()  # it is the one that is due

        # What recent requests ended with, for those that come again.
        m.submodules.results = results = Memory(shape=unsigned(3), depth=WINDOW, init=[])
        result, recall = results.write_port(), results.read_port(domain="comb")
        age = (expected - 1 - sequence)[:8]
        again = age < WINDOW
        m.d.comb += [recall.addr.eq(sequence), result.addr.eq(sequence), result.data.eq(status)]

        go_in, go_out = self.i.valid & self.i.ready, self.o.valid & self.o.ready
        m.d.comb += [
            self.bus.request.p.address.eq(at),
            self.bus.request.p.write.eq(operation == Operation.WRITE),
            self.bus.request.p.data.eq(word),
        ]
        with m.If(go_in):
            m.d.sync += more.eq(~self.i.p.last)

        with m.FSM():
            with m.State("HEADER"):
                m.d.comb += self.i.ready.eq(1)
                with m.If(self.i.valid):
                    m.d.sync += [header.eq(Cat(header[8:], self.i.p.data)), place.eq(place + 1)]
                    with m.If(place == HEADER_BYTES - 1):
                        m.d.sync += place.eq(0)
                        m.next = "LOOK"
                    with m.Elif(self.i.p.last):  # no header: nobody to answer to
                        m.d.sync += place.eq(0)
            with m.State("LOOK"):
                m.d.sync += [left.eq(words), at.eq(address), status.eq(Status.OK), fresh.eq(0)]
                m.next = "NUMBER"
                with m.If(operation == Operation.HELLO):
                    m.d.sync += [expected.eq(sequence + 1), session.eq(1)]
                with m.Elif(~session):
                    m.d.sync += status.eq(Status.SESSION)
                with m.Elif(sequence == expected):
                    m.d.sync += [expected.eq(expected + 1), fresh.eq(1)]
                    with m.If((operation != Operation.READ) & (operation != Operation.WRITE)):
                        m.d.sync += status.eq(Status.OPERATION)
                    with m.Elif((words > MAX_WORDS) | ((operation == Operation.READ) & more)):
                        m.d.sync += status.eq(Status.LENGTH)
                with m.Elif(again):
                    m.d.sync += status.eq(recall.data)
                with m.Else():
                    m.d.sync += status.eq(Status.ORDER)
            with m.State("NUMBER"):
                self._say(m, sequence)
                with m.If(self.o.ready):
                    m.next = "OPERATION"
            with m.State("OPERATION"):
                self._say(m, operation)
                with m.If(self.o.ready):
                    m.next = "DRAIN"
                    with m.If(operation == Operation.HELLO):
                        m.d.sync += word.eq(PROTOCOL | WINDOW << 8 | MAX_WORDS << 16)
                        m.d.sync += left.eq(1)
                        m.next = "SEND"
                    with m.Elif(status == Status.OK):
                        with m.If(operation == Operation.READ):
                            m.next = "FETCH"
                        with m.Elif(fresh):
                            m.next = "TAKE"
            # Reads: a word from the bus, its bytes to the host.
            with m.State("FETCH"):
                m.d.comb += self.bus.request.valid.eq(left != 0)
                with m.If(left == 0):
                    m.next = "DRAIN"
                with m.Elif(self.bus.request.ready):
                    m.next = "FETCHED"
            with m.State("FETCHED"):
                with m.If(self.bus.done):
                    m.d.sync += [word.eq(self.bus.data), at.eq(at + 4)]
                    m.next = "SEND"
                    with m.If(self.bus.error):
                        m.d.sync += status.eq(Status.BUS)
                        m.next = "DRAIN"
            with m.State("SEND"):
                self._say(m, word[:8])
                with m.If(go_out):
                    m.d.sync += [word.eq(word[8:]), place.eq(place + 1)]
                    with m.If(place == 3):
                        m.d.sync += [place.eq(0), left.eq(left - 1)]
                        m.next = "FETCH"
                        with m.If(operation == Operation.HELLO):
                            m.next = "DRAIN"
            # Writes: the bytes of a word from the host, the word to the bus.
            with m.State("TAKE"):
                m.d.comb += self.i.ready.eq(more & (left != 0))
                with m.If(left == 0):
                    with m.If(more):
                        m.d.sync += status.eq(Status.LENGTH)
                    m.next = "DRAIN"
                with m.Elif(~more):
                    m.d.sync += [status.eq(Status.LENGTH), place.eq(0)]
                    m.next = "DRAIN"
                with m.Elif(self.i.valid):
                    m.d.sync += [word.eq(Cat(word[8:], self.i.p.data)), place.eq(place + 1)]
                    with m.If(place == 3):
                        m.d.sync += place.eq(0)
                        m.next = "PUT"
            with m.State("PUT"):
                m.d.comb += self.bus.request.valid.eq(1)
                with m.If(self.bus.request.ready):
                    m.next = "WRITTEN"
            with m.State("WRITTEN"):
                with m.If(self.bus.done):
                    m.d.sync += [at.eq(at + 4), left.eq(left - 1)]
                    m.next = "TAKE"
                    with m.If(self.bus.error):
                        m.d.sync += status.eq(Status.BUS)
                        m.next = "DRAIN"
            with m.State("DRAIN"):
                m.d.comb += self.i.ready.eq(more)
                with m.If(~more):
                    m.d.comb += result.en.eq(fresh)
                    m.next = "STATUS"
            with m.State("STATUS"):
                self._say(m, status)
                m.d.comb += self.o.p.last.eq(1)
                with m.If(self.o.ready):
                    m.next = "HEADER"
        return m

    def _say(self, m: Module, byte: Value) -> None:
        m.d.comb += [self.o.valid.eq(1), self.o.p.data.eq(byte)]
