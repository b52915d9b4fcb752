"""Reads of several clients through one AXI4 port."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import *
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from sevedo.gen.config import Config
from sevedo.gen.config.instructions import Error
from sevedo.hw.stream.buffer import StreamBuffer
from sevedo.hw.unit import Unit

from .axi import OKAY, axi4_read, constants
from .landing import LandingBuffer
from .payloads import NUMBER_BITS, beats_of_burst, fault, read_request, window
from .splitter import BurstSplitter

Clients = tuple[tuple[str, int], ...]
"""Names of clients, and how many of the longest bursts their landing buffers hold; the first goes first."""


class AxiReader(Unit):
    """The read half of an AXI4 master: requests of each client become bursts, words come back in their order.

    A burst is asked for only when its client's landing buffer has a place for every beat of it. So R is always ready,
    and a client that does not take its words holds up nobody. Clients interleave at bursts; all bursts have ID 0, and
    a queue of their owners tells whose beats come.

    Timing: a burst is at AR two cycles after its request was taken, one burst a cycle; a request is taken while the
    words of earlier ones are still under way. A word is at the client `LandingBuffer.LATENCY` cycles after its beat,
    then a word a cycle. `fault` stands in the cycle after its cause.
    Numerics: none, bits are moved. Every burst lies inside the window of its request.

    Parameters
    ----------
    config : the accelerator: its bus
    clients : 1 to 4 pairs (name, bursts), by priority: a name of ports, and the bursts that its landing buffer holds

    Members
    -------
    axi : Out(axi4_read)
    image, data : In(window), the ranges of segments 0 and 1; they stand still while there are requests
    <name>_request : In(stream of read_request)
    <name>_data : Out(stream of unsigned(bits of the bus)), the words of all its requests
    halt : In(1), take no request and ask for no burst; a burst at AR stays until it is taken
    clear : In(1), while halted and idle: forget requests and words
    idle : Out(1), no burst is asked for or under way
    fault : Out(fault): RANGE for a request that leaves its window, of which nothing is read; READ for a beat that DRAM
        refused. `client` counts by priority, `number` is the request's. Of several in one cycle, one is told: READ
        before RANGE, then by priority

    Raises
    ------
    ValueError : when there are no clients or more than 4, or one without a burst.
    """

    def __init__(self, config: Config, clients: Clients):
        if not 1 <= len(clients) <= 4:
            raise ValueError(f"clients={len(clients)} must be between 1 and 4")
        for name, bursts in clients:
            if bursts < 1:
                raise ValueError(f"bursts={bursts} of client {name} must be at least 1")
        self.config = config
        self.clients = clients
        word = unsigned(8 * config.bus.data_bytes)
        super().__init__(
            {"axi": Out(axi4_read(config)), "image": In(window(config)), "data": In(window(config))}
            | {f"{name}_request": In(stream.Signature(read_request(config))) for name, _ in clients}
            | {f"{name}_data": Out(stream.Signature(word)) for name, _ in clients}
            | {"halt": In(1), "clear": In(1), "idle": Out(1), "fault": Out(fault(config))}
        )

    @property
    def module_name(self) -> str:
        return "axi_reader"

    def build(self) -> Module:
        m = Module()
        axi = self.axi
        owner = data.StructLayout(
            {"client": 2, "address": unsigned(self.config.bus.address_bits), "number": NUMBER_BITS}
        )
        # Twice as many bursts as landing buffers hold of the longest: requests begin and end with shorter ones.
        m.submodules.owners = owners = StreamBuffer(owner, 2 * sum(bursts for _, bursts in self.clients))
        constants(m, axi, "ar", self.config)
        go = Signal()
        landed = Signal()
        m.d.comb += [
            axi.rready.eq(1),
            go.eq((~axi.arvalid | axi.arready) & owners.i.ready & ~self.halt),
            landed.eq(axi.rvalid & owners.o.valid),
            owners.o.ready.eq(axi.rvalid & axi.rlast),
            self.idle.eq(~axi.arvalid & ~owners.o.valid),
        ]
        splitters, numbers = [], []
        wants = Signal(len(self.clients))
        for index, (name, bursts) in enumerate(self.clients):
            write = landed & (owners.o.p.client == index)
            splitter, room, number = self._client(m, name, bursts * beats_of_burst(self.config), write)
            m.d.comb += wants[index].eq(splitter.burst.valid & room)
            splitters.append(splitter)
            numbers.append(number)

        with m.If(axi.arready):
            m.d.sync += axi.arvalid.eq(0)
        for index, splitter in enumerate(splitters):
            burst = splitter.burst
            with m.If(go & wants[index] & ~wants[:index].any()):
                m.d.comb += [
                    burst.ready.eq(1),
                    owners.i.valid.eq(1),
                    owners.i.p.client.eq(index),
                    owners.i.p.address.eq(burst.p.address),
                    owners.i.p.number.eq(numbers[index]),
                ]
                m.d.sync += [
                    axi.arvalid.eq(1),
                    axi.araddr.eq(burst.p.address),
                    axi.arlen.eq(burst.p.beats - 1),
                ]

        m.d.sync += self.fault.valid.eq(0)
        for index, splitter in reversed(list(enumerate(splitters))):  # the last assignment counts
            with m.If(splitter.refused):
                number = getattr(self, f"{self.clients[index][0]}_request").p.number
                m.d.sync += self._tell(Error.RANGE, index, splitter.address, number)
        with m.If(landed & (axi.rresp != OKAY)):
            m.d.sync += self._tell(Error.READ, owners.o.p.client, owners.o.p.address, owners.o.p.number)
        return m

    def _client(self, m: Module, name: str, depth: int, write: Value) -> tuple[BurstSplitter, Value, Value]:
        """The splitter and the landing buffer of a client; whether the splitter's burst has a place in it; the number
        of its request."""
        request, words = getattr(self, f"{name}_request"), getattr(self, f"{name}_data")
        m.submodules[f"{name}_splitter"] = splitter = BurstSplitter(self.config, 32)
        m.submodules[f"{name}_landing"] = landing = LandingBuffer(8 * self.config.bus.data_bytes, depth)
        free = Signal(range(depth + 1), init=depth, name=f"{name}_free")  # places that no burst was asked for
        asked, given = splitter.burst.valid & splitter.burst.ready, words.valid & words.ready
        m.d.comb += [
            splitter.request.valid.eq(request.valid),
            splitter.request.p.offset.eq(request.p.offset),
            splitter.request.p.words.eq(request.p.words),
            request.ready.eq(splitter.request.ready),
            splitter.window.eq(Mux(request.p.segment, self.data, self.image)),
            splitter.halt.eq(self.halt),
            splitter.clear.eq(self.clear),
            landing.write.eq(write),
            landing.word.eq(self.axi.rdata),
            landing.clear.eq(self.clear),
            words.valid.eq(landing.o.valid),
            words.payload.eq(landing.o.payload),
            landing.o.ready.eq(words.ready),
        ]
        number = Signal(NUMBER_BITS, name=f"{name}_number", reset_less=True)
        with m.If(request.valid & request.ready):
            m.d.sync += number.eq(request.p.number)
        m.d.sync += free.eq(free - Mux(asked, splitter.burst.p.beats, 0) + given)
        with m.If(self.clear):
            m.d.sync += free.eq(depth)
        return splitter, splitter.burst.p.beats <= free, number

    def _tell(self, error: Error, client: Any, address: Any, number: Any) -> list[Any]:
        fault = self.fault
        return [
            fault.valid.eq(1), fault.error.eq(error), fault.client.eq(client), fault.address.eq(address),
            fault.number.eq(number),
        ]  # fmt: skip
