"""A unit's queue: instructions wait for their tokens, go out in order, and give tokens when they are done."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out, connect, flipped

from sevedo.gen.config.instructions import INSTRUCTIONS, TOKENS
from sevedo.gen.config.instructions import Unit as UnitNumber
from sevedo.hw.bus.payloads import NUMBER_BITS
from sevedo.hw.control.instruction import fields
from sevedo.hw.stream.buffer import StreamBuffer
from sevedo.hw.unit import Unit


def queued(unit: UnitNumber) -> data.StructLayout:
    """An instruction in the queue of a unit: its tokens, whether it is a SYNC, and its fields."""
    name = next(each.name for each in INSTRUCTIONS if each.unit is unit)
    return data.StructLayout({"wait": TOKENS, "give": TOKENS, "sync": 1, "fields": fields(name)})


class InstructionQueue(Unit):
    """First in, first out. The first instruction takes its tokens and is offered to the unit; a SYNC goes when all
    before it are done.

    Timing: an instruction without tokens is offered two cycles after it came; one with tokens a cycle later.

    Parameters
    ----------
    unit : whose queue it is
    depth : instructions that wait

    Members
    -------
    i : In(stream of queued(unit))
    instruction : Out(stream of the fields)
    done : In(1), the oldest instruction that the unit took is done
    wants, wanted, granted : to and from `TokenCounters`
    given : Out(TOKENS), tokens of this cycle
    running : Out(1), an instruction is with the unit; waiting : Out(1), the first in the queue waits for tokens
    empty : Out(1), nothing is here or with the unit
    number : Out, of the oldest with the unit, else of the first in the queue
    """

    FLIGHT = 4

    def __init__(self, unit: UnitNumber, depth: int = 4) -> None:
        self.unit = unit
        self.depth = depth
        layout = queued(unit)
        super().__init__(
            {
                "i": In(stream.Signature(layout)),
                "instruction": Out(stream.Signature(layout["fields"].shape)),
                "done": In(1),
                "wants": Out(1),
                "wanted": Out(TOKENS),
                "granted": In(1),
                "given": Out(TOKENS),
                "running": Out(1),
                "waiting": Out(1),
                "empty": Out(1),
                "number": Out(NUMBER_BITS),
            }
        )

    @property
    def module_name(self) -> str:
        return f"queue_{self.unit.name.lower()}"

    def build(self) -> Module:
        m = Module()
        layout = queued(self.unit)
        m.submodules.waiting = waiting = StreamBuffer(layout, self.depth)
        m.submodules.leaving = leaving = StreamBuffer(layout["fields"].shape)
        flight = data.StructLayout({"give": TOKENS, "number": NUMBER_BITS})
        m.submodules.flying = flying = StreamBuffer(flight, self.FLIGHT)
        connect(m, flipped(self.i), waiting.i)
        connect(m, leaving.o, flipped(self.instruction))
        head = waiting.o
        holds = Signal()
        free = holds | (head.p.wait == 0)
        go = Signal()
        sync = Signal()
        m.d.comb += [
            self.wants.eq(head.valid & ~free),
            self.wanted.eq(head.p.wait),
            self.waiting.eq(self.wants),
            go.eq(head.valid & free & ~head.p.sync & leaving.i.ready & flying.i.ready),
            sync.eq(head.valid & free & head.p.sync & ~flying.o.valid),
            head.ready.eq(go | sync),
            leaving.i.valid.eq(go),
            leaving.i.p.eq(head.p.fields),
            flying.i.valid.eq(go),
            flying.i.p.give.eq(head.p.give),
            flying.i.p.number.eq(head.p.fields.number),
            flying.o.ready.eq(self.done),
            self.running.eq(flying.o.valid),
            self.empty.eq(~head.valid & ~flying.o.valid),
            self.number.eq(Mux(flying.o.valid, flying.o.p.number, head.p.fields.number)),
            self.given.eq(Mux(self.done, flying.o.p.give, Mux(sync, head.p.give, 0))),
        ]
        m.d.sync += holds.eq((holds | self.granted) & ~head.ready)
        return m
