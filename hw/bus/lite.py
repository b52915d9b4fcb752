"""An AXI4-Lite port, made into reads and writes of words."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib.wiring import In, Out

from sevedo.hw.unit import Unit

from .axi import OKAY, SLAVE_ERROR, axi4_lite


class LitePort(Unit):
    """An AXI4-Lite slave: one read and one write at a time, apart from each other; AW and W come in either order.

    Timing: a word is written in the cycle after the later of AW and W, or after B has been taken; B follows in the next
    cycle. A word is read in the cycle after AR, or after R has been taken; R follows in the next cycle. No
    combinational path from an input to `axi`'s outputs.
    Numerics: none.

    Parameters
    ----------
    address_bits : of a byte address

    Members
    -------
    axi : In(axi4_lite)
    write : Out(1), write `write_data` to `write_address` now
    write_address : Out(address_bits - 2), of a word
    write_data : Out(32)
    write_strobe : Out(4), which bytes are written
    write_error : In(1), it cannot be; an answer in the same cycle
    read : Out(1), read from `read_address` now
    read_address : Out(address_bits - 2), of a word
    read_data : In(32), an answer in the same cycle
    read_error : In(1), the same
    """

    def __init__(self, address_bits: int):
        self.address_bits = address_bits
        super().__init__(
            {
                "axi": In(axi4_lite(address_bits)),
                "write": Out(1), "write_address": Out(address_bits - 2), "write_data": Out(32),
                "write_strobe": Out(4), "write_error": In(1),
                "read": Out(1), "read_address": Out(address_bits - 2), "read_data": In(32), "read_error": In(1),
            }
        )  # fmt: skip

    @property
    def module_name(self) -> str:
        return f"lite_port_{self.address_bits}"

    def build(self) -> Module:
        m = Module()
        axi = self.axi
        # What is held: the address of a write, its data, the address of a read.
        address = Signal()
        word = Signal()
        asked = Signal()
        m.d.comb += [
            axi.awready.eq(~address),
            axi.wready.eq(~word),
            axi.arready.eq(~asked),
            self.write.eq(address & word & ~axi.bvalid),
            self.read.eq(asked & ~axi.rvalid),
        ]
        with m.If(axi.awvalid & ~address):
            m.d.sync += [address.eq(1), self.write_address.eq(axi.awaddr[2:])]
        with m.If(axi.wvalid & ~word):
            m.d.sync += [word.eq(1), self.write_data.eq(axi.wdata), self.write_strobe.eq(axi.wstrb)]
        with m.If(self.write):
            m.d.sync += [
                address.eq(0),
                word.eq(0),
                axi.bvalid.eq(1),
                axi.bresp.eq(Mux(self.write_error, SLAVE_ERROR, OKAY)),
            ]
        with m.Elif(axi.bready):
            m.d.sync += axi.bvalid.eq(0)

        with m.If(axi.arvalid & ~asked):
            m.d.sync += [asked.eq(1), self.read_address.eq(axi.araddr[2:])]
        with m.If(self.read):
            m.d.sync += [
                asked.eq(0),
                axi.rvalid.eq(1),
                axi.rdata.eq(self.read_data),
                axi.rresp.eq(Mux(self.read_error, SLAVE_ERROR, OKAY)),
            ]
        with m.Elif(axi.rready):
            m.d.sync += axi.rvalid.eq(0)
        return m
