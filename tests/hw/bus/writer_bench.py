"""cocotb tests of the AXI writer."""

from __future__ import annotations

import random
from typing import Any, NamedTuple

import cocotb
from axi_side import DATA, MEMORY, Watch, WriteMemory, cycles, pack, until
from cocotb.task import Task
from cocotb.triggers import FallingEdge

from sevedo.gen.config.instructions import Error
from sevedo.sim.bench import bench_parameters, bench_streams
from sevedo.sim.streams import StreamDriver, start


class Request(NamedTuple):
    """What is to be written: its words as (data, strobe)."""

    offset: int
    words: list[tuple[int, int]]


class Side:
    """The design with its memory, its watch, and what it told."""

    def __init__(self, dut: Any, latency: int = 0):
        self.dut = dut
        self.rng = random.Random(0)
        given = bench_parameters()
        self.bytes, self.longest, self.bits = given["bytes"], given["longest"], given["address_bits"]
        self.long = max(self.longest, 8)
        self.memory = WriteMemory(dut, latency=latency)
        self.model = bytearray(self.rng.randbytes(MEMORY))
        self.memory.write(0, bytes(self.model))
        self.streams = bench_streams()
        self.watch = Watch(dut, "aw", self.bytes, self.longest, (DATA,))
        self.faults: list[tuple[int, int, int]] = []
        self.dones = 0
        dut.request_valid.value = dut.words_valid.value = dut.halt.value = dut.clear.value = 0
        dut.data.value = self.window()

    def window(self, noise: int = 0) -> int:
        """As the port has it, with `noise` in the bits that do not count."""
        base, size = DATA
        return (size + noise % self.bytes) << self.bits | (base + noise % self.bytes)

    async def start(self) -> Side:
        await start(self.dut)
        self.watch.start()
        cocotb.start_soon(self._listen())
        return self

    async def _listen(self) -> None:
        while True:
            await FallingEdge(self.dut.clk)
            told = int(self.dut.fault.value)
            self.dones += int(self.dut.done.value)
            if told & 1:
                address, number = told >> 7 & (1 << self.bits) - 1, told >> 7 + self.bits
                self.faults.append((told >> 1 & 15, address, number))
                assert told >> 5 & 3 == 0

    def requests(self, count: int, most: int) -> list[Request]:
        """Anywhere in the window: short and long, some that end where it ends; the model is written."""
        found = []
        size = DATA[1] // self.bytes
        for _ in range(count):
            words = min(self.rng.choice([1, 2, self.long, self.rng.randint(1, most)]), size)
            first = self.rng.choice([0, size - words, self.rng.randint(0, size - words)])
            found.append(Request(first * self.bytes, [self._word() for _ in range(words)]))
        return found

    def _word(self) -> tuple[int, int]:
        full = (1 << self.bytes) - 1
        strobe = self.rng.choice([full, full, 0, self.rng.getrandbits(self.bytes)])
        return self.rng.getrandbits(8 * self.bytes), strobe

    def expect(self, requests: list[Request]) -> None:
        """Write the model."""
        for each in requests:
            for index, (word, strobe) in enumerate(each.words):
                at = DATA[0] + each.offset + index * self.bytes
                for byte in range(self.bytes):
                    if strobe >> byte & 1:
                        self.model[at + byte] = word >> 8 * byte & 255

    def send(self, requests: list[Request], stall: float = 0.0, seed: int = 0) -> list[Task[None]]:
        """Requests, and their words apart from them."""
        ask, words = self.streams["request"], self.streams["words"]
        asked = pack(
            ask,
            [
                {"offset": each.offset, "words": len(each.words), "number": 7 + place}
                for place, each in enumerate(requests)
            ],
        )
        given = pack(
            words, [{"data": word, "strobe": strobe} for each in requests for word, strobe in each.words]
        )
        return [
            cocotb.start_soon(StreamDriver(self.dut, ask, stall=stall, seed=seed).send(asked)),
            cocotb.start_soon(StreamDriver(self.dut, words, stall=stall, seed=seed).send(given)),
        ]

    async def traffic(self, count: int, most: int, stall: float = 0.0) -> int:
        """Random requests; the number of words. The whole memory is compared."""
        dones, beats = self.dones, len(self.watch.beats)
        requests = self.requests(count, most)
        self.expect(requests)
        for task in self.send(requests, stall, self.rng.getrandbits(30)):
            await task
        await until(self.dut, lambda: self.dones - dones == count)
        await until(self.dut, lambda: int(self.dut.idle.value) == 1, 3)
        await cycles(self.dut, 8)
        assert self.dones - dones == count
        total = sum(len(each.words) for each in requests)
        assert len(self.watch.beats) - beats == total
        self.check_memory()
        return total

    def check_memory(self) -> None:
        """All of it, outside of the window as well."""
        assert self.memory.read(0, MEMORY) == bytes(self.model)

    async def stop(self) -> None:
        """Halt, wait for quiet, clear, go on."""
        self.dut.halt.value = 1
        await cycles(self.dut, 2)
        await until(self.dut, lambda: int(self.dut.idle.value) == 1)
        self.dut.request_valid.value = self.dut.words_valid.value = 0
        self.dut.clear.value = 1
        await cycles(self.dut, 1)
        self.dut.clear.value = self.dut.halt.value = 0
        self.faults.clear()


