"""STREAM: operands from DRAM into the buffers in front of the core."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from amaranth.hdl import *
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from sevedo.gen.config import Config
from sevedo.gen.config.operands import operands
from sevedo.hw.bus.payloads import read_request
from sevedo.hw.memory.operand import operand_word
from sevedo.hw.stream.buffer import StreamBuffer
from sevedo.hw.unit import Unit

from .payloads import instruction


class StreamLoader(Unit):
    """Deals the words of a STREAM out to the operands, section after section, bundle after bundle.

    An instruction's words are asked for as soon as it is taken; up to `AHEAD` wait while the words of another come.

    Timing: `request` is valid in the cycle after an instruction's transfer. A word a cycle, also from section to
    section and from instruction to instruction. `done` comes in the cycle after the transfer of the last word to its
    buffer. `data` passes to the operands without a register, `ready` back likewise.
    Numerics: none, bits are moved.

    Parameters
    ----------
    config : sizes and formats

    Members
    -------
    instruction : In(stream of STREAM's fields and its number), its rules hold (sevedo.gen.config.instructions)
    request : Out(stream of read_request), one for each instruction
    data : In(stream of unsigned(bits of the bus)), the words of all requests in order
    <operand> : Out(stream of operand_word), of each operand that there is
    done : Out(1), an instruction is done, in order
    fault : Out(1), with `done`: its words ended within a bundle
    """

    AHEAD = 2

    def __init__(self, config: Config) -> None:
        self.config = config
        self.operands = operands(config)
        self.bus_bits = 8 * config.bus.data_bytes
        super().__init__(
            {
                "instruction": In(stream.Signature(instruction(config, "STREAM"))),
                "request": Out(stream.Signature(read_request(config))),
                "data": In(stream.Signature(unsigned(self.bus_bits))),
                **{
                    name: Out(stream.Signature(operand_word(each, self.bus_bits)))
                    for name, each in self.operands.items()
                },
                "done": Out(1),
                "fault": Out(1),
            }
        )

    @property
    def module_name(self) -> str:
        return "stream_loader"

    def build(self) -> Module:
        m = Module()
        kinds = len(self.operands)
        count_shape = self.instruction.p[f"count_{next(iter(self.operands))}"].shape()
        # `present`: which operands a bundle has; the lowest bit is the first.
        job_layout = data.StructLayout(
            {"words": 32, "counts": data.ArrayLayout(count_shape, kinds), "present": kinds}
        )
        m.submodules.jobs = jobs = StreamBuffer(job_layout, self.AHEAD)
        self._take(m, jobs)

        job: Any = Signal(job_layout, reset_less=True)
        active = Signal()
        words = Signal(32, reset_less=True)  # of the instruction that are still to come
        section = Signal(kinds, reset_less=True)  # whose section it is, one-hot
        left = Signal(count_shape, reset_less=True)  # beats of the section that are still to come
        go = Signal()
        ended = Signal()
        finished = Signal()
        first = Signal(kinds)
        later = Signal(kinds)
        following = Signal(kinds)
        m.d.comb += [
            go.eq(self.data.valid & self.data.ready),
            finished.eq(go & (words == 1)),
            jobs.o.ready.eq(~active | finished),
            first.eq(_lowest(jobs.o.p.present)),
            later.eq(job.present & ~(section | (section - 1))),
            following.eq(_lowest(Mux(later.any(), later, job.present))),
        ]
        beats = self._deal(m, active, section, left, go, ended)
        with m.If(go):
            m.d.sync += [words.eq(words - 1), left.eq(left - beats)]
            with m.If(ended):
                m.d.sync += [section.eq(following), left.eq(_pick(following, job.counts))]
        with m.If(jobs.o.ready):
            m.d.sync += [
                active.eq(jobs.o.valid),
                job.eq(jobs.o.p),
                words.eq(jobs.o.p.words),
                section.eq(first),
                left.eq(_pick(first, jobs.o.p.counts)),
            ]
        m.d.sync += [self.done.eq(finished), self.fault.eq(finished & ~(ended & ~later.any()))]
        return m

    def _take(self, m: Module, jobs: StreamBuffer) -> None:
        """An instruction: a request to the bus, and a job for the words that come."""
        take = Signal()
        counts = [self.instruction.p[f"count_{name}"] for name in self.operands]
        m.d.comb += [
            self.instruction.ready.eq(jobs.i.ready & ~self.request.valid),
            take.eq(self.instruction.valid & self.instruction.ready),
            jobs.i.valid.eq(take),
            jobs.i.p.words.eq(self.instruction.p.words),
            *(jobs.i.p.counts[index].eq(count) for index, count in enumerate(counts)),
            jobs.i.p.present.eq(Cat(count != 0 for count in counts)),
        ]
        with m.If(self.request.ready):
            m.d.sync += self.request.valid.eq(0)
        with m.If(take):
            m.d.sync += [
                self.request.valid.eq(1),
                self.request.p.segment.eq(self.instruction.p.segment),
                self.request.p.offset.eq(self.instruction.p.address),
                self.request.p.words.eq(self.instruction.p.words),
                self.request.p.number.eq(self.instruction.p.number),
            ]

    def _deal(
        self, m: Module, active: Signal, section: Signal, left: Signal, go: Signal, ended: Signal
    ) -> Signal:
        """The current word to its operand; `ended`: it is its section's last. The beats that end in it."""
        outs = [getattr(self, name) for name in self.operands]
        in_word = [each.beats_in_word(self.bus_bits) for each in self.operands.values()]
        parts = [each.words_of_beat(self.bus_bits) for each in self.operands.values()]
        most = Signal(bits_for(max(in_word)))
        beats = Signal(bits_for(max(in_word)))
        whole = Signal()
        part = Signal(range(max(parts)))  # words of the beat that were before
        m.d.comb += [
            most.eq(_pick(section, in_word)),
            whole.eq(part == _pick(section, [count - 1 for count in parts])),
            beats.eq(Mux(whole, Mux(left < most, left, most), 0)),
            ended.eq(whole & (left <= most)),
            self.data.ready.eq(active & (section & Cat(out.ready for out in outs)).any()),
        ]
        for index, (out, count) in enumerate(zip(outs, in_word, strict=True)):
            m.d.comb += [
                out.valid.eq(active & section[index] & self.data.valid),
                out.p.data.eq(self.data.p),
                out.p.beats.eq(beats if count > 1 else 1),
            ]
        with m.If(go):
            m.d.sync += part.eq(Mux(whole, 0, part + 1))
        return beats


def _lowest(bits: Value) -> Value:
    """The lowest bit that is set."""
    return bits & -bits


def _pick(section: Value, values: Iterable[Any]) -> Value:
    """The one of `values` that the one-hot `section` names."""
    found: Value = C(0)
    for index, value in enumerate(values):
        found = found | Mux(section[index], value, 0)
    return found
