"""cocotb tests of the registers, through cocotbext-axi's master."""

from __future__ import annotations

import logging
import random
from typing import Any

import cocotb
from axi_side import cycles, stalls
from cocotb.triggers import FallingEdge, RisingEdge, Timer
from cocotbext.axi import AxiLiteBus, AxiLiteMaster, AxiResp

from sevedo.gen.config.register_map import BY_NAME, REGISTERS
from sevedo.gen.config.registers import Kind, Register, stem
from sevedo.sim.streams import start

OKAY, SLVERR = AxiResp.OKAY, AxiResp.SLVERR
SIZE = 1 << 12
COUNTERS = [stem(each.name)[0] for each in REGISTERS if each.fields[0].kind is Kind.COUNTER]

logging.getLogger("cocotb.registers").setLevel(logging.ERROR)


def port_of(register: Register, field: str) -> tuple[str, int]:
    """The port behind a field, and the place of its lowest bit there: by the names that the contract gives."""
    name, place = stem(register.name) if field == "value" else (f"{register.name}_{field}", 0)
    return name.lower(), place


class Side:
    """The design, its host, and the watch on the port."""

    def __init__(self, dut: Any):
        self.dut = dut
        self.rng = random.Random(0)
        self.host = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "axi"), dut.clk, dut.rst)
        self.inputs: dict[str, int] = {}
        for register in REGISTERS:
            for field in register.fields:
                if field.kind in (Kind.VALUE, Kind.STICKY, Kind.COUNTER):
                    self.set(port_of(register, field.name)[0], 0)
        for name in ("running", "restart"):
            self.set(name, 0)
        self.pulses: dict[str, int] = {}

    def set(self, name: str, value: int) -> None:
        """Drive an input."""
        self.inputs[name] = value
        getattr(self.dut, name).value = value

    def out(self, name: str) -> int:
        return int(getattr(self.dut, name).value)

    async def start(self) -> Side:
        await start(self.dut)
        cocotb.start_soon(self._watch())
        return self

    async def _watch(self) -> None:
        """Answers stand until they are taken; pulses are counted."""
        held: dict[str, tuple[int, ...] | None] = {"b": None, "r": None}
        ports = {"b": ["bresp"], "r": ["rdata", "rresp"]}
        while True:
            await FallingEdge(self.dut.clk)
            for channel, before in held.items():
                valid, ready = self.out(f"axi_{channel}valid"), self.out(f"axi_{channel}ready")
                now = tuple(self.out(f"axi_{port}") for port in ports[channel])
                assert before is None or (valid and now == before), f"{channel} changed before it was taken"
                held[channel] = now if valid and not ready else None
            for name in ("start", "stop", "clear"):
                self.pulses[name] = self.pulses.get(name, 0) + self.out(f"control_{name}")

    def stall(self, probability: float) -> None:
        """Hold back on all five channels."""
        write, read = self.host.write_if, self.host.read_if
        for channel in (write.aw_channel, write.w_channel, write.b_channel, read.ar_channel, read.r_channel):
            seed = str(self.rng.random())
            channel.set_pause_generator(stalls(probability, seed) if probability else None)
            channel.pause = False

    async def read(self, offset: int) -> tuple[AxiResp, int]:
        answer = await self.host.read(offset, 4)
        return answer.resp, int.from_bytes(answer.data, "little")

    async def write(self, offset: int, value: int, size: int = 4) -> AxiResp:
        answer = await self.host.write(offset, value.to_bytes(size, "little"))
        return answer.resp

    async def get(self, name: str) -> int:
        resp, value = await self.read(BY_NAME[name].offset)
        assert resp is OKAY
        return value


class Model:
    """What the registers are, by their description: a software's view."""

    def __init__(self, side: Side):
        self.side = side
        self.stored = {
            (register.name, field.name): field.reset
            for register in REGISTERS
            for field in register.fields
            if field.kind in (Kind.STORED, Kind.LOCKED)
        }

    def read(self, register: Register) -> int:
        """All but counters and flags."""
        word = 0
        for field in register.fields:
            name, place = port_of(register, field.name)
            value = {
                Kind.CONSTANT: field.reset,
                Kind.VALUE: self.side.inputs.get(name, 0) >> place & ((1 << field.width) - 1),
                Kind.STORED: self.stored.get((register.name, field.name), 0),
                Kind.LOCKED: self.stored.get((register.name, field.name), 0),
            }.get(field.kind, 0)
            word |= value << field.low
        return word

    def write(self, offset: int, value: int, size: int) -> AxiResp:
        """What `size` bytes at `offset` do; the answer."""
        register = next((each for each in REGISTERS if each.offset == offset & ~3), None)
        if register is None or not any(each.kind.written for each in register.fields):
            return SLVERR
        if any(each.kind is Kind.LOCKED for each in register.fields) and self.side.inputs["running"]:
            return SLVERR
        mask = ((1 << 8 * size) - 1) << 8 * (offset & 3)
        word = value << 8 * (offset & 3)
        for field in register.fields:
            key = register.name, field.name
            if key in self.stored:
                was = self.stored[key] << field.low
                now = (was & ~mask | word & mask) & field.mask
                self.stored[key] = now >> field.low
        return OKAY

    def check_outputs(self) -> int:
        """What the hardware sees; the number of ports compared."""
        want: dict[str, int] = {}
        for (name, field), value in self.stored.items():
            port, place = port_of(BY_NAME[name], field)
            want[port] = want.get(port, 0) | value << place
        for port, value in want.items():
            assert self.side.out(port) == value, port
        return len(want)


