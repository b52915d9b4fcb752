"""What stands around a board's processor, unit by unit: bus, self-test, lights, clock."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from amaranth.sim import Simulator
from word_master import ask

from sevedo.gen.config.link import BOARD_BASE, MEMORY_BASE, PROCESSOR_BASE
from sevedo.hw.board.bus import BoardBus
from sevedo.hw.board.clock import BoardClock
from sevedo.hw.board.lights import Lights
from sevedo.hw.board.lite_master import LiteMaster
from sevedo.hw.board.pll import Ecp5Pll, PllError
from sevedo.hw.board.self_test import Result, SelfTest, Step
from sevedo.hw.board.storage import StrobedMemory


def simulate(unit: Any, bench: Callable[[Any], Any]) -> None:
    """Run an Amaranth testbench."""
    simulator = Simulator(unit)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


class Target:
    """A memory behind a word bus, that takes its time; 0xBAD is an error."""

    def __init__(self, bus: Any, seed: int, slow: float) -> None:
        self.bus, self.rng, self.slow = bus, random.Random(seed), slow
        self.words: dict[int, int] = {}
        self.asked: list[int] = []

    async def run(self, context: Any) -> None:
        bus = self.bus
        context.set(bus.done, 0)
        context.set(bus.request.ready, 0)
        while True:
            await context.tick()
            while self.rng.random() < self.slow:
                await context.tick()
            context.set(bus.request.ready, 1)
            while not context.get(bus.request.valid):
                await context.tick()
            place, write = context.get(bus.request.p.address), context.get(bus.request.p.write)
            if write:
                self.words[place] = context.get(bus.request.p.data)
            self.asked.append(place)
            await context.tick()
            context.set(bus.request.ready, 0)
            while self.rng.random() < self.slow:
                await context.tick()
            context.set(bus.done, 1)
            context.set(bus.data, self.words.get(place, 0x77))
            context.set(bus.error, place == 0xBAC)
            await context.tick()
            context.set(bus.done, 0)


@pytest.mark.parametrize("slow", [0.0, 0.25, 0.75])
def test_bus(slow: float) -> None:
    """Each address reaches its target, with its offset; what has none is an error; the test goes first."""
    unit = BoardBus(("memory", "processor", "board"))
    targets = {
        name: Target(getattr(unit, name), seed, slow)
        for seed, name in enumerate(("memory", "processor", "board"))
    }
    rng, count = random.Random(5), {"test": 0, "link": 0}
    bases = {"memory": MEMORY_BASE, "processor": PROCESSOR_BASE, "board": BOARD_BASE}

    async def master(context: Any, name: str, area: int) -> None:
        model: dict[int, int] = {}
        for _ in range(60):
            target = rng.choice(list(bases))
            at = area + 4 * rng.randrange(16)
            address = bases[target] + at
            if rng.random() < 0.5:
                model[address] = rng.getrandbits(32)
                assert await ask(context, getattr(unit, name), address, model[address]) == (model[address], 0)
            assert await ask(context, getattr(unit, name), address) == (model.get(address, 0x77), 0)
            count[name] += 1
        for address in (0x8000_0000, 0xEFFF_FFFC, 0xF000_1000, 0xF200_0000, 0xFFFF_FFFC):
            assert (await ask(context, getattr(unit, name), address))[1] == 1
        assert (await ask(context, getattr(unit, name), PROCESSOR_BASE + 0xBAC))[1] == 1

    simulator = Simulator(unit)
    simulator.add_clock(1e-6)
    for target in targets.values():
        simulator.add_testbench(target.run, background=True)

    async def first(context: Any) -> None:
        await master(context, "test", 0x100)

    async def second(context: Any) -> None:
        await master(context, "link", 0x200)

    simulator.add_testbench(first)
    simulator.add_testbench(second)
    simulator.run()
    assert count == {"test": 60, "link": 60}
    assert all(len(each.asked) > 20 for each in targets.values())


def test_bus_holds_the_link() -> None:
    unit = BoardBus(("memory", "processor", "board"))
    memory = Target(unit.memory, 0, 0.0)

    async def bench(context: Any) -> None:
        context.set(unit.hold, 1)
        context.set(unit.link.request.valid, 1)
        for _ in range(10):
            assert not context.get(unit.link.request.ready)
            await context.tick()
        context.set(unit.hold, 0)
        assert context.get(unit.link.request.ready)

    simulator = Simulator(unit)
    simulator.add_clock(1e-6)
    simulator.add_testbench(memory.run, background=True)
    simulator.add_testbench(bench)
    simulator.run()


WRITES = (Step.WRITE << 30 | 3, 0x20, 5, 6, 7, Step.WRITE << 30 | 1, 0x40, 0xFFFF_FFFF)
CHECKS = (Step.CHECK << 30 | 2, 0x20, 5, 6)
POLLS = (Step.POLL << 30, 0x40, 0xF0, 0xF0)


@pytest.mark.parametrize("slow", [0.0, 0.25, 0.75])
@pytest.mark.parametrize(
    ("words", "result", "where", "found"),
    [
        ((*WRITES, *CHECKS, *POLLS, Step.END << 30), Result.PASSED, 0x40, 0xFFFF_FFFF),
        ((*WRITES, Step.CHECK << 30 | 3, 0x20, 5, 6, 8, Step.END << 30), Result.WRONG, 0x28, 7),
        ((*WRITES, Step.POLL << 30, 0x40, 0xF0, 0x10, Step.END << 30), Result.SILENT, 0x40, 0xFFFF_FFFF),
        ((Step.WRITE << 30 | 1, 0xBAC, 1, Step.END << 30), Result.SILENT, 0xBAC, 1),
        ((Step.END << 30,), Result.PASSED, 0, 0),
    ],
)
def test_self_test(words: tuple[int, ...], result: Result, where: int, found: int, slow: float) -> None:
    """Twice: after reset, and when it is asked for."""
    unit = SelfTest(tuple(int(word) for word in words), patience=7)
    target = Target(unit.bus, 3, slow)

    async def bench(context: Any) -> None:
        for _ in range(2):
            for _ in range(3000):
                if not context.get(unit.running):
                    break
                assert context.get(unit.result) == Result.NOT_RUN
                await context.tick()
            assert context.get(unit.result) == result
            assert (context.get(unit.address), context.get(unit.found)) == (where, found)
            context.set(unit.start, 1)
            await context.tick()
            context.set(unit.start, 0)
            assert context.get(unit.running)

    simulator = Simulator(unit)
    simulator.add_clock(1e-6)
    simulator.add_testbench(target.run, background=True)
    simulator.add_testbench(bench)
    simulator.run()


def test_bad_scripts_are_refused() -> None:
    with pytest.raises(ValueError, match="script=0 words and patience=24 must be at least 1"):
        SelfTest(())


def test_lights() -> None:
    unit = Lights(1 << 21)
    shown: list[int] = []

    async def bench(context: Any) -> None:
        context.set(unit.passed, 1)
        context.set(unit.runs, 1)
        await context.tick().repeat(2)
        shown.append(context.get(unit.lights))
        context.set(unit.passed, 0)
        context.set(unit.runs, 0)
        context.set(unit.interrupt, 1)
        context.set(unit.good, 1)
        await context.tick()
        context.set(unit.good, 0)
        await context.tick().repeat(2)
        shown.append(context.get(unit.lights))

    simulate(unit, bench)
    assert [each & ~2 for each in shown] == [0b0100_0101, 0b0001_1000]


@pytest.mark.parametrize("halvings", [0, 1, 3])
def test_clock(halvings: int) -> None:
    """The divided frequency; reset at power-up and while the button is pressed, for as long as declared."""
    unit = BoardClock(None, halvings)
    resets: list[int] = []
    edges = 0

    async def bench(context: Any) -> None:
        nonlocal edges
        before = 0
        for cycle in range(4000):
            context.set(unit.button, 1500 <= cycle < 1600)
            for level in (1, 0):
                context.set(unit.pin, level)
                await context.delay(0.5e-6)
                now = context.get(unit.clock)
                if now and not before:
                    edges += 1
                    resets.append(context.get(unit.reset))
                before = now

    simulator = Simulator(unit)
    simulator.add_testbench(bench)
    simulator.run()
    assert abs(edges - (4000 >> halvings)) <= 1
    first = resets.index(0)
    assert 2**BoardClock.SETTLE <= first <= 2**BoardClock.SETTLE + 4
    again = resets.index(1, first)
    assert 1500 >> halvings <= again <= (1500 >> halvings) + 4
    ended = resets.index(0, again)
    assert ended - again >= (100 >> halvings) + 2**BoardClock.SETTLE - 4
    assert not any(resets[ended:])


def test_bad_clocks_are_refused() -> None:
    with pytest.raises(ValueError, match="halvings=1 must be 0 with a PLL"):
        BoardClock(Ecp5Pll(25_000_000, 1, 2, 12), 1)


@pytest.mark.parametrize("mhz", range(10, 130))
@pytest.mark.parametrize("source", [25_000_000, 50_000_000, 48_000_000])
def test_pll_keeps_its_ranges(source: int, mhz: int) -> None:
    found = Ecp5Pll.nearest(source, mhz * 1_000_000)
    assert 0.75 * mhz * 1e6 <= found.hz <= mhz * 1e6
    assert 400e6 <= found.vco_hz <= 800e6
    assert 3.125e6 <= source / found.input_divider <= 400e6


def test_pll_refuses_what_it_cannot_make() -> None:
    with pytest.raises(PllError, match="clock=1 MHz must be one that the PLL makes of 25 MHz"):
        Ecp5Pll.nearest(25_000_000, 1_000_000)


def test_lite_master_speaks_to_registers() -> None:
    """Against the board's own registers, through their port."""
    from amaranth.hdl import Module
    from amaranth.lib.wiring import connect

    from sevedo.gen.config.board_map import BY_NAME
    from sevedo.hw.board.registers import BoardRegisters

    m = Module()
    m.submodules.master = master = LiteMaster()
    m.submodules.registers = registers = BoardRegisters()
    connect(m, master.axi, registers.axi)

    async def bench(context: Any) -> None:
        context.set(registers.clock_hz, 0x1234567)
        host = master.host
        assert await ask(context, host, BY_NAME["ID"].offset) == (0x53564230, 0)
        assert (await ask(context, host, BY_NAME["SCRATCH"].offset, 0xDEADBEEF))[1] == 0
        assert await ask(context, host, BY_NAME["SCRATCH"].offset) == (0xDEADBEEF, 0)
        assert await ask(context, host, BY_NAME["CLOCK_HZ"].offset) == (0x1234567, 0)
        assert (await ask(context, host, BY_NAME["CLOCK_HZ"].offset, 1))[1] == 1
        assert (await ask(context, host, 0x800))[1] == 1
        for value in range(20):
            await ask(context, host, BY_NAME["SCRATCH"].offset, value)
            assert await ask(context, host, BY_NAME["SCRATCH"].offset) == (value, 0)

    simulate(m, bench)


