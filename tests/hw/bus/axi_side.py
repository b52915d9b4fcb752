"""The other side of the AXI4 ports in cocotb tests: a memory with latency and errors, and a watch on the rules.

The memory is cocotbext-axi's. The watch knows nothing of it: it looks at the ports of the design in every cycle.
"""

from __future__ import annotations

import logging
import random
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import Event, FallingEdge, RisingEdge, Timer
from cocotb.utils import get_sim_steps, get_sim_time
from cocotbext.axi import AxiRamRead, AxiRamWrite, AxiReadBus, AxiWriteBus

from sevedo.gen.verilog.manifest import StreamPort
from sevedo.sim.streams import PERIOD, Words

IMAGE = (0x0020_3000, 0x6000)
DATA = (0x0000_F000, 0x5000)
"""Windows: base, size. Neither touches the other, and their ends are not where a long burst would end."""
MEMORY = 1 << 22

logging.getLogger("cocotb.axi_reader").setLevel(logging.ERROR)
logging.getLogger("cocotb.axi_writer").setLevel(logging.ERROR)


def stalls(probability: float, seed: str) -> Iterator[bool]:
    """Whether a channel holds back, for every cycle."""
    rng = random.Random(seed)
    while True:
        yield rng.random() < probability


class Delayed:
    """A channel's receiver that hands a transfer on `latency` cycles after it came."""

    def __init__(self, channel: Any, latency: int):
        self._steps = int(get_sim_steps(PERIOD * latency, "ns"))
        self._waiting: deque[tuple[int, Any]] = deque()
        self._come = Event()
        self._take = channel.recv
        channel.recv = self._recv
        channel.queue_occupancy_limit = 64
        cocotb.start_soon(self._run())

    async def _run(self) -> None:
        while True:
            transfer = await self._take()
            self._waiting.append((get_sim_time("step") + self._steps, transfer))
            self._come.set()

    async def _recv(self) -> Any:
        while not self._waiting:
            self._come.clear()
            await self._come.wait()
        due, transfer = self._waiting.popleft()
        left = due - get_sim_time("step")
        if left > 0:
            await Timer(left, "step")
        return transfer


class ReadMemory(AxiRamRead):
    """DRAM as a reader sees it; `broken` are word addresses that answer with an error."""

    def __init__(self, dut: Any, stall: float = 0.0, latency: int = 0):
        super().__init__(AxiReadBus.from_prefix(dut, "axi"), dut.clk, dut.rst, size=MEMORY)
        self.broken: set[int] = set()
        if latency:
            Delayed(self.ar_channel, latency)
        self.stall(stall)

    def stall(self, probability: float) -> None:
        """Hold back on AR and R."""
        self.ar_channel.set_pause_generator(stalls(probability, "ar") if probability else None)
        self.r_channel.set_pause_generator(stalls(probability, "r") if probability else None)
        if not probability:
            self.ar_channel.pause = self.r_channel.pause = False

    async def _read(self, address: int, length: int) -> bytes:
        if address in self.broken:
            raise ValueError
        return self.read(address, length)


class WriteMemory(AxiRamWrite):
    """DRAM as a writer sees it; `broken` are word addresses that answer with an error."""

    def __init__(self, dut: Any, stall: float = 0.0, latency: int = 0):
        super().__init__(AxiWriteBus.from_prefix(dut, "axi"), dut.clk, dut.rst, size=MEMORY)
        self.broken: set[int] = set()
        self.touched: set[int] = set()
        if latency:
            Delayed(self.w_channel, latency)
        self.stall(stall)

    def stall(self, probability: float) -> None:
        """Hold back on AW, W and B."""
        for name, channel in (("aw", self.aw_channel), ("w", self.w_channel), ("b", self.b_channel)):
            channel.set_pause_generator(stalls(probability, name) if probability else None)
            if not probability:
                channel.pause = False

    async def _write(self, address: int, data: bytes) -> None:
        if address // self.byte_lanes * self.byte_lanes in self.broken:
            raise ValueError
        self.touched.update(range(address, address + len(data)))
        self.write(address, data)


