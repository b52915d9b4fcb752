"""The queue of tiles: order, places and latency, for every pair of block sizes."""

from __future__ import annotations

import random

import pytest
from amaranth.sim import Simulator

from sevedo.hw.stream.queue import TileQueue

ROWS, COLS, WIDTH = 2, 4, 8
BLOCKS = [(4, 4), (4, 2), (4, 1), (2, 2), (2, 1), (1, 1)]


@pytest.mark.parametrize(("block_in", "block_out"), BLOCKS)
@pytest.mark.parametrize("depth", [1, 3])
@pytest.mark.parametrize("stalls", [(0.0, 0.0), (0.5, 0.0), (0.0, 0.5), (0.3, 0.3)])
def test_tiles_pass_in_order(block_in: int, block_out: int, depth: int, stalls: tuple[float, float]) -> None:
    rng = random.Random(f"{block_in} {block_out} {depth} {stalls}")
    unit = TileQueue(ROWS, COLS, block_in, block_out, WIDTH, depth)
    columns = [[rng.randrange(256) for _ in range(ROWS)] for _ in range(COLS * 20)]
    taken: list[list[int]] = []

    async def write(context) -> None:
        for start in range(0, len(columns), block_in):
            while rng.random() < stalls[0]:
                await context.tick()
            context.set(unit.i.payload, columns[start : start + block_in])
            context.set(unit.i.valid, 1)
            await context.tick().until(unit.i.ready)
            context.set(unit.i.valid, 0)

    async def read(context) -> None:
        waits = None
        while len(taken) < len(columns):
            context.set(unit.o.ready, int(rng.random() >= stalls[1]))
            _, _, valid, ready, payload = await context.tick().sample(
                unit.o.valid, unit.o.ready, unit.o.payload
            )
            beat = [[payload[token][row] for row in range(ROWS)] for token in range(block_out)]
            assert waits is None or (valid and beat == waits)  # valid stays, the payload stands
            waits = beat if valid and not ready else None
            if valid and ready:
                taken.extend(beat)

    simulator = Simulator(unit)
    simulator.add_clock(1e-6)
    simulator.add_testbench(write)
    simulator.add_testbench(read)
    simulator.run_until(1e-6 * 3000)
    assert len(taken) == len(columns) == 80
    assert taken == columns


@pytest.mark.parametrize(("block_in", "block_out"), BLOCKS)
@pytest.mark.parametrize("depth", [1, 3])
def test_room(block_in: int, block_out: int, depth: int) -> None:
    """As many tiles as declared go in while nothing goes out, and one more when one is out."""
    unit = TileQueue(ROWS, COLS, block_in, block_out, WIDTH, depth)
    taken = [0, 0]

    async def run(context) -> None:
        context.set(unit.i.valid, 1)
        for go in range(2):
            for _ in range(30):
                _, _, ready = await context.tick().sample(unit.i.ready)
                taken[go] += block_in * ready
            context.set(unit.o.ready, 1)
            for _ in range(COLS // block_out if go == 0 else 0):
                _, _, ready = await context.tick().sample(unit.i.ready)
                taken[1] += block_in * ready
            context.set(unit.o.ready, 0)

    simulator = Simulator(unit)
    simulator.add_clock(1e-6)
    simulator.add_testbench(run)
    simulator.run()
    assert taken == [COLS * depth, COLS]


@pytest.mark.parametrize(("block_in", "block_out"), BLOCKS)
def test_declared_latency(block_in: int, block_out: int) -> None:
    unit = TileQueue(ROWS, COLS, block_in, block_out, WIDTH, 1)
    offered: list[int] = []

    async def run(context) -> None:
        context.set(unit.i.valid, 1)
        await context.tick()
        context.set(unit.i.valid, 0)
        for _ in range(1, 5):
            offered.append(context.get(unit.o.valid))
            await context.tick()
        assert offered == [int(cycle >= TileQueue.LATENCY) for cycle in range(1, 5)]

    simulator = Simulator(unit)
    simulator.add_clock(1e-6)
    simulator.add_testbench(run)
    simulator.run()
    assert len(offered) == 4


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ((ROWS, COLS, 3, 1, WIDTH, 1), "block_in=3 must divide cols=4"),
        ((ROWS, COLS, 2, 4, WIDTH, 1), "block_out=4 must divide block_in=2"),
        ((ROWS, COLS, 2, 1, WIDTH, 0), "depth=0 must be at least 1"),
    ],
)
def test_bad_parameters_are_refused(parameters: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TileQueue(*parameters)
