"""cocotb tests of the counters, against sums of Python integers."""

from __future__ import annotations

import random
from typing import Any

import cocotb
from axi_side import cycles
from cocotb.triggers import FallingEdge, Timer

from sevedo.sim.streams import start

ALL = (1 << 64) - 1


class Side:
    """The design, and what its counters are."""

    def __init__(self, dut: Any) -> None:
        self.dut = dut
        self.names = [name for name in ("one", "bytes", "two", "wide", "last", "even") if hasattr(dut, name)]
        self.sums = dict.fromkeys(self.names, 0)
        self.compared = 0
        for name in (*self.names, "restart", "read", "chosen"):
            getattr(dut, name).value = 0

    async def cycle(self, growth: dict[str, int], chosen: str | None = None, restart: bool = False) -> None:
        """One cycle; a read is compared with what was counted before it."""
        dut = self.dut
        for name in self.names:
            getattr(dut, name).value = growth.get(name, 0)
        dut.restart.value = int(restart)
        dut.read.value = int(chosen is not None)
        dut.chosen.value = self.names.index(chosen) if chosen else random.randrange(len(self.names))
        await FallingEdge(dut.clk)
        if chosen:
            assert int(dut.value.value) == self.sums[chosen], chosen
            self.compared += 1
        for name in self.names:
            self.sums[name] = 0 if restart else (self.sums[name] + growth.get(name, 0)) & ALL
        await cycles(dut, 1)

    def most(self, name: str) -> int:
        return (1 << len(getattr(self.dut, name))) - 1


async def begin(dut: Any) -> Side:
    side = Side(dut)
    await start(dut)
    await Timer(1, "ns")
    return side


@cocotb.test()
async def after_reset(dut: Any) -> None:
    """All are 0, whatever the memory holds."""
    side = Side(dut)
    for place in range(len(side.names)):
        dut.totals[place].value = ALL
    side = await begin(dut)
    for name in side.names:
        await side.cycle({}, name)
        await side.cycle({})
    assert side.compared == len(side.names)


@cocotb.test()
async def extremes(dut: Any) -> None:
    """All grow by the most in every cycle, every other cycle reads the same counter: the others' turns come latest."""
    side = await begin(dut)
    most = {name: side.most(name) for name in side.names}
    for read in side.names:
        for turn in range(12 * len(side.names)):
            await side.cycle(most, read if turn % 2 else None)
        for name in side.names:
            await side.cycle(most, name)
            await side.cycle(most)
    assert side.compared == len(side.names) * 7 * len(side.names)


@cocotb.test()
async def anything(dut: Any) -> None:
    """Growth, reads and restarts at random."""
    side = await begin(dut)
    rng = random.Random(1)
    reads = restarts = 0
    just_read = False
    for _ in range(6_000):
        growth = {name: rng.randint(0, side.most(name)) for name in side.names if rng.random() < 0.6}
        read = None if just_read or rng.random() < 0.5 else rng.choice(side.names)
        restart = rng.random() < 0.01
        await side.cycle(growth, read, restart)
        just_read = read is not None
        reads, restarts = reads + just_read, restarts + restart
    assert side.compared == reads > 1_500
    assert restarts > 30


@cocotb.test()
async def carries(dut: Any) -> None:
    """Over 32 bits and over 64; a restart of a full one."""
    side = await begin(dut)
    for value in (0xFFFF_FFFE, ALL - 1):
        for _ in range(len(side.names) + 1):
            await side.cycle({})
        for place, name in enumerate(side.names):
            dut.totals[place].value = value
            side.sums[name] = value
        for _ in range(3):
            await side.cycle(dict.fromkeys(side.names, 1))
        for name in side.names:
            await side.cycle({}, name)
            await side.cycle({})
    await side.cycle({name: side.most(name) for name in side.names}, restart=True)
    for name in side.names:
        await side.cycle({}, name)
        await side.cycle({})
    assert side.compared == 3 * len(side.names)
