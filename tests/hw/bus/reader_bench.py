"""cocotb tests of the AXI reader."""

from __future__ import annotations

import random
from typing import Any, NamedTuple

import cocotb
from axi_side import DATA, IMAGE, ReadMemory, Watch, cycles, pack, until
from cocotb.task import Task
from cocotb.triggers import FallingEdge

from sevedo.gen.config.instructions import Error
from sevedo.sim.bench import bench_parameters, bench_streams
from sevedo.sim.streams import StreamDriver, StreamMonitor, start

CLIENTS = ("fetch", "load", "stream")


class Request(NamedTuple):
    """What a client asks for."""

    segment: int
    offset: int
    words: int
    number: int = 0


class Fault(NamedTuple):
    """What the reader tells of a fault."""

    error: int
    client: int
    address: int
    number: int


class Side:
    """The design with its memory, its watch, and what it told."""

    def __init__(self, dut: Any, latency: int = 0):
        self.dut = dut
        self.rng = random.Random(0)
        given = bench_parameters()
        self.bytes, self.longest, self.bits = given["bytes"], given["longest"], given["address_bits"]
        self.long = max(self.longest, 8)
        self.memory = ReadMemory(dut, latency=latency)
        self.memory.write(0, self.rng.randbytes(1 << 22))
        self.streams = bench_streams()
        self.watch = Watch(dut, "ar", self.bytes, self.longest, (IMAGE, DATA))
        self.faults: list[Fault] = []
        for name in CLIENTS:
            for port in ("request_valid", "data_ready"):
                getattr(dut, f"{name}_{port}").value = 0
        dut.halt.value = dut.clear.value = 0
        dut.image.value = self.window(IMAGE)
        dut.data.value = self.window(DATA)

    def window(self, window: tuple[int, int], noise: int = 0) -> int:
        """As the port has it, with `noise` in the bits that do not count."""
        base, size = window
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
            if told & 1:
                address = told >> 7 & ((1 << self.bits) - 1)
                self.faults.append(Fault(told >> 1 & 15, told >> 5 & 3, address, told >> 7 + self.bits))

    def requests(self, count: int, most: int) -> list[Request]:
        """Anywhere in the windows: short and long, and some that end where the window ends."""
        found = []
        for _ in range(count):
            segment = self.rng.randrange(2)
            size = (IMAGE, DATA)[segment][1] // self.bytes
            words = min(self.rng.choice([1, 2, self.long, self.rng.randint(1, most)]), size)
            first = self.rng.choice([0, size - words, self.rng.randint(0, size - words)])
            found.append(Request(segment, first * self.bytes, words, self.rng.getrandbits(16)))
        return found

    def words(self, requests: list[Request]) -> list[int]:
        """What the memory has there."""
        found = []
        for each in requests:
            base = (IMAGE, DATA)[each.segment][0]
            text = self.memory.read(base + each.offset, each.words * self.bytes)
            found += [
                int.from_bytes(text[i : i + self.bytes], "little") for i in range(0, len(text), self.bytes)
            ]
        return found

    def ask(self, name: str, requests: list[Request], stall: float = 0.0, seed: int = 0) -> Task[None]:
        port = self.streams[f"{name}_request"]
        driver = StreamDriver(self.dut, port, stall=stall, seed=seed)
        return cocotb.start_soon(driver.send(pack(port, [each._asdict() for each in requests])))

    async def take(self, name: str, count: int, stall: float = 0.0, patient: bool = False) -> list[int]:
        monitor = StreamMonitor(
            self.dut, self.streams[f"{name}_data"], stall=stall, patient=patient, hang=5000
        )
        beats = await monitor.receive(count)
        return [int.from_bytes(beat.astype("<u4").tobytes(), "little") for beat in beats]

    async def traffic(
        self, count: int, most: int, stall: float = 0.0, take: float = 0.0, patient: bool = False
    ) -> int:
        """Random requests of all clients at once; the number of words, all compared."""
        before = len(self.watch.beats)
        asked = {name: self.requests(count, most) for name in CLIENTS}
        sends = [
            self.ask(name, requests, stall, self.rng.getrandbits(30)) for name, requests in asked.items()
        ]
        want = {name: self.words(requests) for name, requests in asked.items()}
        takes = {
            name: cocotb.start_soon(self.take(name, len(words), take, patient))
            for name, words in want.items()
        }
        total = 0
        for name, task in takes.items():
            got = await task
            assert got == want[name], f"{name}: other words than the memory has"
            total += len(got)
        for sent in sends:
            assert sent.done()
        await cycles(self.dut, 8)
        assert len(self.watch.beats) - before == total
        assert int(self.dut.idle.value) == 1
        return total

    async def stop(self) -> None:
        """Halt, wait for quiet, clear, go on."""
        self.dut.halt.value = 1
        await cycles(self.dut, 2)
        await until(self.dut, lambda: int(self.dut.idle.value) == 1)
        for name in CLIENTS:
            getattr(self.dut, f"{name}_request_valid").value = 0
        self.dut.clear.value = 1
        await cycles(self.dut, 1)
        self.dut.clear.value = 0
        for name in CLIENTS:
            assert int(getattr(self.dut, f"{name}_data_valid").value) == 0
        self.dut.halt.value = 0
        self.faults.clear()


