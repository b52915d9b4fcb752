"""cocotb tests of the whole processor between cocotbext-axi's memory and its AXI4-Lite master."""

from __future__ import annotations

import logging
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge, with_timeout
from cocotbext.axi import AxiBus, AxiLiteBus, AxiLiteMaster, AxiRam

from sevedo.gen.config.instructions import Error, Unit
from sevedo.gen.config.register_map import BY_NAME
from sevedo.sim.bench import bench_parameters
from sevedo.sim.streams import start

IMAGE, DATA, MEMORY = 0x0010_0040, 0x0020_0FC0, 1 << 22

for name in ("m_axi", "s_axi"):
    logging.getLogger(f"cocotb.processor.{name}").setLevel(logging.ERROR)


class Host:
    """Memory and registers as a host has them."""

    def __init__(self, dut: Any, stall: float) -> None:
        self.dut = dut
        self.ram = AxiRam(AxiBus.from_prefix(dut, "m_axi"), dut.clk, dut.rst, size=MEMORY)
        self.lite = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axi"), dut.clk, dut.rst)
        self.broken: range = range(0)
        read, write = self.ram.read_if, self.ram.write_if
        channels = [read.ar_channel, read.r_channel, write.aw_channel, write.w_channel, write.b_channel]
        lite = [self.lite.write_if.aw_channel, self.lite.write_if.w_channel, self.lite.read_if.r_channel]
        if stall:
            for place, channel in enumerate([*channels, *lite]):
                channel.set_pause_generator(_stalls(stall, place))
        plain = read._read

        async def guarded(address: int, length: int) -> bytes:
            if address in self.broken:
                raise ValueError  # the memory's way to answer SLVERR
            return await plain(address, length)

        read._read = guarded

    async def read(self, name: str) -> int:
        """A register."""
        return await self.lite.read_dword(BY_NAME[name].offset)

    async def write(self, name: str, value: int) -> None:
        """Set a register."""
        await self.lite.write_dword(BY_NAME[name].offset, value)

    async def run(self, files: Any) -> None:
        """Load and start a program; until the interrupt."""
        self.ram.write(IMAGE, files["image"].tobytes())
        self.ram.write(DATA, files["data"].tobytes())
        for name, value in (
            ("IMAGE_BASE_LOW", IMAGE), ("IMAGE_SIZE", files["image"].size), ("DATA_BASE_LOW", DATA),
            ("DATA_SIZE", files["data"].size), ("PROGRAM", int(files["program"])), ("INTERRUPT_ENABLE", 3),
            ("INTERRUPT", 3), ("CONTROL", 1),
        ):  # fmt: skip
            await self.write(name, value)
        if not int(self.dut.irq.value):
            await with_timeout(RisingEdge(self.dut.irq), 20, "ms")

    def check_data(self, files: Any) -> None:
        """All of the data segment is right, and nothing around it was touched."""
        size = files["wanted"].size
        found = np.frombuffer(self.ram.read(DATA, size), np.uint8)
        np.testing.assert_array_equal(found, files["wanted"])
        assert not any(self.ram.read(DATA - 64, 64))
        assert not any(self.ram.read(DATA + size, 64))


def _stalls(probability: float, seed: int) -> Any:
    generator = np.random.default_rng(seed)
    while True:
        yield bool(generator.random() < probability)


@cocotb.test()
async def programs(dut: Any) -> None:
    """A program to its end and again, then one whose weights the memory refuses, then the good one again."""
    parameters = bench_parameters()
    files = np.load(parameters["file"])
    host = Host(dut, parameters["stall"])
    await start(dut)
    for _ in range(2):
        await host.run(files)
        assert await host.read("STATUS") & 0b110 == 0b010
        assert await host.read("INTERRUPT") == 1
        assert await host.read("INSTRUCTIONS") == int(files["instructions"])
        host.check_data(files)
    assert await host.read("BYTES_READ_LOW") > files["image"].size // 2

    at = IMAGE + int(parameters["broken"])
    host.broken = range(at, at + 8)
    await host.run(files)
    assert await host.read("STATUS") & 0b110 == 0b100
    assert await host.read("INTERRUPT") == 2
    assert await host.read("ERROR_CODE") == Error.READ
    assert await host.read("ERROR_UNIT") == Unit.STREAM
    found = await host.read("ERROR_ADDRESS_LOW")
    assert found <= at < found + 4096
    host.broken = range(0)
    await host.write("CONTROL", 4)
    await host.run(files)
    host.check_data(files)