@cocotb.test()
async def traffic(dut: Any) -> None:
    """Stalls on every side; the last with words of everyone at once."""
    side = await Side(dut).start()
    dut.data.value = side.window(3)
    total = 0
    for memory, stall in [(m, s) for m in (0.0, 0.25, 0.75) for s in (0.0, 0.25, 0.75)]:
        side.memory.stall(memory)
        total += await side.traffic(10, 3 * side.long, stall)
    assert total == len(side.watch.beats) == sum(beats for _, beats in side.watch.bursts) > 400
    assert not side.faults
    assert all(DATA[0] <= at < sum(DATA) for at in side.memory.touched)


@cocotb.test()
async def throughput(dut: Any) -> None:
    """A word a cycle into a memory that answers late, over the joints of requests, once it has begun."""
    side = await Side(dut, latency=bench_parameters()["latency"]).start()
    words = min(DATA[1] // side.bytes, 300)
    requests = [Request(0, [(side.rng.getrandbits(32), 15)] * words)] * 4
    side.expect(requests)
    side.send(requests)
    await until(dut, lambda: side.dones == 4)
    beats = side.watch.beats
    rate = (len(beats) - 1) / (beats[-1] - beats[0])
    dut._log.warning(f"{len(beats)} words, {rate:.3f} words a cycle")
    assert len(beats) == 4 * words
    assert rate >= bench_parameters()["rate"]
    side.check_memory()


@cocotb.test()
async def latency(dut: Any) -> None:
    """From a request to AW two cycles, from a word to W one."""
    side = await Side(dut).start()
    request = Request(0, [(5, 15)])
    side.expect([request])
    await cycles(dut, 3)
    asking, giving = side.send([request])
    assert await until(dut, lambda: int(dut.axi_awvalid.value) == 1) == 2
    await giving
    assert int(dut.axi_wvalid.value) == 1
    assert asking.done()
    await until(dut, lambda: side.dones == 1)
    side.check_memory()


@cocotb.test()
async def addresses_run_ahead(dut: Any) -> None:
    """Without words, the addresses of four bursts are given and no more."""
    side = await Side(dut).start()
    words = min(6 * side.longest, DATA[1] // side.bytes // 2)
    request = Request(0, [(7, 15)] * words)
    side.expect([request])
    dut.request_words.value = words
    dut.request_offset.value = 0
    dut.request_valid.value = 1
    await cycles(dut, 1)
    dut.request_valid.value = 0
    await cycles(dut, 100)
    bursts = -(-words // side.longest)
    assert len(side.watch.bursts) + int(dut.axi_awvalid.value) == min(4, bursts)
    port = side.streams["words"]
    await StreamDriver(dut, port).send(pack(port, [{"data": 7, "strobe": 15}] * words))
    await until(dut, lambda: side.dones == 1)
    side.check_memory()


def beyond(side: Side) -> list[tuple[int, int]]:
    """Offset and words of requests that leave the window."""
    word, size = side.bytes, DATA[1]
    return [
        (size - word, 2), (size, 1), (0, size // word + 1), (word, size // word), (1 << 31, 1),
        ((1 << 32) - word, 1), ((1 << 32) - word, 0xFFFF), (size - 0xFFFE * word & 0xFFFF_FFFF, 0xFFFF), (0, 0),
    ]  # fmt: skip


@cocotb.test()
async def ranges(dut: Any) -> None:
    """A request beyond the window is told, nothing of it is written; after a clear everything goes on."""
    side = await Side(dut).start()
    for index, (offset, words) in enumerate(case for case in beyond(side) if case[1] <= 0xFFFF):
        port = side.streams["request"]
        cocotb.start_soon(
            StreamDriver(dut, port).send(pack(port, [{"offset": offset, "words": words, "number": index}]))
        )
        await cycles(dut, 6)
        assert side.faults == [(Error.RANGE, (DATA[0] + offset) % (1 << side.bits), index)], (offset, words)
        assert not side.watch.bursts or index
        dones = side.dones
        await side.stop()
        assert side.dones == dones
        side.check_memory()
        if index % 4 == 3:
            await side.traffic(2, side.long)


@cocotb.test()
async def errors(dut: Any) -> None:
    """A burst that the memory refuses is told with its address, its request is not done."""
    side = await Side(dut).start()
    for turn in range(3):
        words = 2 * side.long + 3
        at = side.rng.randrange(words) if turn else words - 1
        request = Request(0, [(1 << turn, (1 << side.bytes) - 1)] * words)
        side.memory.broken = {DATA[0] + at * side.bytes}
        seen, dones = len(side.watch.bursts), side.dones
        tasks = side.send([request])
        await until(dut, lambda: bool(side.faults))
        burst = [
            a for a, n in side.watch.bursts[seen:] if a <= DATA[0] + at * side.bytes < a + n * side.bytes
        ]
        assert side.faults[0] == (Error.WRITE, burst[0], 7)
        await cycles(dut, 2)
        for task in tasks:
            task.cancel()
        assert side.dones == dones or at < words - 1
        side.memory.broken = set()
        await side.stop()
        side.model[:] = side.memory.read(0, MEMORY)
        await side.traffic(2, side.long)


@cocotb.test()
async def halts(dut: Any) -> None:
    """Halted at any time: bursts end with nothing, no byte is wrong, later everything is right."""
    side = await Side(dut).start()
    ended = 0
    for turn in range(16):
        side.memory.stall((0.0, 0.5)[turn % 2])
        before, beats = bytes(side.model), len(side.watch.beats)
        requests = side.requests(4, 4 * side.long)
        side.expect(requests)
        tasks = side.send(requests, (0.0, 0.0, 0.5, 0.9)[turn % 4])
        await cycles(dut, side.rng.randint(1, 100))
        dut.halt.value = 1
        await cycles(dut, 3)
        for task in tasks:
            task.cancel()
        written, dones = len(side.watch.beats), side.dones
        await side.stop()
        assert side.dones == dones
        assert len(side.watch.beats) == sum(count for _, count in side.watch.bursts)
        late = side.watch.strobes[written + 2 :]  # two may have stood at W already
        assert not any(late)
        ended += len(late)
        now = side.memory.read(0, MEMORY)
        window = range(DATA[0], sum(DATA))
        assert now[: DATA[0]] == before[: DATA[0]]
        assert now[sum(DATA) :] == before[sum(DATA) :]
        assert all(
            now[at] == before[at] or now[at] == side.model[at] or at in side.memory.touched for at in window
        )
        assert len(side.watch.beats) > beats or not requests
        side.model[:] = now
        await side.traffic(1, side.long)
    assert ended > 20 or side.longest == 1
