"""Words to registers: an AXI4-Lite master."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib.wiring import In, Out

from sevedo.hw.bus.axi import OKAY, axi4_lite
from sevedo.hw.bus.registers import ADDRESS_BITS
from sevedo.hw.link.word import word_bus
from sevedo.hw.unit import Unit


class LiteMaster(Unit):
    """One access of a word bus after the other, as reads and writes of whole registers.

    Timing: an answer is given in the cycle after R or B. Valid comes from a register and stays.
    Numerics: none.

    Members
    -------
    host : In(word_bus), addresses are those of the registers; what is answered with an error is an error
    axi : Out(axi4_lite)
    """

    def __init__(self) -> None:
        super().__init__({"host": In(word_bus()), "axi": Out(axi4_lite(ADDRESS_BITS))})

    @property
    def module_name(self) -> str:
        return "lite_master"

    def build(self) -> Module:
        m = Module()
        host, axi = self.host, self.axi
        busy = Signal()
        m.d.comb += [
            host.request.ready.eq(~busy),
            axi.bready.eq(1),
            axi.rready.eq(1),
            axi.wstrb.eq(0b1111),
            axi.araddr.eq(axi.awaddr),
        ]
        m.d.sync += host.done.eq(0)
        with m.If(host.request.valid & ~busy):
            m.d.sync += [
                busy.eq(1),
                axi.awaddr.eq(host.request.p.address),
                axi.wdata.eq(host.request.p.data),
                axi.awvalid.eq(host.request.p.write),
                axi.wvalid.eq(host.request.p.write),
                axi.arvalid.eq(~host.request.p.write),
            ]
        for channel in ("aw", "w", "ar"):
            with m.If(getattr(axi, f"{channel}valid") & getattr(axi, f"{channel}ready")):
                m.d.sync += getattr(axi, f"{channel}valid").eq(0)
        with m.If(axi.bvalid | axi.rvalid):
            m.d.sync += [
                busy.eq(0),
                host.done.eq(1),
                host.data.eq(axi.rdata),
                host.error.eq(Mux(axi.bvalid, axi.bresp, axi.rresp) != OKAY),
            ]
        return m
