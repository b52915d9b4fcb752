"""The tile buffer: order, room, and validity, for every pair of block sizes."""

from __future__ import annotations

import itertools
import random

import pytest
from amaranth.sim import Simulator

from sevedo.hw.stream.tile import TileBuffer

ROWS, COLS, WIDTH = 2, 4, 8


@pytest.mark.parametrize(("block_in", "block_out"), list(itertools.product((1, 2, 4), repeat=2)))
@pytest.mark.parametrize("stall", [0.0, 0.25, 0.75])
def test_tiles_pass_in_order(block_in: int, block_out: int, stall: float) -> None:
    rng = random.Random(f"{block_in} {block_out} {stall}")
    unit = TileBuffer(ROWS, COLS, block_in, block_out, WIDTH)
    tiles = [[[rng.randrange(256) for _ in range(ROWS)] for _ in range(COLS)] for _ in range(20)]
    taken: list[list[int]] = []

    async def write(context) -> None:
        for tile in tiles:
            while not context.get(unit.room):
                await context.tick()
            context.set(unit.reserve, 1)
            await context.tick()
            context.set(unit.reserve, 0)
            for start in range(0, COLS, block_in):
                while rng.random() < stall:
                    await context.tick()
                assert context.get(unit.tile.valid) == 0
                context.set(unit.block, tile[start : start + block_in])
                context.set(unit.write, 1)
                await context.tick()
                context.set(unit.write, 0)
            # declared: valid in the cycle after the last block, and no room until all has gone
            assert context.get(unit.tile.valid) == 1
            assert context.get(unit.room) == 0

    async def read(context) -> None:
        while len(taken) < COLS * len(tiles):
            context.set(unit.tile.ready, int(rng.random() >= stall))
            _, _, valid, ready, payload = await context.tick().sample(
                unit.tile.valid, unit.tile.ready, unit.tile.payload
            )
            if valid and ready:
                taken.extend([[payload[token][row] for row in range(ROWS)] for token in range(block_out)])

    simulator = Simulator(unit)
    simulator.add_clock(1e-6)
    simulator.add_testbench(write)
    simulator.add_testbench(read)
    simulator.run_until(1e-6 * 20000)
    assert len(taken) == COLS * len(tiles) == 80
    assert taken == [column for tile in tiles for column in tile]


def test_blocks_must_divide_the_tile() -> None:
    with pytest.raises(ValueError, match="block_in=3 must divide cols=4"):
        TileBuffer(ROWS, COLS, 3, 1, WIDTH)
