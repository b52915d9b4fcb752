"""cocotb tests of the board's memory: cocotbext-axi's master on one side, the host's door on the other."""

from __future__ import annotations

import logging
import random
from typing import Any

import cocotb
from axi_side import cycles, stalls
from cocotb.triggers import FallingEdge, RisingEdge
from cocotbext.axi import AxiBurstType, AxiBus, AxiMaster, AxiResp

from sevedo.sim.bench import bench_parameters
from sevedo.sim.streams import start

logging.getLogger("cocotb.board_memory").setLevel(logging.ERROR)


class Side:
    """The memory, its master, its host."""

    def __init__(self, dut: Any) -> None:
        self.dut, self.given = dut, bench_parameters()
        self.rng = random.Random(f"{self.given}")
        self.master = AxiMaster(AxiBus.from_prefix(dut, "axi"), dut.clk, dut.rst)
        self.beats: list[int] = []
        self.cycle = 0
        for name in ("valid", "address", "write", "data"):
            getattr(dut, f"host_request_{name}").value = 0

    async def begin(self) -> Side:
        await start(self.dut)
        cocotb.start_soon(self._watch())
        return self

    async def _watch(self) -> None:
        """Answers stand until they are taken."""
        dut = self.dut
        held: dict[str, Any] = {"b": None, "r": None}
        ports = {"b": ("bresp", "bid"), "r": ("rdata", "rresp", "rlast", "rid")}
        while True:
            await FallingEdge(dut.clk)
            self.cycle += 1
            for channel, before in held.items():
                valid = int(getattr(dut, f"axi_{channel}valid").value)
                ready = int(getattr(dut, f"axi_{channel}ready").value)
                now = tuple(int(getattr(dut, f"axi_{port}").value) for port in ports[channel])
                assert before is None or (valid and now == before), f"{channel} changed before it was taken"
                held[channel] = now if valid and not ready else None
                if channel == "r" and valid and ready:
                    self.beats.append(self.cycle)

    def stall(self, probability: float) -> None:
        write, read = self.master.write_if, self.master.read_if
        for channel in (write.aw_channel, write.w_channel, write.b_channel, read.ar_channel, read.r_channel):
            channel.set_pause_generator(stalls(probability, str(self.rng.random())) if probability else None)
            channel.pause = False

    async def host(self, address: int, data: int | None = None) -> tuple[int, bool]:
        """A word through the host's door: what was read, and whether it was an error."""
        dut = self.dut
        dut.host_request_address.value = address
        dut.host_request_write.value = data is not None
        dut.host_request_data.value = 0 if data is None else data
        dut.host_request_valid.value = 1
        while True:
            await FallingEdge(dut.clk)
            taken = int(dut.host_request_ready.value)
            await RisingEdge(dut.clk)
            if taken:
                break
        dut.host_request_valid.value = 0
        for _ in range(20):
            await FallingEdge(dut.clk)
            if int(dut.host_done.value):
                return int(dut.host_data.value), bool(int(dut.host_error.value))
        raise AssertionError("the host's door does not answer")

    async def fill(self, region: range, content: bytearray) -> None:
        """Write all of a region, so that every byte is known."""
        content[region.start : region.stop] = self.rng.randbytes(len(region))
        answer = await self.master.write(region.start, bytes(content[region.start : region.stop]))
        assert answer.resp == AxiResp.OKAY


@cocotb.test()
async def everything_at_once(dut: Any) -> None:
    """Bursts of any size and alignment from one side, words from the other; every byte is compared, twice."""
    side = await Side(dut).begin()
    size = side.given["size"]
    content = bytearray(size)
    half = size // 2
    await side.fill(range(0, size), content)
    done = 0
    for stall in (0.0, 0.25, 0.75):
        side.stall(stall)

        async def bursts() -> None:
            """In the lower half."""
            for _ in range(25):
                at = side.rng.randrange(half - 1)
                count = side.rng.randint(1, min(200, half - at))
                if side.rng.random() < 0.5:
                    content[at : at + count] = side.rng.randbytes(count)
                    assert (await side.master.write(at, bytes(content[at : at + count]))).resp == AxiResp.OKAY
                found = await side.master.read(at, count)
                assert found.resp == AxiResp.OKAY
                assert found.data == content[at : at + count]

        async def words() -> int:
            """In the upper half, and reads of the lower one once nothing is written there."""
            for _ in range(80):
                at = half + 4 * side.rng.randrange(half // 4)
                if side.rng.random() < 0.5:
                    content[at : at + 4] = side.rng.randbytes(4)
                    await side.host(at, int.from_bytes(content[at : at + 4], "little"))
                found, error = await side.host(at)
                assert not error
                assert found.to_bytes(4, "little") == content[at : at + 4]
            return 80

        task = cocotb.start_soon(bursts())
        done += await words()
        await task
        found = await side.master.read(0, size)
        assert found.data == content
        for at in range(0, half, 4 * 37):
            assert (await side.host(at))[0].to_bytes(4, "little") == content[at : at + 4]
    assert done == 240
    assert len(set(content)) > 200


@cocotb.test()
async def reads_and_writes_share(dut: Any) -> None:
    """Both directions at once: neither starves."""
    side = await Side(dut).begin()
    content = bytearray(side.given["size"])
    await side.fill(range(0, 4096), content)
    data = side.rng.randbytes(1024)
    written = cocotb.start_soon(side.master.write(2048, data))
    found = await side.master.read(0, 1024)
    assert found.data == content[:1024]
    assert (await written).resp == AxiResp.OKAY
    assert (await side.master.read(2048, 1024)).data == data


@cocotb.test()
async def a_beat_a_cycle(dut: Any) -> None:
    """Bursts follow each other without a gap; the first beat comes as declared."""
    side = await Side(dut).begin()
    content = bytearray(side.given["size"])
    await side.fill(range(0, 4096), content)
    del side.beats[:]
    word = side.given["bytes"]
    await side.master.read(0, 64 * word)
    assert len(side.beats) == 64
    assert side.beats[-1] - side.beats[0] == 63


@cocotb.test()
async def outside_is_an_error(dut: Any) -> None:
    """Beyond the end, and what is no INCR burst: DECERR on every beat, nothing written; then all is well."""
    side = await Side(dut).begin()
    size, word = side.given["size"], side.given["bytes"]
    content = bytearray(size)
    await side.fill(range(0, size), content)
    for at in (size, size + 4096, 1 << 31, (1 << 32) - 4096):
        assert (await side.master.write(at, bytes(8 * word))).resp == AxiResp.DECERR
        assert (await side.master.read(at, 8 * word)).resp == AxiResp.DECERR
        assert (await side.host(at))[1]
        assert (await side.host(at, 5))[1]
    fixed = {"burst": AxiBurstType.FIXED}
    assert (await side.master.write(0, bytes(2 * word), **fixed)).resp == AxiResp.DECERR
    assert (await side.master.read(0, 2 * word, **fixed)).resp == AxiResp.DECERR
    assert (await side.master.read(0, size)).data == content
    await cycles(dut, 2)
