"""The self-test: a script of words to write, to wait for and to compare, from a ROM."""

from __future__ import annotations

from enum import IntEnum

from amaranth.hdl import *
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from sevedo.hw.link.word import word_bus
from sevedo.hw.unit import Unit


class Step(IntEnum):
    """Kinds of steps, in bits 31:30 of their first word; bits 15:0 are a count. The second word is an address."""

    END = 0
    """No address; all was well."""
    WRITE = 1
    """`count` words follow, to be written from there on."""
    POLL = 2
    """A mask and a value follow: read until the masked word is the value."""
    CHECK = 3
    """`count` words follow, which must stand there."""


class Result(IntEnum):
    """As register SELF_TEST tells it."""

    NOT_RUN = 0
    PASSED = 1
    WRONG = 2
    SILENT = 3


class SelfTest(Unit):
    """Carries out a script after reset, and whenever it is asked to.

    Timing: some cycles a word. A POLL that is not answered with its value within 2^`patience` cycles ends the test.
    Numerics: none.

    Parameters
    ----------
    script : words of the ROM: steps, the last an END
    patience : see above

    Members
    -------
    start : In(1), run it again; nothing while it runs
    bus : Out(word_bus)
    running : Out(1)
    result : Out(2), a `Result`
    address, found : Out(32), where it looked last, and what it read there

    Raises
    ------
    ValueError : a script without a step, or a patience below 1.
    """

    def __init__(self, script: tuple[int, ...], patience: int = 24) -> None:
        if not script or patience < 1:
            raise ValueError(f"script={len(script)} words and patience={patience} must be at least 1")
        self.script, self.patience = script, patience
        super().__init__(
            {
                "start": In(1),
                "bus": Out(word_bus()),
                "running": Out(1, init=1),
                "result": Out(2),
                "address": Out(32),
                "found": Out(32),
            }
        )

    @property
    def module_name(self) -> str:
        return "self_test"

    def build(self) -> Module:
        m = Module()
        m.submodules.script = rom = Memory(shape=unsigned(32), depth=len(self.script), init=self.script)
        read = rom.read_port()
        place = Signal(range(len(self.script) + 1))
        there = Signal()
        kind = Signal(Step)
        left = Signal(16)
        mask = Signal(32)
        waited = Signal(self.patience + 1)
        word = read.data
        m.d.comb += [
            read.addr.eq(place),
            self.bus.request.p.address.eq(self.address),
            self.bus.request.p.write.eq(kind == Step.WRITE),
            self.bus.request.p.data.eq(word),
        ]

        def onward() -> list:
            """The next word of the script, which is there two cycles later."""
            return [place.eq(place + 1), there.eq(0)]

        m.d.sync += there.eq(1)
        with m.If(~waited[-1]):
            m.d.sync += waited.eq(waited + 1)
        with m.FSM():
            with m.State("KIND"):
                with m.If(there & self.running):
                    m.d.sync += [kind.eq(word[30:]), left.eq(word[:16]), *onward()]
                    m.next = "ADDRESS"
                    with m.If(word[30:] == Step.END):
                        m.d.sync += [self.running.eq(0), self.result.eq(Result.PASSED)]
                        m.next = "ENDED"
            with m.State("ADDRESS"):
                with m.If(there):
                    m.d.sync += [self.address.eq(word), *onward(), waited.eq(0)]
                    m.next = "ASK"
                    with m.If(kind == Step.POLL):
                        m.next = "MASK"
            with m.State("MASK"):
                with m.If(there):
                    m.d.sync += [mask.eq(word), *onward()]
                    m.next = "ASK"
            with m.State("ASK"):
                m.d.comb += self.bus.request.valid.eq(there)
                with m.If(there & self.bus.request.ready):
                    m.next = "ANSWER"
            with m.State("ANSWER"):
                with m.If(self.bus.done):
                    m.d.sync += self.found.eq(self.bus.data)
                    m.next = "LOOK"
                    with m.If(self.bus.error):
                        m.d.sync += [self.running.eq(0), self.result.eq(Result.SILENT)]
                        m.next = "ENDED"
            with m.State("LOOK"):
                with m.If((kind == Step.POLL) & ((self.found & mask) != word)):
                    m.next = "ASK"
                    with m.If(waited[-1]):
                        m.d.sync += [self.running.eq(0), self.result.eq(Result.SILENT)]
                        m.next = "ENDED"
                with m.Elif((kind == Step.CHECK) & (self.found != word)):
                    m.d.sync += [self.running.eq(0), self.result.eq(Result.WRONG)]
                    m.next = "ENDED"
                with m.Else():
                    m.d.sync += [*onward(), left.eq(left - 1)]
                    m.next = "KIND"
                    with m.If((kind != Step.POLL) & (left != 1)):
                        m.d.sync += self.address.eq(self.address + 4)
                        m.next = "ASK"
            with m.State("ENDED"):
                with m.If(self.start):
                    m.d.sync += [
                        place.eq(0), there.eq(0), self.running.eq(1), self.result.eq(Result.NOT_RUN)
                    ]  # fmt: skip
                    m.next = "KIND"
        return m
