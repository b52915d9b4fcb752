"""Outputs of a full buffer, token after token, in words of the bus."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from sevedo.gen.config import Config
from sevedo.hw.bus.payloads import write_data
from sevedo.hw.stream.buffer import StreamBuffer
from sevedo.hw.unit import Unit


def buffer_words(config: Config) -> int:
    """Beats of `y` in one of the two buffers."""
    return config.memory.output_tiles * config.rmc.cols // config.lvc.output_tokens


def buffered(config: Config) -> data.StructLayout:
    """What is in a buffer: `numbers` of each of `tokens` tokens; what else it holds is dropped."""
    return data.StructLayout(
        {
            "numbers": unsigned(bits_for(config.memory.output_tiles * config.rmc.rows)),
            "tokens": unsigned(bits_for(config.rmc.cols)),
        }
    )


class OutputPacker(Unit):
    """Reads two buffers in turns: for each token the outputs of all tiles, `rows` of them in a read, into bus words.

    Timing: the first word is valid `LATENCY` cycles after the transfer of its buffer, and a word a cycle follows, also
    from token to token and from buffer to buffer; a word that takes `n` reads takes `n` cycles. `freed` comes when the
    last word is read, which then stands in the memory's output register. A path leads from `words.ready` to the memory.
    Numerics: none, bits are moved.

    Parameters
    ----------
    config : sizes and formats

    Members
    -------
    i : In(stream of buffered), a buffer is full
    r_en : Out(1), r_addr : Out, r_data : In(a beat of y), the memory's read port: the two buffers, beats as they came
    freed : Out(1), this buffer may be written again
    words : Out(stream of write_data), strobes off behind the last number of a token
    """

    LATENCY = 3

    def __init__(self, config: Config) -> None:
        self.config = config
        self.number_bits = config.numbers.data_format.width
        self.in_word = 8 * config.bus.data_bytes // self.number_bits
        words = 2 * buffer_words(config)
        super().__init__(
            {
                "i": In(stream.Signature(buffered(config))),
                "r_en": Out(1),
                "r_addr": Out((words - 1).bit_length()),
                "r_data": In(config.lvc.output_tokens * config.rmc.rows * self.number_bits),
                "freed": Out(1),
                "words": Out(stream.Signature(write_data(config))),
            }
        )

    @property
    def module_name(self) -> str:
        return "output_packer"

    @property
    def latency(self) -> int:
        """Cycles from the transfer of a buffer to its first word, where a read gives a whole one."""
        return self.LATENCY

    def build(self) -> Module:
        m = Module()
        rows, side_by_side = self.config.rmc.rows, self.config.lvc.output_tokens
        token_width = rows * self.number_bits
        there = Signal()  # a beat was read
        at = Signal(range(side_by_side), reset_less=True)  # the token in it
        left = Signal.like(self.i.p.numbers, reset_less=True)  # numbers of the token from there on
        used = Signal()  # with this cycle the beat has been used up
        token = Signal(token_width)
        m.d.comb += [
            token.eq(Array(self.r_data.word_select(n, token_width) for n in range(side_by_side))[at]),
            self.r_en.eq(0),
        ]
        fetch = self._fetch(m, ~there | used, at, left)
        with m.If(fetch):
            m.d.sync += there.eq(1)
        with m.Elif(used):
            m.d.sync += there.eq(0)
        if rows >= self.in_word:
            self._split(m, there, token, left, used, fetch)
        else:
            self._gather(m, there, token, left, used)
        return m

    def _fetch(self, m: Module, free: Value, at: Signal, left: Signal) -> Signal:
        """Read the next `rows` outputs of a token when there is a place for them; whether it is done."""
        rows, side_by_side = self.config.rmc.rows, self.config.lvc.output_tokens
        beats = self.config.rmc.cols // side_by_side  # of a tile
        m.submodules.jobs = jobs = StreamBuffer(self.i.p.shape())
        active = Signal()
        fetch = Signal()
        ended = Signal()
        finished = Signal()
        numbers = Signal.like(left, reset_less=True)
        tokens = Signal.like(self.i.p.tokens, reset_less=True)
        more = Signal.like(left, reset_less=True)  # numbers of the token that have not been read
        half = Signal()
        place = Signal.like(at, reset_less=True)
        line = Signal.like(self.r_addr, reset_less=True)
        address = Signal.like(self.r_addr, reset_less=True)
        next_line = Signal.like(line)
        start = Signal.like(line)
        m.d.comb += [
            jobs.i.valid.eq(self.i.valid),
            jobs.i.p.eq(self.i.p),
            self.i.ready.eq(jobs.i.ready),
            fetch.eq(active & free),
            ended.eq(more <= rows),
            finished.eq(fetch & ended & (tokens == 1)),
            jobs.o.ready.eq(~active | finished),
            next_line.eq(line + (place == side_by_side - 1)),
            start.eq(Mux(half ^ finished, buffer_words(self.config), 0)),
            self.r_en.eq(fetch),
            self.r_addr.eq(address),
            self.freed.eq(finished),
        ]
        with m.If(fetch):
            m.d.sync += [at.eq(place), left.eq(more), more.eq(more - rows), address.eq(address + beats)]
            with m.If(ended):
                m.d.sync += [
                    more.eq(numbers),
                    tokens.eq(tokens - 1),
                    line.eq(next_line),
                    address.eq(next_line),
                ]
                m.d.sync += place.eq(Mux(place == side_by_side - 1, 0, place + 1))
        m.d.sync += half.eq(half ^ finished)
        with m.If(jobs.o.ready):
            m.d.sync += [active.eq(jobs.o.valid), numbers.eq(jobs.o.p.numbers), tokens.eq(jobs.o.p.tokens)]
            m.d.sync += [more.eq(jobs.o.p.numbers), place.eq(0), line.eq(start), address.eq(start)]
        return fetch

    def _split(
        self, m: Module, there: Signal, token: Signal, left: Signal, used: Signal, fetch: Signal
    ) -> None:
        """`rows` outputs are one or more words."""
        width, parts = self.in_word * self.number_bits, self.config.rmc.rows // self.in_word
        part = Signal(range(parts))
        go = Signal()
        m.d.comb += [
            self.words.valid.eq(there),
            self.words.p.data.eq(Array(token.word_select(n, width) for n in range(parts))[part]),
            self.words.p.strobe.eq(self._strobe(left, self.in_word)),
            go.eq(there & self.words.ready),
            used.eq(go & ((part == parts - 1) | (left <= self.in_word))),
        ]
        with m.If(go):
            m.d.sync += part.eq(Mux(used, 0, part + 1))
        with m.If(go & ~fetch):
            m.d.sync += left.eq(left - self.in_word)

    def _gather(self, m: Module, there: Signal, token: Signal, left: Signal, used: Signal) -> None:
        """A word takes `rows` outputs several times."""
        rows, parts = self.config.rmc.rows, self.in_word // self.config.rmc.rows
        part = Signal(range(parts))
        ended = Signal()
        word = Signal(self.in_word * self.number_bits, reset_less=True)
        strobe = Signal(self.config.bus.data_bytes, reset_less=True)
        m.d.comb += [
            self.words.p.data.eq(word),
            self.words.p.strobe.eq(strobe),
            used.eq(there & (~self.words.valid | self.words.ready)),
            ended.eq((part == parts - 1) | (left <= rows)),
        ]
        with m.If(self.words.ready):
            m.d.sync += self.words.valid.eq(0)
        with m.If(used):
            m.d.sync += [self.words.valid.eq(ended), part.eq(Mux(ended, 0, part + 1))]
            with m.If(part == 0):
                m.d.sync += strobe.eq(0)
            for index in range(parts):
                with m.If(part == index):
                    m.d.sync += word.word_select(index, len(token)).eq(token)
                    m.d.sync += strobe.word_select(index, len(strobe) // parts).eq(self._strobe(left, rows))

    def _strobe(self, left: Signal, count: int) -> Value:
        """The bytes of the numbers that there are."""
        return Cat((left > index).replicate(self.number_bits // 8) for index in range(count))