@cocotb.test()
async def every_address(dut: Any) -> None:
    """Every word of the port, after reset: what the description says, and an error where it says nothing."""
    side = await Side(dut).start()
    model = Model(side)
    side.set("configuration", 0x1234_5678)
    offsets = {each.offset: each for each in REGISTERS}
    errors = 0
    for offset in range(0, SIZE, 4):
        resp, value = await side.read(offset)
        if offset in offsets:
            assert (resp, value) == (OKAY, model.read(offsets[offset])), offsets[offset].name
        else:
            assert (resp, value) == (SLVERR, 0), hex(offset)
            errors += 1
    assert errors == SIZE // 4 - len(REGISTERS)
    assert await side.get("ID") == int.from_bytes(b"SVD0", "big")
    assert await side.get("WATCHDOG") == 65536


@cocotb.test()
async def every_write(dut: Any) -> None:
    """All ones and all zeros into every word: only what may be written changes."""
    side = await Side(dut).start()
    model = Model(side)
    for running in (0, 1):
        side.set("running", running)
        for value in (0xFFFF_FFFF, 0x5A5A_A5A5, 0):
            for offset in [*range(0, 0x200, 4), 0xFFC]:
                assert await side.write(offset, value) is model.write(offset, value, 4), hex(offset)
            assert model.check_outputs() == 8
            for register in REGISTERS:
                if register.fields[0].kind is not Kind.COUNTER:
                    assert await side.get(register.name) == model.read(register), register.name
    assert side.pulses == {"start": 4, "stop": 2, "clear": 4}


@cocotb.test()
async def anything(dut: Any) -> None:
    """Reads and writes of any size at once, stalls on all channels, the hardware changing its values."""
    side = await Side(dut).start()
    model = Model(side)
    rng = side.rng
    answers = {OKAY: 0, SLVERR: 0}
    for probability in (0.0, 0.25, 0.75):
        side.stall(probability)
        for _ in range(150):
            side.set("running", int(rng.random() < 0.3))
            for register in REGISTERS:
                if register.fields[0].kind is Kind.VALUE and rng.random() < 0.1:
                    for field in register.fields:
                        name, _place = port_of(register, field.name)
                        side.set(name, rng.getrandbits(len(getattr(dut, name))))
            size = rng.choice([1, 2, 4])
            offset = rng.choice([rng.randrange(0, 0x60, size), rng.randrange(0, 0x200, size)])
            value = rng.getrandbits(8 * size)
            other = rng.choice(
                [each for each in REGISTERS if each.offset != offset & ~3 and each.offset < 0x60]
            )
            if any(field.kind is Kind.STICKY for field in other.fields):
                continue
            reading = cocotb.start_soon(side.read(other.offset))
            resp = await side.write(offset, value, size)
            assert resp is model.write(offset, value, size), hex(offset)
            assert await reading == (OKAY, model.read(other)), other.name
            answers[resp] += 1
            model.check_outputs()
    assert min(answers.values()) > 50


@cocotb.test()
async def any_order(dut: Any) -> None:
    """AW before W, and W before AW."""
    side = await Side(dut).start()
    write = side.host.write_if
    for first, second in ((write.aw_channel, write.w_channel), (write.w_channel, write.aw_channel)):
        for value in (0xCAFE, 0xBEEF_0000):
            second.pause = True
            writing = cocotb.start_soon(side.write(BY_NAME["IMAGE_SIZE"].offset, value))
            await cycles(dut, 10)
            assert first.idle()
            assert not writing.done()
            assert side.out("image_size") != value
            second.pause = False
            assert await writing is OKAY
            assert side.out("image_size") == value


@cocotb.test()
async def a_slow_host(dut: Any) -> None:
    """While an answer waits to be taken, the next write or read waits too, and is not lost."""
    side = await Side(dut).start()
    side.host.write_if.b_channel.pause = True
    writes = [cocotb.start_soon(side.write(BY_NAME["DATA_SIZE"].offset, value)) for value in (3, 5)]
    await cycles(dut, 20)
    assert side.out("data_size") == 3
    side.host.write_if.b_channel.pause = False
    assert [await writing for writing in writes] == [OKAY, OKAY]
    assert side.out("data_size") == 5
    side.host.read_if.r_channel.pause = True
    reads = [cocotb.start_soon(side.read(BY_NAME[name].offset)) for name in ("ID", "WATCHDOG")]
    await cycles(dut, 20)
    side.host.read_if.r_channel.pause = False
    assert [await reading for reading in reads] == [(OKAY, 0x5356_4430), (OKAY, 65536)]


