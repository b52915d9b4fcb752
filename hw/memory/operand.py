"""A buffer of one operand in front of the core: filled in bus words, read in beats, as often as the core needs them."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from sevedo.gen.config.operands import Operand
from sevedo.hw.unit import Unit

from .block import BlockMemory


def operand_word(operand: Operand, bus_bits: int) -> data.StructLayout:
    """A bus word of an operand, and how many beats of its section are in it; 1 where a beat takes several words."""
    return data.StructLayout(
        {
            "data": unsigned(bus_bits),
            "beats": unsigned(bits_for(operand.beats_in_word(bus_bits))),
        }
    )


class OperandBuffer(Unit):
    """Beats of one operand in order; its reader moves a window over them, and reads in it as often as it likes.

    The memory's word is a beat, or as many beats as a bus word holds. A section of an operand starts at a bus word;
    the padding behind it is dropped when the window moves past its end.

    Timing: a word and a beat a cycle at the same time. `available` follows `offset` in the same cycle, and a beat
    counts from the cycle after the transfer of its last word on; `beat` and `padding` show what was read from the cycle
    after `enable` on, until the next one: `LATENCY` cycles in all. Words that fall behind the window are room from the
    cycle after `advance` on. No combinational path from `i` to the read side, nor back.
    Numerics: none, bits are moved.

    Parameters
    ----------
    operand : what a beat is, and how many must fit
    bus_bits : of a bus word

    Members
    -------
    i : In(stream of operand_word)
    offset : In(index_bits), a beat, counted from the start of the window; within the section that is read
    available : Out(1), that beat is there
    enable : In(1), read it; only when it is available
    beat : Out(operand.width), elements in C order of the operand's shape, the first in the lowest bits
    padding : Out(1), what was read is none: the section ended before it in its word
    advance : In(1), move the window on; `enable` in the same cycle still reads of the old one
    step : In(index_bits), by so many beats, all of them available
    last : In(1), the section ends with them
    empty : Out(1), nothing is held, not even a part of a beat
    """

    LATENCY = 2

    def __init__(self, operand: Operand, bus_bits: int) -> None:
        self.operand = operand
        self.bus_bits = bus_bits
        self.beats_in_word = operand.beats_in_word(bus_bits)
        self.words_of_beat = operand.words_of_beat(bus_bits)
        super().__init__(
            {
                "i": In(stream.Signature(operand_word(operand, bus_bits))),
                "offset": In(self.index_bits),
                "available": Out(1),
                "enable": In(1),
                "beat": Out(operand.width),
                "padding": Out(1),
                "advance": In(1),
                "step": In(self.index_bits),
                "last": In(1),
                "empty": Out(1, init=1),
            }
        )

    @property
    def depth(self) -> int:
        """Words of the memory: a power of two that holds two sections of half the operand's depth."""
        words = 2 * self.operand.words((self.operand.depth + 1) // 2, self.bus_bits) // self.words_of_beat
        return 1 << max((words - 1).bit_length(), 1)

    @property
    def index_bits(self) -> int:
        """Bits of `offset` and `step`: enough to count all beats that can be held."""
        return bits_for(self.depth * self.beats_in_word)

    @property
    def module_name(self) -> str:
        return f"operand_buffer_{self.operand.name}_{self.operand.width}x{self.operand.depth}_{self.bus_bits}"

    @property
    def latency(self) -> int:
        """Cycles from the transfer of a beat's last word to `beat`, when it is read as soon as it is available."""
        return self.LATENCY

    def build(self) -> Module:
        m = Module()
        width, per_word = self.operand.width, self.beats_in_word
        slot_bits = (per_word - 1).bit_length()
        count_bits = bits_for(per_word) if per_word > 1 else 0  # a word of one beat needs no count
        m.submodules.memory = memory = BlockMemory(per_word * width + count_bits, self.depth)
        address_bits = (self.depth - 1).bit_length()

        put = Signal()
        freed = Signal(address_bits + 1)
        held = Signal(range(self.depth + 1))  # whole words
        parts = self._gather(m, memory, put, held)
        with m.If(put):
            m.d.sync += memory.w_addr.eq(memory.w_addr + 1)

        first = Signal(address_bits)  # the window's first word, and its first beat therein
        skip = Signal(slot_bits)
        place = Signal(self.index_bits + 1)
        until = Signal(self.index_bits + 1)
        slot = Signal(slot_bits, reset_less=True)
        m.d.comb += [
            place.eq(skip + self.offset),
            self.available.eq((place >> slot_bits) < held),
            memory.r_en.eq(self.enable),
            memory.r_addr.eq(first + (place >> slot_bits)),
            self.beat.eq(Array(memory.r_data[n * width :][:width] for n in range(per_word))[slot]),
            until.eq(skip + self.step),
        ]
        if count_bits:
            m.d.comb += self.padding.eq(slot >= memory.r_data[per_word * width :])
        with m.If(self.enable):
            m.d.sync += slot.eq(place)
        with m.If(self.advance):
            # The rest of a section's last word is dropped: round up to a whole word.
            m.d.comb += freed.eq(Mux(self.last, until + (per_word - 1), until) >> slot_bits)
            m.d.sync += [first.eq(first + freed), skip.eq(Mux(self.last, 0, until))]
        after = Signal.like(held)
        m.d.comb += after.eq(held + put - freed)
        m.d.sync += [held.eq(after), self.empty.eq((after == 0) & (parts == 0))]
        return m

    def _gather(self, m: Module, memory: BlockMemory, put: Signal, held: Signal) -> Signal:
        """The write side: `put` writes a whole word. Words of a beat that wait for its last one, after this cycle."""
        width, parts = self.operand.width, self.words_of_beat
        taken = Signal()
        last = Signal()
        waiting = Signal(range(parts))
        after = Signal(range(parts))
        m.d.comb += [
            last.eq(waiting == parts - 1),
            # A part of a beat has a place of its own, so only the last one needs room in the memory.
            self.i.ready.eq(~last | (held != self.depth)),
            taken.eq(self.i.valid & self.i.ready),
            put.eq(taken & last),
            after.eq(Mux(put, 0, waiting + taken)),
            memory.w_en.eq(put),
        ]
        m.d.sync += waiting.eq(after)
        if parts == 1:
            slot_width = self.operand.slot(self.bus_bits)
            beats = [self.i.p.data[n * slot_width :][:width] for n in range(self.beats_in_word)]
            m.d.comb += memory.w_data.eq(Cat(beats, self.i.p.beats))
            return after
        kept = [Signal(self.bus_bits, name=f"part_{n}", reset_less=True) for n in range(parts - 1)]
        for number, part in enumerate(kept):
            with m.If(taken & (waiting == number)):
                m.d.sync += part.eq(self.i.p.data)
        m.d.comb += memory.w_data.eq(Cat(kept, self.i.p.data))
        return after
