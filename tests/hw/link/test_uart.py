"""The serial line: every byte at every rate, the rate itself, glitches, wrong stop bits; faults turn it red."""

from __future__ import annotations

import random

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator
from simulated import Bench

from sevedo.hw.link import uart
from sevedo.hw.link.uart import UartReceiver, UartTransmitter, step


class Loop(wiring.Component):
    """A transmitter and a receiver with clocks that differ: `tx` is at another rate than `rx`."""

    _MustUse__silence = True

    def __init__(self, clock_hz: int, baud: int, other: int) -> None:
        outs = {name: Out(1) for name in ("ready", "valid", "error")}
        super().__init__({"i": In(8), "go": In(1), "data": Out(8), **outs})
        self.rates = clock_hz, baud, other

    def elaborate(self, platform: object) -> Module:
        m = Module()
        clock, baud, other = self.rates
        m.submodules.tx = tx = UartTransmitter(clock, other)
        m.submodules.rx = rx = UartReceiver(clock, baud)
        m.d.comb += [
            tx.i.valid.eq(self.go), tx.i.payload.eq(self.i), self.ready.eq(tx.i.ready), rx.rx.eq(tx.tx),
            self.valid.eq(rx.valid), self.data.eq(rx.data), self.error.eq(rx.error),
        ]  # fmt: skip
        return m


def through(unit: Loop, data: bytes, gap: float = 0.0, seed: int = 0) -> tuple[bytes, int]:
    """What comes out of a loop, and how many bytes came with an error."""
    found, errors, rng = bytearray(), 0, random.Random(seed)

    async def bench(context) -> None:
        nonlocal errors
        sent = idle = 0
        while idle < 20 * unit.rates[0] // unit.rates[1]:
            go = sent < len(data) and rng.random() >= gap
            context.set(unit.go, go)
            context.set(unit.i, data[sent] if go else rng.getrandbits(8))
            if go and context.get(unit.ready):
                sent += 1
                idle = 0
            if context.get(unit.valid):
                found.append(context.get(unit.data))
                errors += context.get(unit.error)
            idle += sent == len(data)
            await context.tick()

    simulator = Simulator(unit)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return bytes(found), errors


EVERY = bytes([0, 255, 0x55, 0xAA, 1, 128]) + bytes(range(256))


@pytest.mark.parametrize("cycles", [4, 4.5, 8.33, 16.67])
@pytest.mark.parametrize("off", [0.98, 1.0, 1.02])
def test_bytes_come_through(cycles: float, off: float) -> None:
    """At 4 cycles a bit and more, and with 2 % between the rates, where a bit has 8 cycles."""
    baud = 1_000_000
    other = round(baud * (off if cycles >= 8 else 1.0))
    data = EVERY if off == 1.0 and cycles < 6 else EVERY[:20]
    found, errors = through(Loop(round(cycles * baud), baud, other), data)
    assert found == data
    assert errors == 0


def test_pauses_between_bytes() -> None:
    data = random.Random(1).randbytes(60)
    assert through(Loop(9_000_000, 1_000_000, 1_000_000), data, gap=0.97) == (data, 0)


@pytest.mark.parametrize("cycles", [4, 8.33, 25])
def test_the_rate_is_right(cycles: float) -> None:
    """Ten bits a byte, to a cycle, over many bytes; the line is high before and after."""
    unit = UartTransmitter(round(cycles * 1e6), 1_000_000)
    bench = Bench(unit)
    bench.send("i", [0x00] * 20)
    levels: list[int] = []
    bench.each_cycle(lambda context: levels.append(context.get(unit.tx)))
    bench.run(lambda: len(bench.taken["i"]) == 20, hang=5000, drain=int(12 * cycles))
    falls = [at for at in range(1, len(levels)) if levels[at - 1] and not levels[at]]
    assert len(falls) == 20
    gap = (falls[-1] - falls[0]) / 19
    assert 10 * cycles <= gap <= 10 * cycles * 1.005 + 2
    assert levels[0] == levels[-1] == 1


def drive(levels: list[int], clock: int = 10_000_000) -> list[tuple[int, int]]:
    """Bytes and errors that a line of given levels, one a cycle, makes; a bit has 10 cycles."""
    unit, found = UartReceiver(clock, 1_000_000), []

    async def bench(context) -> None:
        for level in [1] * 20 + levels + [1] * 150:
            context.set(unit.rx, level)
            if context.get(unit.valid):
                found.append((context.get(unit.data), context.get(unit.error)))
            await context.tick()

    simulator = Simulator(unit)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return found


def bits(byte: int, stop: int = 1) -> list[int]:
    """The line for a byte."""
    return [level for bit in (0, *(byte >> at & 1 for at in range(8)), stop) for level in [bit] * 10]


def test_glitches_and_breaks() -> None:
    assert drive([0, 0, 0] + [1] * 20 + bits(0x3C)) == [(0x3C, 0)]  # too short for a start bit
    assert drive(bits(0x81, 0) + [1] * 20 + bits(0x18)) == [(0x81, 1), (0x18, 0)]
    assert drive([0] * 400 + [1] * 20 + bits(0x55)) == [(0x00, 1), (0x55, 0)]  # a break is one wrong byte


@pytest.mark.parametrize(
    ("clock", "baud", "message"),
    [
        (10_000_000, 2_500_001, "baud=2500001 must be at least 1 and at most clock_hz / 4 = 2500000"),
        (10_000_000, 0, "baud=0 must be at least 1"),
        (400_000_000, 9600, "baud=9600 must be at least 400000: it is off by more than 1 % below"),
    ],
)
def test_bad_rates_are_refused(clock: int, baud: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        UartReceiver(clock, baud)


def test_rates_of_boards_are_near() -> None:
    for clock in (6_000_000, 12_000_000, 13_500_000, 25_000_000, 50_000_000, 60_714_286):
        for baud in (1_000_000, 3_000_000):
            if clock >= 4 * baud:
                assert abs(step(clock, baud) * clock / (baud << uart.FRACTION) - 1) < 0.001


def test_a_wrong_rate_turns_it_red() -> None:
    found, errors = through(Loop(8_000_000, 1_000_000, 1_080_000), EVERY)
    assert found != EVERY or errors