@cocotb.test()
async def pulses_last_a_cycle(dut: Any) -> None:
    side = await Side(dut).start()
    offset = BY_NAME["CONTROL"].offset
    for value in (1, 2, 4, 7, 0):
        side.pulses.clear()
        assert await side.write(offset, value, 1) is OKAY
        await cycles(dut, 3)
        assert list(side.pulses.values()) == [value & 1, value >> 1 & 1, value >> 2]
        assert await side.get("CONTROL") == 0
    side.pulses.clear()
    assert await side.write(offset + 1, 0xFF, 1) is OKAY
    await cycles(dut, 3)
    assert not any(side.pulses.values())


@cocotb.test()
async def interrupts(dut: Any) -> None:
    """Set by the hardware, cleared by ones, raised where enabled; a flag that is set while it is cleared stays."""
    side = await Side(dut).start()
    enable, pending = BY_NAME["INTERRUPT_ENABLE"].offset, BY_NAME["INTERRUPT"].offset
    for bit, name in enumerate(("interrupt_done", "interrupt_failed")):
        for enabled in (0, 1, 2, 3):
            await side.write(enable, enabled)
            side.set(name, 1)
            await cycles(dut, 1)
            side.set(name, 0)
            assert side.out("irq") == enabled >> bit & 1
            assert await side.get("INTERRUPT") == 1 << bit
            await side.write(pending, 3 ^ 1 << bit)
            assert await side.get("INTERRUPT") == 1 << bit
            await side.write(pending, 1 << bit)
            assert await side.get("INTERRUPT") == 0
            assert side.out("irq") == 0
    await side.write(enable, 3)
    # The word is written in the cycle after AW and W: there the flag is set again.
    side.set("interrupt_done", 1)
    dut.axi_awaddr.value, dut.axi_wdata.value, dut.axi_wstrb.value = pending, 3, 15
    dut.axi_awvalid.value = dut.axi_wvalid.value = dut.axi_bready.value = 1
    await cycles(dut, 1)
    dut.axi_awvalid.value = dut.axi_wvalid.value = 0
    await cycles(dut, 1)
    side.set("interrupt_done", 0)
    await cycles(dut, 3)
    assert side.out("irq") == 1


@cocotb.test()
async def counters(dut: Any) -> None:
    """Each counts what it is given, and only it; LOW keeps HIGH; a carry; a restart."""
    side = await Side(dut).start()
    want = dict.fromkeys(COUNTERS, 0)
    for turn, name in enumerate(COUNTERS):
        port = name.lower()
        step = (1 << len(getattr(dut, port))) - 1
        for _ in range(turn + 3):
            side.set(port, step)
            await cycles(dut, 1)
            side.set(port, 0)
            want[name] += step
    for name in COUNTERS:
        assert await side.get(f"{name}_LOW") == want[name] > 0, name
        assert await side.get(f"{name}_HIGH") == 0
    dut.cycles_counter.value = 0x7_FFFF_FFFE
    dut.load_busy_counter.value = 0x5_0000_0000
    await cycles(dut, 1)
    assert await side.get("CYCLES_LOW") == 0xFFFF_FFFE
    side.set("cycles", 1)
    await cycles(dut, 4)
    side.set("cycles", 0)
    assert await side.get("CYCLES_HIGH") == 7
    assert await side.get("CYCLES_LOW") == 2
    assert await side.get("CYCLES_HIGH") == 8
    assert await side.get("LOAD_BUSY_LOW") == 0
    assert await side.get("LOAD_BUSY_HIGH") == 5
    side.set("cycles", 1)
    side.set("restart", 1)
    await cycles(dut, 1)
    side.set("restart", 0)
    side.set("cycles", 0)
    for name in COUNTERS:
        assert [await side.get(f"{name}_{half}") for half in ("LOW", "HIGH")] == [0, 0], name


@cocotb.test()
async def declared_timing(dut: Any) -> None:
    """Written in the cycle after AW and W, B in the next; R two cycles after AR."""
    side = await Side(dut).start()
    await RisingEdge(dut.clk)
    await Timer(1, "ns")
    dut.axi_awaddr.value = BY_NAME["WATCHDOG"].offset
    dut.axi_araddr.value = BY_NAME["ID"].offset
    dut.axi_wdata.value, dut.axi_wstrb.value = 77, 15
    dut.axi_awvalid.value = dut.axi_wvalid.value = dut.axi_arvalid.value = 1
    dut.axi_bready.value = dut.axi_rready.value = 1
    await cycles(dut, 1)
    dut.axi_awvalid.value = dut.axi_wvalid.value = dut.axi_arvalid.value = 0
    assert (side.out("watchdog"), side.out("axi_bvalid"), side.out("axi_rvalid")) == (65536, 0, 0)
    await cycles(dut, 1)
    assert (side.out("watchdog"), side.out("axi_bvalid"), side.out("axi_rvalid")) == (77, 1, 1)
    assert side.out("axi_rdata") == 0x53564430
    await cycles(dut, 1)
    assert (side.out("axi_bvalid"), side.out("axi_rvalid")) == (0, 0)
