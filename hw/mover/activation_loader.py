"""LOAD: numbers from DRAM into IOMEM or the smoothing multipliers."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import *
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from sevedo.gen.config import Config
from sevedo.gen.config.instructions import multiplier_rows
from sevedo.hw.bus.payloads import read_request
from sevedo.hw.core import payloads
from sevedo.hw.stream.buffer import StreamBuffer
from sevedo.hw.unit import Unit

from .payloads import instruction


class ActivationLoader(Unit):
    """Writes rows of DRAM, one for each token, into rows of `lanes` numbers of the token's bank.

    Timing: the first `request` is valid in the cycle after an instruction's transfer, then one a cycle; those of the
    next instruction follow while words of this one come. A bus word a cycle, or a row of memory, whichever is the
    less. A row is written in the cycle after the transfer of its last word, and `done` comes in the cycle after the
    last one: who reads then finds it.
    Numerics: none, bits are moved. Numbers beyond `inputs` in the last row of a token are undefined; rows behind it are
    not written. Offsets are added modulo 2^32.

    Parameters
    ----------
    config : sizes and formats

    Members
    -------
    instruction : In(stream of LOAD's fields and its number), its rules hold (sevedo.gen.config.instructions)
    request : Out(stream of read_request), one for each token
    data : In(stream of unsigned(bits of the bus)), the words of all requests in order
    write : Out(1), `numbers` go into `row` of `bank` of the target
    target : Out(1), 0 IOMEM, 1 multipliers
    bank : Out, token
    row : Out
    numbers : Out(ArrayLayout(number, lanes))
    done : Out(1), an instruction is done, in order
    """

    AHEAD = 2

    def __init__(self, config: Config) -> None:
        self.config = config
        self.bus_bits = 8 * config.bus.data_bytes
        self.number_bits = config.numbers.data_format.width
        rows = max(config.iomem_rows, multiplier_rows(config))
        super().__init__(
            {
                "instruction": In(stream.Signature(instruction(config, "LOAD"))),
                "request": Out(stream.Signature(read_request(config))),
                "data": In(stream.Signature(unsigned(self.bus_bits))),
                "write": Out(1),
                "target": Out(1),
                "bank": Out(max((config.rmc.cols - 1).bit_length(), 1)),
                "row": Out(max((rows - 1).bit_length(), 1)),
                "numbers": Out(payloads.numbers(config, config.rmc.lanes)),
                "done": Out(1),
            }
        )

    @property
    def module_name(self) -> str:
        return "activation_loader"

    def build(self) -> Module:
        m = Module()
        shape = {name: self.instruction.p[name].shape() for name in ("target", "row", "tokens", "inputs")}
        m.submodules.jobs = jobs = StreamBuffer(data.StructLayout(shape), self.AHEAD)
        self._ask(m, jobs)
        job: Any = Signal(data.StructLayout(shape), reset_less=True)
        following = jobs.o.p
        active = Signal()
        go = Signal()
        tokens = Signal(16, reset_less=True)  # that are still to come
        left = Signal(24, reset_less=True)  # numbers of the token that are still to come
        to_bank = Signal(len(self.bank), reset_less=True)
        to_row = Signal(len(self.row), reset_less=True)
        row_ended = Signal()  # with this piece
        ended = Signal()  # a token, with it
        finished = Signal()  # the job, with it
        size = self._place(m, active, go, ended, row_ended)
        m.d.comb += [
            go.eq(active & self.data.valid),
            ended.eq(left <= size),
            finished.eq(go & ended & (tokens == 1)),
            jobs.o.ready.eq(~active | finished),
        ]
        with m.If(go):
            m.d.sync += [left.eq(left - size), to_row.eq(to_row + row_ended)]
            with m.If(ended):
                m.d.sync += [left.eq(job.inputs), to_row.eq(job.row), to_bank.eq(to_bank + 1)]
                m.d.sync += tokens.eq(tokens - 1)
        with m.If(jobs.o.ready):
            m.d.sync += [active.eq(jobs.o.valid), job.eq(following), tokens.eq(following.tokens)]
            m.d.sync += [left.eq(following.inputs), to_row.eq(following.row), to_bank.eq(0)]
        last = Signal()
        m.d.sync += [self.write.eq(go & row_ended), last.eq(finished), self.done.eq(last)]
        m.d.sync += [self.target.eq(job.target), self.bank.eq(to_bank), self.row.eq(to_row)]
        return m

    def _ask(self, m: Module, jobs: StreamBuffer) -> None:
        """A request for each token, and a job for the words that come."""
        per_word = self.bus_bits // self.number_bits
        given, request = self.instruction.p, self.request
        take = Signal()
        go = Signal()
        asking = Signal()
        pitch = Signal(32, reset_less=True)
        tokens = Signal(16, reset_less=True)
        m.d.comb += [
            self.instruction.ready.eq(jobs.i.ready & ~asking),
            take.eq(self.instruction.valid & self.instruction.ready),
            jobs.i.valid.eq(take),
            *(jobs.i.p[name].eq(given[name]) for name in jobs.i.p.shape().members),
            request.valid.eq(asking),
            go.eq(asking & request.ready),
        ]
        with m.If(go):
            m.d.sync += [request.p.offset.eq(request.p.offset + pitch), tokens.eq(tokens - 1)]
            m.d.sync += asking.eq(tokens != 1)
        with m.If(take):
            m.d.sync += [asking.eq(1), pitch.eq(given.pitch), tokens.eq(given.tokens)]
            m.d.sync += [request.p.segment.eq(given.segment), request.p.offset.eq(given.address)]
            m.d.sync += request.p.number.eq(given.number)
            m.d.sync += request.p.words.eq((given.inputs + (per_word - 1)) >> exact_log2(per_word))

    def _place(self, m: Module, active: Signal, go: Signal, ended: Signal, row_ended: Signal) -> int:
        """A piece of a row a cycle into its place: a bus word, or a part of one. Numbers of a piece."""
        row_bits = self.config.rmc.lanes * self.number_bits
        piece = min(row_bits, self.bus_bits)
        pieces, parts = row_bits // piece, self.bus_bits // piece  # of a row, of a bus word
        place = Signal(range(pieces))
        part = Signal(range(parts))
        word_ended = Signal()
        numbers = Signal(row_bits, reset_less=True)
        m.d.comb += [
            row_ended.eq(ended | (place == pieces - 1)),
            # What is behind a token's last row is dropped with the rest of its bus word.
            word_ended.eq(ended | (part == parts - 1)),
            self.data.ready.eq(active & word_ended),
            Value.cast(self.numbers).eq(numbers),
        ]
        with m.If(go):
            m.d.sync += [place.eq(Mux(row_ended, 0, place + 1)), part.eq(Mux(word_ended, 0, part + 1))]
            now = Array(self.data.p.word_select(index, piece) for index in range(parts))[part]
            for index in range(pieces):
                with m.If(place == index):
                    m.d.sync += numbers.word_select(index, piece).eq(now)
        return piece // self.number_bits
