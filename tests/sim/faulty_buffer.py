"""A stream buffer that breaks one stream rule at a time, to prove that the checkers see it."""

from __future__ import annotations

from enum import IntEnum

from amaranth.hdl import Const, Module, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from sevedo.hw.unit import Unit


class Fault(IntEnum):
    NONE = 0
    VALID_DROPS = 1
    PAYLOAD_CHANGES = 2
    LOSES_A_BEAT = 3
    DOUBLES_A_BEAT = 4
    WAITS_FOR_READY = 5
    FLIPS_A_BIT = 6
    STICKS = 7


class FaultyBuffer(Unit):
    """One register between two streams, with the fault that the port `fault` selects (see `Fault`).

    The fault shows at the beat whose count is 5.
    """

    def __init__(self, width: int):
        self._width = width
        shape = stream.Signature(width)
        super().__init__({"i": In(shape), "o": Out(shape), "fault": In(3), "taken": Out(40)})

    @property
    def module_name(self) -> str:
        return f"faulty_buffer_{self._width}"

    @property
    def latency(self) -> int:
        return 1

    def build(self) -> Module:
        m = Module()
        full = Signal()
        held = Signal(self._width, reset_less=True)
        stalled = Signal()
        now = Signal()
        again = Signal()
        stuck = Signal()
        doubled = Signal()
        m.d.comb += [
            now.eq(self.taken == 5),
            stuck.eq((self.fault == Fault.STICKS) & now),
            self.i.ready.eq((~full | (self.o.valid & self.o.ready & ~again)) & ~stuck),
            self.o.valid.eq(full & ~stuck),
            self.o.payload.eq(held),
            again.eq((self.fault == Fault.DOUBLES_A_BEAT) & now & ~doubled),
        ]
        m.d.sync += stalled.eq(0)
        with m.If(self.o.valid):
            m.d.sync += stalled.eq(1)
        with m.If(self.o.valid & self.o.ready & again):
            m.d.sync += doubled.eq(1)
        with m.If(self.o.valid & self.o.ready & ~again):
            m.d.sync += full.eq(0)
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [full.eq(1), held.eq(self.i.payload), stalled.eq(0), self.taken.eq(self.taken + 1)]
            with m.If((self.fault == Fault.LOSES_A_BEAT) & now):
                m.d.sync += full.eq(0)
            with m.If((self.fault == Fault.FLIPS_A_BIT) & now):
                m.d.sync += held.eq(self.i.payload ^ Const(1 << (self._width - 1), self._width))
        with m.If((self.fault == Fault.VALID_DROPS) & now & stalled & full):
            m.d.comb += self.o.valid.eq(0)
        with m.If((self.fault == Fault.PAYLOAD_CHANGES) & now & stalled):
            m.d.comb += self.o.payload.eq(held ^ 1)
        with m.If((self.fault == Fault.WAITS_FOR_READY) & now):
            m.d.comb += self.o.valid.eq(full & self.o.ready)
        return m
