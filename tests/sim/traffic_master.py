"""A small AXI master with registers, that reads and writes as it is told and breaks one rule at a time."""

from __future__ import annotations

from enum import IntEnum

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib.wiring import In, Out

from sevedo.hw.unit import Unit


class Register(IntEnum):
    """Addresses. Writing CONTROL starts; it reads as 1 while busy."""

    CONTROL = 0
    ADDRESS = 4
    LENGTH = 8
    BURSTS = 12
    WRITES = 16
    FAULT = 20
    SUM = 24
    BEATS = 28
    ERRORS = 32


class Fault(IntEnum):
    NONE = 0
    ADDRESS_CHANGES = 1
    VALID_DROPS = 2
    LAST_MISSING = 3
    LAST_EARLY = 4
    DATA_CHANGES = 5
    FIXED_BURST = 6
    WAITS_FOR_READY = 7
    REGISTER_SILENT = 8
    ANSWER_DROPS = 9
    ANSWERS_UNASKED = 10
    STROBE_OUTSIDE = 11


ID_BITS = 2
_NAMES = ("address", "length", "bursts", "writes", "fault")


class TrafficMaster(Unit):
    """BURSTS bursts of LENGTH + 1 beats from ADDRESS on, one after the other; IDs go round.

    Read: SUM adds up the low 32 bits of all beats. Write: a beat is its number in every 32 bits. ERRORS counts error
    responses. `activity` is the number of bursts asked for.
    """

    def __init__(self, data_bytes: int, address_bits: int = 32):
        self._bytes, self._address_bits = data_bytes, address_bits
        request = {"id": ID_BITS, "addr": address_bits, "len": 8, "size": 3, "burst": 2}
        outs = {f"a{c}{name}": width for c in "rw" for name, width in (*request.items(), ("valid", 1))}
        outs |= {
            "wdata": 8 * data_bytes,
            "wstrb": data_bytes,
            "wlast": 1,
            "wvalid": 1,
            "rready": 1,
            "bready": 1,
        }
        ins = {"arready": 1, "awready": 1, "wready": 1, "rid": ID_BITS, "rdata": 8 * data_bytes, "rresp": 2}
        ins |= {"rlast": 1, "rvalid": 1, "bid": ID_BITS, "bresp": 2, "bvalid": 1}
        lite_in = {"awaddr": 8, "awvalid": 1, "wdata": 32, "wstrb": 4, "wvalid": 1, "bready": 1}
        lite_in |= {"araddr": 8, "arvalid": 1, "rready": 1}
        lite_out = {"awready": 1, "wready": 1, "bresp": 2, "bvalid": 1, "arready": 1, "rdata": 32, "rresp": 2}
        lite_out |= {"rvalid": 1}
        members = {f"m_axi_{n}": Out(w) for n, w in outs.items()} | {
            f"m_axi_{n}": In(w) for n, w in ins.items()
        }
        members |= {f"s_axi_{n}": In(w) for n, w in lite_in.items()}
        members |= {f"s_axi_{n}": Out(w) for n, w in lite_out.items()}
        super().__init__(members | {"irq": Out(1), "activity": Out(95)})

    @property
    def module_name(self) -> str:
        return f"traffic_master_{self._bytes}_{self._address_bits}"

    @property
    def latency(self) -> int:
        return 0

    def build(self) -> Module:
        m = Module()
        names = {name: Signal(32, name=name) for name in _NAMES}
        start = Signal()
        self._toggle = Signal()
        self.sum, self.beats, self.errors, self.busy = Signal(32), Signal(32), Signal(32), Signal()
        self._registers(m, names, start)
        self._bursts(m, names, start)
        return m

    def _registers(self, m: Module, names: dict[str, Signal], start: Signal) -> None:
        taken = Signal()
        where = Signal(8)
        fault = names["fault"]
        # Write: both halves at once; the answer a cycle later.
        m.d.comb += taken.eq(self.s_axi_awvalid & self.s_axi_wvalid & ~self.s_axi_bvalid)
        m.d.comb += [
            self.s_axi_awready.eq(taken),
            self.s_axi_wready.eq(taken),
            start.eq(taken & (where == 0)),
        ]
        m.d.comb += where.eq(self.s_axi_awaddr)
        with m.If(self.s_axi_bvalid & self.s_axi_bready):
            m.d.sync += self.s_axi_bvalid.eq(0)
        with m.If(taken):
            m.d.sync += self.s_axi_bvalid.eq(1)
            for index, name in enumerate(_NAMES, 1):
                with m.If(where == 4 * index):
                    m.d.sync += names[name].eq(self.s_axi_wdata)
        m.d.sync += self.s_axi_bresp.eq(Mux(where > Register.ERRORS, 2, 0))
        answering = Signal()
        m.d.comb += [
            self.s_axi_arready.eq(~answering & (fault != Fault.REGISTER_SILENT)),
            self.s_axi_rvalid.eq((answering & ~((fault == Fault.ANSWER_DROPS) & self._toggle)) | (
                (fault == Fault.ANSWERS_UNASKED) & (self.s_axi_araddr == 0))),
        ]  # fmt: skip
        read = [self.busy, *(names[name] for name in _NAMES), self.sum, self.beats, self.errors]
        with m.If(answering & self.s_axi_rvalid & self.s_axi_rready):
            m.d.sync += answering.eq(0)
        with m.If(self.s_axi_arvalid & self.s_axi_arready):
            m.d.sync += [answering.eq(1), self.s_axi_rresp.eq(Mux(self.s_axi_araddr > Register.ERRORS, 2, 0))]
            for index, value in enumerate(read):
                with m.If(self.s_axi_araddr == 4 * index):
                    m.d.sync += self.s_axi_rdata.eq(value)
        m.d.sync += self._toggle.eq(~self._toggle)

    def _bursts(self, m: Module, names: dict[str, Signal], start: Signal) -> None:
        fault, length, writes = names["fault"], names["length"], names["writes"]
        address = Signal(self._address_bits)
        asked, answered, sent, beat, waited = Signal(32), Signal(32), Signal(32), Signal(9), Signal(8)
        more, done_read, done_write = Signal(), Signal(), Signal()
        m.d.comb += more.eq(self.busy & (asked != names["bursts"]))
        for channel, mine in (("ar", ~writes[0]), ("aw", writes[0])):
            of = {
                name: getattr(self, f"m_axi_{channel}{name}")
                for name in ("id", "addr", "len", "size", "burst")
            }
            valid, ready = getattr(self, f"m_axi_{channel}valid"), getattr(self, f"m_axi_{channel}ready")
            m.d.comb += [
                of["id"].eq(asked),
                of["addr"].eq(address ^ Mux((fault == Fault.ADDRESS_CHANGES) & (waited == 2), 64, 0)),
                of["len"].eq(length), of["size"].eq((self._bytes - 1).bit_length() - (fault == Fault.STROBE_OUTSIDE)),
                of["burst"].eq(Mux(fault == Fault.FIXED_BURST, 0, 1)),
                valid.eq(more & mine & ~((fault == Fault.VALID_DROPS) & (waited == 2))
                         & ((fault != Fault.WAITS_FOR_READY) | ready)),
            ]  # fmt: skip
            with m.If(valid & ready):
                m.d.sync += [asked.eq(asked + 1), waited.eq(0)]
                m.d.sync += address.eq(address + (length[:8] + 1) * self._bytes)
            with m.Elif(valid):
                m.d.sync += waited.eq(waited + 1)
        last = Signal()
        changes = Signal()
        m.d.comb += [
            last.eq(beat == length),
            changes.eq((fault == Fault.DATA_CHANGES) & self._toggle),
            self.m_axi_wvalid.eq(self.busy & writes[0] & (sent != names["bursts"])),
            self.m_axi_wlast.eq(Mux(fault == Fault.LAST_MISSING, 0, last | (fault == Fault.LAST_EARLY))),
            self.m_axi_wstrb.eq(~0),
            self.m_axi_wdata.eq(Cat(*[self.beats ^ changes] * (self._bytes // 4))),
            self.m_axi_rready.eq(1), self.m_axi_bready.eq(1),
            done_read.eq(self.m_axi_rvalid & self.m_axi_rlast), done_write.eq(self.m_axi_bvalid),
            self.activity.eq(asked),
        ]  # fmt: skip
        with m.If(self.m_axi_wvalid & self.m_axi_wready):
            m.d.sync += [beat.eq(Mux(last, 0, beat + 1)), sent.eq(sent + last), self.beats.eq(self.beats + 1)]
        with m.If(self.m_axi_rvalid):
            m.d.sync += [self.sum.eq(self.sum + self.m_axi_rdata[:32]), self.beats.eq(self.beats + 1)]
        m.d.sync += self.errors.eq(
            self.errors + (done_read & (self.m_axi_rresp != 0)) + (done_write & (self.m_axi_bresp != 0))
        )
        m.d.sync += answered.eq(answered + done_read + done_write)
        with m.If(self.busy & (answered == names["bursts"])):
            m.d.sync += [self.busy.eq(0), self.irq.eq(1)]
        with m.If(start):
            m.d.sync += [self.busy.eq(1), self.irq.eq(0), address.eq(names["address"])]
            m.d.sync += [
                each.eq(0) for each in (asked, answered, sent, beat, self.sum, self.beats, self.errors)
            ]
