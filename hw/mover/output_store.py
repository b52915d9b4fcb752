"""STORE: outputs of the core to DRAM."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import *
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from sevedo.gen.config import Config
from sevedo.hw.bus.payloads import NUMBER_BITS, write_data, write_request
from sevedo.hw.core import payloads
from sevedo.hw.memory.block import BlockMemory
from sevedo.hw.stream.buffer import StreamBuffer
from sevedo.hw.unit import Unit

from .output_packer import OutputPacker, buffer_words, buffered
from .payloads import instruction


class OutputStore(Unit):
    """Collects tiles in one of two buffers and writes the other out: long rows of DRAM instead of short ones.

    A buffer is written out when it holds `output_tiles` row tiles, or the layer's last. Each token is then one request.

    Timing: a beat of `y` a cycle while there is a buffer that is not being written out; the next instruction is taken
    with the last beat of the one before. The first request is valid 2 cycles after the buffer's last beat, then one a
    cycle; words as OutputPacker gives them, from the second cycle after the beat. `done` comes two cycles after the
    pulse of `written` that is the instruction's last.
    Numerics: none, bits are moved. Offsets are added modulo 2^32.

    Parameters
    ----------
    config : sizes and formats

    Members
    -------
    instruction : In(stream of STORE's fields and its number), its rules hold (sevedo.gen.config.instructions)
    y : In(stream of payloads.outputs), in the order of the core
    request : Out(stream of write_request), for each buffer one for each token
    words : Out(stream of write_data), the words of all requests in order; strobes off behind the outputs
    written : In(1), a request was confirmed, in order
    done : Out(1), all requests of an instruction were confirmed, in order
    """

    UNCONFIRMED = 4
    """Instructions of which all is asked for and not all confirmed, at most."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.number_bytes = config.numbers.data_format.width // 8
        super().__init__(
            {
                "instruction": In(stream.Signature(instruction(config, "STORE"))),
                "y": In(stream.Signature(payloads.outputs(config))),
                "request": Out(stream.Signature(write_request(config))),
                "words": Out(stream.Signature(write_data(config))),
                "written": In(1),
                "done": Out(1),
            }
        )

    @property
    def module_name(self) -> str:
        return "output_store"

    def build(self) -> Module:
        m = Module()
        config = self.config
        full_numbers = config.memory.output_tiles * config.rmc.rows
        ask_layout = data.StructLayout(
            {"offset": 32, "pitch": 32, "number": NUMBER_BITS, "last": 1, **buffered(config).members}
        )
        m.submodules.asks = asks = StreamBuffer(ask_layout)
        m.submodules.packer = packer = OutputPacker(config)
        words = buffer_words(config)
        m.submodules.memory = memory = BlockMemory(len(Value.cast(self.y.p)), 2 * words)

        job: Any = Signal(self.instruction.p.shape(), reset_less=True)
        active = Signal()
        beats, tiles = config.rmc.cols // config.lvc.output_tokens, config.memory.output_tiles
        beat = Signal(range(beats))
        tile = Signal(range(tiles))
        put = Signal()
        tile_ended = Signal()
        ended = Signal()
        finished = Signal()
        half = Signal()  # the buffer that is filled
        full = Signal(range(3))  # those that are full
        m.d.comb += [
            # A place for the request is kept before the first beat, and stays until the buffer is full.
            self.y.ready.eq(active & (full != 2) & asks.i.ready & packer.i.ready),
            put.eq(self.y.valid & self.y.ready),
            tile_ended.eq(put & (beat == beats - 1)),
            ended.eq(tile_ended & ((tile == tiles - 1) | (job.row_tiles == 1))),
            finished.eq(tile_ended & (job.row_tiles == 1)),
            self.instruction.ready.eq(~active | finished),
            memory.w_en.eq(put),
            memory.w_data.eq(self.y.p),
            memory.r_en.eq(packer.r_en),
            memory.r_addr.eq(packer.r_addr),
            packer.r_data.eq(memory.r_data),
            asks.i.valid.eq(ended),
            asks.i.p.offset.eq(job.address),
            asks.i.p.pitch.eq(job.pitch),
            asks.i.p.number.eq(job.number),
            asks.i.p.last.eq(finished),
            asks.i.p.tokens.eq(job.tokens),
            asks.i.p.numbers.eq(Mux(job.outputs < full_numbers, job.outputs, full_numbers)),
            packer.i.valid.eq(ended),
            packer.i.p.tokens.eq(asks.i.p.tokens),
            packer.i.p.numbers.eq(asks.i.p.numbers),
            self.words.valid.eq(packer.words.valid),
            self.words.p.eq(packer.words.p),
            packer.words.ready.eq(self.words.ready),
        ]
        m.d.sync += full.eq(full + ended - packer.freed)
        with m.If(put):
            m.d.sync += [memory.w_addr.eq(memory.w_addr + 1), beat.eq(Mux(tile_ended, 0, beat + 1))]
        with m.If(tile_ended):
            m.d.sync += [tile.eq(tile + 1), job.row_tiles.eq(job.row_tiles - 1)]
        with m.If(ended):
            m.d.sync += [half.eq(~half), memory.w_addr.eq(Mux(half, 0, words)), tile.eq(0)]
            m.d.sync += job.address.eq(job.address + full_numbers * self.number_bytes)
            m.d.sync += job.outputs.eq(job.outputs - full_numbers)
        with m.If(self.instruction.ready):
            m.d.sync += [active.eq(self.instruction.valid), job.eq(self.instruction.p)]
        self._ask(m, asks)
        return m

    def _ask(self, m: Module, asks: StreamBuffer) -> None:
        """Requests of full buffers, and when those of an instruction are all confirmed."""
        in_word = self.config.bus.data_bytes // self.number_bytes
        request, given = self.request, asks.o.p
        asking = Signal()
        go = Signal()
        last = Signal()
        job: Any = Signal(given.shape(), reset_less=True)
        # Requests asked for and confirmed, modulo what can be under way; and where instructions end.
        asked = Signal(16)
        confirmed = Signal(16)
        m.submodules.ends = ends = StreamBuffer(unsigned(16), self.UNCONFIRMED)
        m.d.comb += [
            last.eq(job.tokens == 1),
            request.valid.eq(asking & (ends.i.ready | ~(last & job.last))),
            request.p.offset.eq(job.offset),
            request.p.number.eq(job.number),
            request.p.words.eq((job.numbers + (in_word - 1)) >> exact_log2(in_word)),
            go.eq(request.valid & request.ready),
            asks.o.ready.eq(~asking | (go & last)),
            ends.i.valid.eq(go & last & job.last),
            ends.i.p.eq(asked + 1),
            ends.o.ready.eq(ends.o.p == confirmed),
        ]
        m.d.sync += [
            asked.eq(asked + go),
            confirmed.eq(confirmed + self.written),
            self.done.eq(ends.o.valid & ends.o.ready),
        ]
        with m.If(go):
            m.d.sync += [job.offset.eq(job.offset + job.pitch), job.tokens.eq(job.tokens - 1)]
        with m.If(asks.o.ready):
            m.d.sync += [asking.eq(asks.o.valid), job.eq(given)]
