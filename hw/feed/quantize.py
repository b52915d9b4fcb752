"""QUANTIZE: numbers of IOMEM to codes and scales in the code memories."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import *
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from sevedo.gen.config import Config
from sevedo.gen.config.instructions import code_groups
from sevedo.hw.core import payloads
from sevedo.hw.float import Multiply
from sevedo.hw.float.pipeline import later
from sevedo.hw.memory.activations import read_one
from sevedo.hw.quantizer.coder import code_beats
from sevedo.hw.quantizer.quantizer import ActivationQuantizer
from sevedo.hw.quantizer.rule import ActivationRule
from sevedo.hw.stream.buffer import StreamBuffer
from sevedo.hw.unit import Unit

STAGES = 2


def digits_made(config: Config) -> tuple[int, ...]:
    """Digits of the codes that a processor makes: one; two as well where something reads such codes."""
    return (1, 2) if config.rank_classes or config.rmc.activation_passes > 1 else (1,)


def quantize_command(config: Config) -> data.StructLayout:
    """Fields of QUANTIZE."""
    return data.StructLayout(
        {"row": 16, "tokens": 16, "inputs": 24, "groups": 16, "multiplier_row": 16, "group": 16}
    )


class QuantizeUnit(Unit):
    """Reads token after token from IOMEM, multiplies by the smoothing multipliers, and quantizes, to one digit and to
    two at once.

    Timing: `lanes` numbers a cycle while IOMEM answers; `done` when the last code and scale of an instruction is being
    written, `latency` cycles after its last read. One instruction at a time.
    Numerics: docs/numerics.md, Input and Quantization of a row; numbers from `inputs` on count as 0.

    Parameters
    ----------
    config : sizes and formats

    Members
    -------
    instruction : In(stream of quantize_command)
    done : Out(1)
    one, one_numbers, one_multipliers : an `ActivationMemory`'s
    write_<digits>, token_<digits>, beat_<digits>, codes_<digits> : Out, write ports of a `CodeMemory`, for each of
        `digits_made`; write_scale_<digits>, scale_token_<digits>, group_<digits>, scale_<digits> likewise
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        # A cycle for the memory, and one before the multipliers where the section `pipeline` asks for it.
        self.fetch = 2 if config.pipeline.quantize > 1 else 1
        self.depth = STAGES + self.fetch + 2
        numbers = payloads.numbers(config, config.rmc.lanes)
        members: dict[str, Any] = {
            "instruction": In(stream.Signature(quantize_command(config))),
            "done": Out(1),
            "one": Out(stream.Signature(read_one(config))),
            "one_numbers": In(numbers),
            "one_multipliers": In(numbers),
        }
        token, group = max((config.rmc.cols - 1).bit_length(), 1), (code_groups(config) - 1).bit_length()
        for digits in digits_made(config):
            members |= {
                f"write_{digits}": Out(1),
                f"token_{digits}": Out(token),
                f"beat_{digits}": Out(max((code_groups(config) * config.beats - 1).bit_length(), 1)),
                f"codes_{digits}": Out(code_beats(ActivationRule.of(config, digits), config.rmc.lanes)),
                f"write_scale_{digits}": Out(1),
                f"scale_token_{digits}": Out(token),
                f"group_{digits}": Out(max(group, 1)),
                f"scale_{digits}": Out(config.groups.scale_format.width),
            }
        super().__init__(members)

    @property
    def module_name(self) -> str:
        return "quantize_unit"

    @property
    def latency(self) -> int:
        """Cycles from the last read of an instruction until it is done: memory, product, queue, and a coarse group."""
        units = [
            ActivationQuantizer(self.config, digits, smoothing=False) for digits in digits_made(self.config)
        ]
        waiting = self.fetch + STAGES + StreamBuffer.LATENCY
        return waiting + max(unit.latency for unit in units) + self.config.beats - 1

    def build(self) -> Module:
        m = Module()
        config = self.config
        number, lanes = config.numbers.data_format, config.rmc.lanes
        m.submodules.waiting = waiting = StreamBuffer(payloads.numbers(config, lanes), self.depth)
        issued = self._reads(m, waiting)

        # x' is masked, not x: what lies behind the inputs may be anything, and so may its multiplier.
        there, mask = issued
        numbers = []
        for lane in range(lanes):
            m.submodules[f"smooth_{lane}"] = unit = Multiply(number, number, number, stages=STAGES)
            a, b = self.one_numbers[lane], self.one_multipliers[lane]
            m.d.comb += [
                unit.a.eq(later(m, f"number_{lane}", a, self.fetch - 1)),
                unit.b.eq(later(m, f"multiplier_{lane}", b, self.fetch - 1)),
            ]
            numbers.append(Mux(mask[lane], unit.result, 0))
        m.d.comb += [waiting.i.valid.eq(there), Value.cast(waiting.i.p).eq(Cat(*numbers))]

        finished, quantizers = [], []
        for digits in digits_made(config):
            unit = ActivationQuantizer(config, digits, smoothing=False)
            m.submodules[f"quantizer_{digits}"] = unit
            quantizers.append(unit)
            finished += self._writes(m, unit, digits)
        ready = Cat(unit.x.ready for unit in quantizers).all()
        m.d.comb += waiting.o.ready.eq(ready)
        for unit in quantizers:
            m.d.comb += [unit.x.p.eq(waiting.o.p), unit.x.valid.eq(waiting.o.valid & ready)]
        m.d.comb += self.done.eq(self.instruction.valid & Cat(finished).all())
        m.d.comb += self.instruction.ready.eq(self.done)
        return m

    def _reads(self, m: Module, waiting: StreamBuffer) -> tuple[Value, Value]:
        """Read requests; when a product is there, and which of its numbers count."""
        config, work = self.config, self.instruction.p
        lanes, beats = config.rmc.lanes, config.beats
        token = Signal.like(work.tokens)
        group = Signal.like(work.groups)
        beat = Signal(range(max(beats, 2)))
        row = Signal(16)
        left = Signal(24)
        all_read = Signal()
        first = (group == 0) & (beat == 0)
        now = Mux(first, work.inputs, left)
        place = Mux(first, 0, row)
        go = self.one.valid & self.one.ready
        last = Signal()
        places = Signal(range(self.depth + 1), init=self.depth)
        taken = waiting.o.valid & waiting.o.ready
        m.d.sync += places.eq(places - go + taken)
        m.d.comb += [
            self.one.valid.eq(self.instruction.valid & ~all_read & (places != 0)),
            self.one.p.bank.eq(token),
            self.one.p.row.eq(work.row + place),
            self.one.p.multiplier_row.eq(work.multiplier_row + place),
            last.eq((beat == beats - 1) & (group + 1 == work.groups)),
        ]
        with m.If(go):
            m.d.sync += [
                row.eq(place + 1),
                left.eq(Mux(now <= lanes, 0, now - lanes)),
                beat.eq(Mux(beat == beats - 1, 0, beat + 1)),
            ]
            with m.If(beat == beats - 1):
                m.d.sync += group.eq(Mux(last, 0, group + 1))
            with m.If(last):
                m.d.sync += token.eq(token + 1)
                m.d.sync += all_read.eq(token + 1 == work.tokens)
        with m.If(self.done):
            m.d.sync += [all_read.eq(0), token.eq(0)]
        there: Value = go
        mask: Value = Cat(now > lane for lane in range(lanes))
        for stage in range(self.fetch + STAGES):
            next_there = Signal(name=f"there_{stage}")
            next_mask = Signal(lanes, name=f"mask_{stage}", reset_less=True)
            m.d.sync += [next_there.eq(there), next_mask.eq(mask)]
            there, mask = next_there, next_mask
        return there, mask

    def _writes(self, m: Module, unit: ActivationQuantizer, digits: int) -> list[Value]:
        """Codes and scales to where they belong; whether the last ones were, or are, written."""
        work, beats = self.instruction.p, self.config.beats
        port = {
            name: getattr(self, f"{name}_{digits}")
            for name in ("write", "token", "beat", "codes", "write_scale", "scale_token", "group", "scale")
        }
        total = Signal(32, name=f"beats_{digits}")
        m.d.comb += total.eq(work.groups * beats)
        m.d.comb += [
            unit.codes.ready.eq(1),
            unit.values.ready.eq(1),
            unit.scale.ready.eq(1),
            port["write"].eq(unit.codes.valid),
            port["codes"].eq(unit.codes.p),
            port["write_scale"].eq(unit.scale.valid),
            port["scale"].eq(unit.scale.p),
        ]
        beat, beat_token, codes_done = self._walk(m, f"codes_{digits}", unit.codes.valid, total)
        group, group_token, scales_done = self._walk(m, f"scales_{digits}", unit.scale.valid, work.groups)
        m.d.comb += [
            port["beat"].eq(work.group * beats + beat),
            port["token"].eq(beat_token),
            port["group"].eq(work.group + group),
            port["scale_token"].eq(group_token),
        ]
        return [codes_done, scales_done]

    def _walk(self, m: Module, name: str, go: Value, count: Value) -> tuple[Value, Value, Value]:
        """Place in a row, token, and whether the last one was there or is: `count` to a row."""
        work = self.instruction.p
        place = Signal(len(count), name=f"{name}_place")
        token = Signal.like(work.tokens, name=f"{name}_token")
        was = Signal(name=f"{name}_was")
        last = Signal(name=f"{name}_last")
        m.d.comb += last.eq(go & (place + 1 == count) & (token + 1 == work.tokens))
        with m.If(go):
            m.d.sync += place.eq(place + 1)
            with m.If(place + 1 == count):
                m.d.sync += [place.eq(0), token.eq(token + 1)]
        m.d.sync += was.eq((was | last) & ~self.done)
        with m.If(self.done):
            m.d.sync += token.eq(0)
        return place, token, was | last