@pytest.mark.parametrize(("size", "depth"), [(4, 16), (16, 5)])
def test_strobed_memory(size: int, depth: int) -> None:
    rng, model = random.Random(size), {}
    unit = StrobedMemory(size, depth)

    async def bench(context: Any) -> None:
        for at in range(depth):
            model[at] = rng.randbytes(size)
            context.set(unit.address, at)
            context.set(unit.write, (1 << size) - 1)
            context.set(unit.w_data, int.from_bytes(model[at], "little"))
            await context.tick()
        for _ in range(300):
            at, strobe = rng.randrange(depth), rng.getrandbits(size) if rng.random() < 0.5 else 0
            data = rng.randbytes(size)
            context.set(unit.address, at)
            context.set(unit.write, strobe)
            context.set(unit.read, not strobe)
            context.set(unit.w_data, int.from_bytes(data, "little"))
            if strobe:
                model[at] = bytes(
                    d if strobe >> i & 1 else o for i, (d, o) in enumerate(zip(data, model[at], strict=True))
                )
            await context.tick()
            if not strobe:
                assert context.get(unit.r_data).to_bytes(size, "little") == model[at]

    simulate(unit, bench)
    assert unit.latency == 1


@pytest.mark.parametrize(("size", "message"), [((0, 4), "size=0 must"), ((4, 0), "depth=0 must")])
def test_bad_memories_are_refused(size: tuple[int, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        StrobedMemory(*size)
