"""One tile of results, on its way from an array that makes it in one shape to one that takes it in another."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from sevedo.hw.unit import Unit


class TileBuffer(Unit):
    """Holds one tile: written in blocks of tokens, read as a stream in blocks of another size.

    Timing: `tile` becomes valid in the cycle after the last block was written. `room` falls in the cycle after
    `reserve` and rises in the cycle after the last beat has gone.
    Numerics: none, bits are moved.

    Parameters
    ----------
    rows, cols : size of a tile: outputs and tokens
    block_in : tokens written in a cycle, divides cols
    block_out : tokens in a beat of `tile`, divides cols
    width : bits of a number

    Members
    -------
    reserve : In(1), a tile has been started that will need the buffer; may come again until its last
        block is written
    room : Out(1), a tile may be started
    write : In(1), take `block`; blocks of a tile come with tokens ascending
    block : In(ArrayLayout(ArrayLayout(width, rows), block_in))
    tile : Out(stream of ArrayLayout(ArrayLayout(width, rows), block_out))
    """

    def __init__(self, rows: int, cols: int, block_in: int, block_out: int, width: int) -> None:
        for name, block in (("block_in", block_in), ("block_out", block_out)):
            if cols % block:
                raise ValueError(f"{name}={block} must divide cols={cols}")
        self.rows = rows
        self.cols = cols
        self.block_in = block_in
        self.block_out = block_out
        self.width = width
        column = data.ArrayLayout(unsigned(width), rows)
        super().__init__(
            {
                "reserve": In(1),
                "room": Out(1, init=1),
                "write": In(1),
                "block": In(data.ArrayLayout(column, block_in)),
                "tile": Out(stream.Signature(data.ArrayLayout(column, block_out))),
            }
        )

    @property
    def module_name(self) -> str:
        return f"tile_buffer_{self.rows}x{self.cols}_{self.block_in}to{self.block_out}_{self.width}"

    def build(self) -> Module:
        m = Module()
        columns = [
            Signal(self.width * self.rows, name=f"token_{t}", reset_less=True) for t in range(self.cols)
        ]
        steps_in, steps_out = self.cols // self.block_in, self.cols // self.block_out
        step_in = Signal(range(max(steps_in, 2)))
        step_out = Signal(range(max(steps_out, 2)))

        with m.If(self.write):
            with m.Switch(step_in):
                for step in range(steps_in):
                    with m.Case(step):
                        first = step * self.block_in
                        m.d.sync += Cat(columns[first : first + self.block_in]).eq(self.block)
            m.d.sync += step_in.eq(step_in + 1)
            with m.If(step_in == steps_in - 1):
                m.d.sync += [step_in.eq(0), self.tile.valid.eq(1)]

        with m.Switch(step_out):
            for step in range(steps_out):
                with m.Case(step):
                    first = step * self.block_out
                    m.d.comb += self.tile.p.eq(Cat(columns[first : first + self.block_out]))
        with m.If(self.tile.valid & self.tile.ready):
            m.d.sync += step_out.eq(step_out + 1)
            with m.If(step_out == steps_out - 1):
                m.d.sync += [step_out.eq(0), self.tile.valid.eq(0), self.room.eq(1)]
        with m.If(self.reserve):
            m.d.sync += self.room.eq(0)
        return m
