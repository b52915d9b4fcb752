"""Several tiles of results in a memory, taken in blocks of tokens and given in smaller ones."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib import data, stream
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from sevedo.hw.unit import Unit


class TileQueue(Unit):
    """First in, first out; it holds up to `depth` tiles.

    A word of the memory is a block of a tile. The memory has one write port and one synchronous read port, so that it
    can be an SRAM; the word that is being given stands in its output register.

    Timing: a block is at `o` `LATENCY` cycles after its transfer at `i`, when nothing is before it; then a beat a
    cycle. The first block of a tile waits for a whole place, which is free again in the cycle after the last beat of
    its tile has gone. No combinational path from `o.ready` to `i.ready`, nor from `i` to `o`.
    Numerics: none, bits are moved.

    Parameters
    ----------
    rows, cols : size of a tile: outputs and tokens
    block_in : tokens in a beat of `i`, divides cols
    block_out : tokens in a beat of `o`, divides block_in
    width : bits of a number
    depth : tiles, at least 1

    Members
    -------
    i : In(stream of ArrayLayout(ArrayLayout(width, rows), block_in)), tokens ascending
    o : Out(stream of ArrayLayout(ArrayLayout(width, rows), block_out))

    Raises
    ------
    ValueError : when a block does not divide what it must, or depth is below 1.
    """

    LATENCY = 2

    def __init__(self, rows: int, cols: int, block_in: int, block_out: int, width: int, depth: int) -> None:
        if cols % block_in:
            raise ValueError(f"block_in={block_in} must divide cols={cols}")
        if block_in % block_out:
            raise ValueError(f"block_out={block_out} must divide block_in={block_in}")
        if depth < 1:
            raise ValueError(f"depth={depth} must be at least 1")
        self.rows = rows
        self.cols = cols
        self.block_in = block_in
        self.block_out = block_out
        self.width = width
        self.depth = depth
        column = data.ArrayLayout(unsigned(width), rows)
        super().__init__(
            {
                "i": In(stream.Signature(data.ArrayLayout(column, block_in))),
                "o": Out(stream.Signature(data.ArrayLayout(column, block_out))),
            }
        )

    @property
    def module_name(self) -> str:
        size = f"{self.rows}x{self.cols}_{self.block_in}to{self.block_out}_{self.width}"
        return f"tile_queue_{size}_d{self.depth}"

    def build(self) -> Module:
        m = Module()
        per_tile = self.cols // self.block_in
        words, beats = self.depth * per_tile, self.block_in // self.block_out
        shape = unsigned(self.rows * self.block_in * self.width)
        m.submodules.storage = storage = Memory(shape=shape, depth=words, init=[])
        write, read = storage.write_port(), storage.read_port()
        waiting = Signal(range(words + 1))  # words in the memory that have not been fetched
        held = Signal(range(self.depth + 1))  # tiles, also parts of them
        word_in = Signal(range(max(per_tile, 2)))
        word_out = Signal(range(max(per_tile, 2)))
        beat = Signal(range(max(beats, 2)))
        put = Signal()
        go = Signal()
        fetch = Signal()
        begun = Signal()
        ended = Signal()
        last_beat = beat == beats - 1
        m.d.comb += [
            self.i.ready.eq((word_in != 0) | (held != self.depth)),
            put.eq(self.i.valid & self.i.ready),
            begun.eq(put & (word_in == 0)),
            write.en.eq(put),
            write.data.eq(self.i.p),
            go.eq(self.o.valid & self.o.ready),
            fetch.eq((waiting != 0) & (~self.o.valid | (go & last_beat))),
            ended.eq(go & last_beat & (word_out == per_tile - 1)),
            read.en.eq(fetch),
            self.o.p.eq(read.data.word_select(beat, len(Value.cast(self.o.p)))),
        ]
        m.d.sync += [waiting.eq(waiting + put - fetch), held.eq(held + begun - ended)]
        with m.If(put):
            m.d.sync += [write.addr.eq(_after(write.addr, words)), word_in.eq(_after(word_in, per_tile))]
        with m.If(fetch):
            m.d.sync += [self.o.valid.eq(1), read.addr.eq(_after(read.addr, words))]
        with m.Elif(go & last_beat):
            m.d.sync += self.o.valid.eq(0)
        with m.If(go):
            m.d.sync += beat.eq(_after(beat, beats))
            with m.If(last_beat):
                m.d.sync += word_out.eq(_after(word_out, per_tile))
        return m


def _after(index: Signal, count: int) -> Value:
    """The next of `count` indices."""
    return Mux(index == count - 1, 0, index + 1)