@cocotb.test()
async def traffic(dut: Any) -> None:
    """All clients at once, stalls on every side, the last with memory that keeps everyone waiting."""
    side = await Side(dut).start()
    total = 0
    dut.image.value, dut.data.value = side.window(IMAGE, 3), side.window(DATA, 1)
    for memory, take in [(m, t) for m in (0.0, 0.25, 0.75) for t in (0.0, 0.25, 0.75)]:
        side.memory.stall(memory)
        total += await side.traffic(6, 3 * side.long, stall=memory, take=take)
    side.memory.stall(0.0)
    total += await side.traffic(6, 3 * side.long, patient=True)
    assert total == len(side.watch.beats) == sum(beats for _, beats in side.watch.bursts) > 1000
    assert not side.faults


@cocotb.test()
async def throughput(dut: Any) -> None:
    """A word a cycle from a memory with 100 cycles latency, over the joints of requests, once it has begun."""
    side = await Side(dut, latency=100).start()
    words = min(IMAGE[1] // side.bytes, 700)
    asked = [Request(0, 0, words), Request(0, side.bytes, words - 1), Request(1, 0, words // 2)] * 2
    side.ask("stream", asked)
    got = await side.take("stream", sum(each.words for each in asked))
    assert got == side.words(asked)
    beats = side.watch.beats
    rate = (len(beats) - 1) / (beats[-1] - beats[0])
    dut._log.warning(f"{len(beats)} words, {rate:.3f} words a cycle")
    assert rate >= bench_parameters()["rate"]


@cocotb.test()
async def a_client_that_does_not_take_holds_up_nobody(dut: Any) -> None:
    side = await Side(dut).start()
    for name in ("fetch", "load"):
        side.ask(name, [Request(0, 0, 150)])
    asked = side.requests(8, 2 * side.long)
    side.ask("stream", asked)
    assert await side.take("stream", sum(each.words for each in asked)) == side.words(asked)
    assert sum(beats for _, beats in side.watch.bursts) > sum(each.words for each in asked)
    for name in ("fetch", "load"):
        assert await side.take(name, 150) == side.words([Request(0, 0, 150)])


@cocotb.test()
async def priority(dut: Any) -> None:
    """With all clients asking in one cycle, the bursts of the first come first."""
    side = await Side(dut).start()
    asked = [Request(0, 1024 * index, 1) for index in range(3)]
    for name, request in zip(reversed(CLIENTS), asked, strict=True):
        side.ask(name, [request])
    await until(dut, lambda: len(side.watch.bursts) == 3)
    assert [address - IMAGE[0] for address, _ in side.watch.bursts] == [2048, 1024, 0]


@cocotb.test()
async def latency(dut: Any) -> None:
    """From a request to AR two cycles, from a beat to its client two."""
    side = await Side(dut).start()
    await cycles(dut, 3)
    side.ask("load", [Request(1, 0, 1)])
    assert await until(dut, lambda: int(dut.axi_arvalid.value) == 1) == 2
    await until(dut, lambda: int(dut.axi_rvalid.value) == 1)
    assert await until(dut, lambda: int(dut.load_data_valid.value) == 1) == 1
    assert await side.take("load", 1) == side.words([Request(1, 0, 1)])


def beyond(side: Side) -> list[Request]:
    """Requests that leave their windows, by a word and by as much as there is."""
    word = side.bytes
    image, data = IMAGE[1], DATA[1]
    return [
        Request(0, image - word, 2), Request(0, image, 1), Request(0, 0, image // word + 1), Request(1, data, 1),
        Request(1, data - word, 2), Request(1, image - word, 1), Request(0, (1 << 32) - word, 1),
        Request(0, (1 << 32) - word, 0xFFFF_FFFF), Request(1, 0, 0xFFFF_FFFF), Request(1, word, 0xFFFF_FFFF),
        Request(0, 0, 1 << 31), Request(0, 0, 0),
    ]  # fmt: skip


@cocotb.test()
async def ranges(dut: Any) -> None:
    """A request beyond its window is told, nothing of it is read; after a clear everything goes on."""
    side = await Side(dut).start()
    for noise in (0, 3):
        dut.image.value, dut.data.value = side.window(IMAGE, noise), side.window(DATA, noise)
        for index, request in enumerate(beyond(side)):
            client, number = index % 3, 0xFF00 + index
            bursts = len(side.watch.bursts)
            await side.ask(CLIENTS[client], [request._replace(number=number)])
            await cycles(dut, 6)
            base = (IMAGE, DATA)[request.segment][0]
            address = (base + request.offset) % (1 << side.bits)
            assert side.faults == [Fault(Error.RANGE, client, address, number)], request
            assert len(side.watch.bursts) == bursts
            await side.stop()
            if index % 4 == 0:
                await side.traffic(1, side.long)


@cocotb.test()
async def errors(dut: Any) -> None:
    """A beat that the memory refuses is told with the address of its burst; after a clear everything goes on."""
    side = await Side(dut).start()
    for client, name in enumerate(CLIENTS):
        words = 2 * side.long + 3
        at = side.rng.randrange(words)
        side.memory.broken = {IMAGE[0] + at * side.bytes}
        seen = len(side.watch.bursts)
        asking = side.ask(name, [Request(0, 0, words, 40 + client), Request(1, 0, words, 9)])
        taking = cocotb.start_soon(side.take(name, words))
        await until(dut, lambda: bool(side.faults))
        burst = [
            a for a, n in side.watch.bursts[seen:] if a <= IMAGE[0] + at * side.bytes < a + n * side.bytes
        ]
        assert side.faults[0] == Fault(Error.READ, client, burst[0], 40 + client)
        await cycles(dut, 3)
        taking.cancel()
        asking.cancel()  # it may still offer its second request
        side.memory.broken = set()
        await side.stop()
        await side.traffic(2, side.long)


@cocotb.test()
async def halts(dut: Any) -> None:
    """Halted at any time: no new burst, those under way end, and after a clear every word is right again."""
    side = await Side(dut).start()
    for turn in range(12):
        side.memory.stall((0.0, 0.5)[turn % 2])
        tasks: list[Task[Any]] = [side.ask(name, side.requests(4, 4 * side.long)) for name in CLIENTS]
        tasks += [cocotb.start_soon(side.take(name, 1 << 20, 0.3)) for name in CLIENTS]
        await cycles(dut, side.rng.randint(1, 120))
        dut.halt.value = 1
        await cycles(dut, side.rng.randint(0, 3))
        for task in tasks:
            task.cancel()
        for name in CLIENTS:
            getattr(dut, f"{name}_data_ready").value = 0
        await side.stop()
        assert len(side.watch.beats) == sum(beats for _, beats in side.watch.bursts)
        await side.traffic(1, side.long)