@dataclass
class Watch:
    """Looks at an address channel, and at W, in every cycle, and checks the rules of AXI4 and of the bus units.

    bursts : (address, beats) of all bursts so far, as their addresses were taken
    beats : of R or W so far
    cycles : in which these were, first and last
    """

    dut: Any
    channel: str
    bus_bytes: int
    longest: int
    windows: tuple[tuple[int, int], ...]
    bursts: list[tuple[int, int]] = field(default_factory=list)
    beats: list[int] = field(default_factory=list)
    strobes: list[int] = field(default_factory=list)
    cycle: int = 0
    halted: int = 0
    _held: dict[str, Any] = field(default_factory=dict)

    def start(self) -> Watch:
        """Begin to look."""
        cocotb.start_soon(self._run())
        return self

    def _port(self, name: str) -> int:
        return int(getattr(self.dut, f"axi_{name}").value)

    async def _run(self) -> None:
        data = {"ar": "r", "aw": "w"}[self.channel]
        names = ("id", "addr", "len", "size", "burst", "lock", "cache", "prot", "qos")
        while True:
            await FallingEdge(self.dut.clk)
            self.cycle += 1
            self.halted = self.halted + 1 if int(self.dut.halt.value) else 0
            offered = self._holds(self.channel, [self.channel + name for name in names])
            if self._port(self.channel + "valid") and self._port(self.channel + "ready"):
                self._take(offered)
            if data == "w":
                self._holds("w", ["wdata", "wstrb", "wlast"])
            else:
                assert self._port("rready") == 1, "the read channel must never block"
            if self._port(data + "valid") and self._port(data + "ready"):
                self.beats.append(self.cycle)
                if data == "w":
                    self.strobes.append(self._port("wstrb"))

    def _holds(self, channel: str, ports: list[str]) -> tuple[int, ...]:
        """Valid does not drop, what stands at the channel does not change; what stands there now."""
        valid, ready = self._port(channel + "valid"), self._port(channel + "ready")
        now = tuple(self._port(port) for port in ports)
        before = self._held.get(channel)
        assert before is None or (valid and now == before), f"{channel}: changed before it was taken"
        if channel == self.channel and valid and before is None:
            assert self.halted < 2, f"{channel}: a new burst while halted"
        self._held[channel] = now if valid and not ready else None
        return now

    def _take(self, offered: tuple[int, ...]) -> None:
        address, beats = offered[1], offered[2] + 1
        fixed = (0, self.bus_bytes.bit_length() - 1, 1, 0, 3, 0, 0)
        assert (offered[0], *offered[3:]) == fixed, f"burst at {address:#x}: {offered}"
        end = address + beats * self.bus_bytes
        assert beats <= self.longest, f"burst at {address:#x}: {beats} beats"
        assert address % self.bus_bytes == 0
        assert address // 4096 == (end - 1) // 4096, f"burst at {address:#x}: crosses 4 KiB"
        assert any(base <= address and end <= base + size for base, size in self.windows), (
            f"burst at {address:#x}: outside of the windows"
        )
        self.bursts.append((address, beats))


def pack(port: StreamPort, beats: list[dict[str, int]]) -> Words:
    """Beats of a stream from the values of their fields."""
    words = []
    for fields in beats:
        value = sum(fields[each.name] << each.offset for each in port.fields)
        words.append(np.frombuffer(value.to_bytes(4 * port.words, "little"), np.uint32))
    return np.array(words, np.uint32).reshape(-1, port.words)


async def cycles(dut: Any, count: int) -> None:
    """Wait; ends one nanosecond after a rising edge."""
    for _ in range(count):
        await RisingEdge(dut.clk)
    await Timer(1, "ns")


async def until(dut: Any, what: Callable[[], bool], limit: int = 5000) -> int:
    """Wait until `what` holds when everything has settled; the cycles that it took."""
    for count in range(limit):
        await FallingEdge(dut.clk)
        if what():
            await RisingEdge(dut.clk)
            await Timer(1, "ns")
            return count
    raise AssertionError(f"not within {limit} cycles")
