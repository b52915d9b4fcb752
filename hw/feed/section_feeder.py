"""Operands that the core takes just as they lie in memory: V, U, biases."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from sevedo.gen.config.operands import Operand
from sevedo.hw.unit import Unit

from .reads import held_valid, reads


def section_command() -> data.StructLayout:
    """So many sections of so many beats; nothing where one of them is 0."""
    return data.StructLayout({"sections": 24, "count": 24})


class SectionFeeder(Unit):
    """Gives sections of an operand to the core, beat after beat.

    Timing: a beat a cycle while beats are there and taken; a beat is offered `LATENCY` cycles after it is available.
    Numerics: none, bits are moved.

    Parameters
    ----------
    operand : what is given
    section : beats after which a section ends too, in what the command counts as one; None: only where it ends

    Members
    -------
    command : In(stream of section_command)
    source : Out(reads), its buffer
    beats : Out(stream of unsigned(operand.width))
    """

    LATENCY = 1

    def __init__(self, operand: Operand, section: int | None = None) -> None:
        self.operand = operand
        self.section = section
        super().__init__(
            {
                "command": In(stream.Signature(section_command())),
                "source": Out(reads(operand)),
                "beats": Out(stream.Signature(unsigned(operand.width))),
            }
        )

    @property
    def module_name(self) -> str:
        return f"section_feeder_{self.operand.name}"

    def build(self) -> Module:
        m = Module()
        work, source = self.command.p, self.source
        index = Signal.like(work.count)
        done = Signal.like(work.sections)
        go = Signal()
        last = index + 1 == work.count
        nothing = (work.sections == 0) | (work.count == 0)
        free = held_valid(m, self.beats.valid, self.beats.ready, go)
        m.d.comb += [
            go.eq(self.command.valid & ~nothing & source.available & free),
            self.command.ready.eq(nothing | (go & last & (done + 1 == work.sections))),
            source.enable.eq(go),
            source.advance.eq(go),
            source.step.eq(1),
            source.last.eq(last),
            self.beats.p.eq(source.beat),
        ]
        if self.section is not None:
            place = Signal(range(max(self.section, 2)))
            ends = last | (place == self.section - 1)
            m.d.comb += source.last.eq(ends)
            with m.If(go):
                m.d.sync += place.eq(Mux(ends, 0, place + 1))
        with m.If(go):
            m.d.sync += index.eq(Mux(last, 0, index + 1))
            with m.If(last):
                m.d.sync += done.eq(Mux(self.command.ready, 0, done + 1))
        return m
