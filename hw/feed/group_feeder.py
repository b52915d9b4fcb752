"""Both operands of an array, coarse group after coarse group."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import *
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from sevedo.gen.config import Config
from sevedo.gen.config.operands import operands
from sevedo.hw.core import payloads
from sevedo.hw.quantizer.coder import code_beats
from sevedo.hw.quantizer.rule import ActivationRule
from sevedo.hw.unit import Unit

from .reads import held_valid, reads


def group_command(config: Config) -> data.StructLayout:
    """Row tiles, coarse groups, the first of them in the code memory, and which codes have two digits."""
    return data.StructLayout({"tiles": 24, "groups": 16, "group": 16, "wide_x": 1, "wide_w": 1})


class GroupFeeder(Unit):
    """Reads codes and scales of activations from a code memory, those of weights from their operand buffers, and gives
    them to an array in the order of hw/core/payloads.py.

    What is there once is given as often as it is needed: a coarse group's activations for every tile, its beats of one
    digit for every digit of the other side, the numbers of fine groups for every pass.

    Timing: a beat a cycle while weights are there and beats are taken; a beat is offered `LATENCY` cycles after it is
    available. `done` with the last beat that is read.
    Numerics: none, bits are moved.

    Parameters
    ----------
    config : sizes and formats
    projection : whether the array is that of the integer classes; else that of the residual path

    Members
    -------
    command : In(stream of group_command), tiles of at least 1
    done : Out(1)
    read, read_beat, beats, read_scale, read_group, scales : a `CodeMemory`'s; with projection that of two digits
    wide_beats, wide_scales : In, of the memory with two digits, where residual codes may have them; read like the other
    w, w_scale, w_fine : Out(reads), the operand buffers; no `w_fine` where there are no such numbers
    x, x_scale, weights, weight_scales : Out(stream), the array's operands
    starved, blocked : Out(1), there is work but no operand; no place for it
    """

    LATENCY = 1

    def __init__(self, config: Config, projection: bool) -> None:
        self.config = config
        self.projection = projection
        self.array = config.projection if projection else config
        self.wide = not projection and config.rmc.activation_passes > 1
        there, prefix = operands(config), "int_v" if projection else "w"
        self.operands = {
            name: there[f"{prefix}{name[1:]}"]
            for name in ("w", "w_scale", "w_fine")
            if f"{prefix}{name[1:]}" in there
        }
        cols, rows = config.rmc.cols, self.array.rmc.rows
        beats = self._codes(2 if projection else 1)
        members: dict[str, Any] = {
            "command": In(stream.Signature(group_command(config))),
            "done": Out(1),
            "read": Out(1),
            "read_beat": Out(32),
            "beats": In(beats),
            "read_scale": Out(1),
            "read_group": Out(17),
            "scales": In(payloads.scales(config, cols)),
            "x": Out(stream.Signature(payloads.activations(self.array))),
            "x_scale": Out(stream.Signature(payloads.scales(config, cols))),
            "weights": Out(stream.Signature(payloads.weights(self.array))),
            "weight_scales": Out(stream.Signature(payloads.scales(config, rows))),
            "starved": Out(1),
            "blocked": Out(1),
        }
        if self.wide:
            members |= {
                "wide_beats": In(self._codes(2)),
                "wide_scales": In(payloads.scales(config, cols)),
            }
        members |= {name: Out(reads(each)) for name, each in self.operands.items()}
        super().__init__(members)

    def _codes(self, digits: int) -> data.ArrayLayout:
        rule = ActivationRule.of(self.config, digits)
        return data.ArrayLayout(code_beats(rule, self.config.rmc.lanes), self.config.rmc.cols)

    @property
    def module_name(self) -> str:
        return f"group_feeder_{'projection' if self.projection else 'residual'}"

    def build(self) -> Module:
        m = Module()
        per_group, work = self.config.beats, self.command.p
        # A bundle holds the row tiles that are expanded at once, and ends a section.
        in_section = 1 if self.projection else self.config.lvc_tiles
        beat = Signal(range(max(per_group, 2)))
        number = Signal(2, name="pass_number")
        group = Signal.like(work.groups)
        tile = Signal.like(work.tiles)
        place = Signal(range(max(in_section, 2)))
        both = work.wide_x & work.wide_w
        x_low = Mux(both, number[1], work.wide_x & number[0])
        w_low = work.wide_w & number[0]
        last_beat = beat == per_group - 1
        last_pass = number == Mux(both, 3, work.wide_x | work.wide_w)
        last_group, last_tile = group + 1 == work.groups, tile + 1 == work.tiles
        end = Signal()  # of a coarse group
        go = Signal()
        there = Signal()
        free = Signal()
        scale_free = held_valid(m, self.x_scale.valid, self.x_scale.ready, go & end)
        weight_scale_free = held_valid(m, self.weight_scales.valid, self.weight_scales.ready, go & end)
        x_free = held_valid(m, self.x.valid, self.x.ready, go)
        w_free = held_valid(m, self.weights.valid, self.weights.ready, go)
        fine = [self.w_fine] if "w_fine" in self.operands else []
        m.d.comb += [
            end.eq(last_beat & last_pass),
            there.eq(
                self.w.available
                & Cat(each.available for each in fine).all()
                & (~end | self.w_scale.available)
            ),
            free.eq(x_free & w_free & (~end | (scale_free & weight_scale_free))),
            go.eq(self.command.valid & there & free),
            self.starved.eq(self.command.valid & ~there),
            self.blocked.eq(self.command.valid & there & ~free),
            self.done.eq(go & end & last_group & last_tile),
            self.command.ready.eq(self.done),
            self.read.eq(go),
            self.read_beat.eq((work.group + group) * per_group + beat),
            self.read_scale.eq(go & end),
            self.read_group.eq(work.group + group),
        ]
        last = last_group & (last_tile | (place == in_section - 1))
        for port, offset, enable, step in (
            (self.w, beat + Mux(w_low, per_group, 0), go, per_group << work.wide_w),
            *((each, beat, go, per_group) for each in fine),
            (self.w_scale, 0, go & end, 1),
        ):
            m.d.comb += [
                port.offset.eq(offset),
                port.enable.eq(enable),
                port.advance.eq(go & end),
                port.step.eq(step),
                port.last.eq(last),
            ]
        with m.If(go):
            m.d.sync += beat.eq(Mux(last_beat, 0, beat + 1))
            with m.If(last_beat):
                m.d.sync += number.eq(Mux(last_pass, 0, number + 1))
        with m.If(go & end):
            m.d.sync += group.eq(Mux(last_group, 0, group + 1))
            with m.If(last_group):
                m.d.sync += [
                    tile.eq(Mux(last_tile, 0, tile + 1)),
                    place.eq(Mux(last_tile | (place == in_section - 1), 0, place + 1)),
                ]
        self._beats(m, go, go & end, x_low)
        return m

    def _beats(self, m: Module, go: Value, scales_go: Value, x_low: Value) -> None:
        """What was read, as the array takes it."""
        fine = payloads.FINE_FIELD[self.config.groups.level]
        low = Signal(reset_less=True)
        wide = Signal(reset_less=True)
        wide_scale = Signal(reset_less=True)  # scales may wait while beats of the next layer go
        with m.If(go):
            m.d.sync += [low.eq(x_low), wide.eq(self.command.p.wide_x)]
        with m.If(scales_go):
            m.d.sync += wide_scale.eq(self.command.p.wide_x)
        for token, beat in enumerate(self.beats):
            for lane, code in enumerate(beat.codes):
                digit: Value = Mux(low, code[0], code[1]) if self.projection else code[0]
                if self.wide:
                    other = self.wide_beats[token].codes[lane]
                    digit = Mux(wide, Mux(low, other[0], other[1]), digit)
                m.d.comb += self.x.p.codes[token][lane].eq(digit)
            if self.config.groups.activation_fine_bits:
                number = beat.number
                if self.wide:
                    number = Mux(wide, self.wide_beats[token].number, number)
                m.d.comb += self.x.p[fine][token].eq(number)
        scales = Value.cast(self.scales)
        if self.wide:
            scales = Mux(wide_scale, Value.cast(self.wide_scales), scales)
        m.d.comb += [
            Value.cast(self.x_scale.p).eq(scales),
            Value.cast(self.weights.p.codes).eq(self.w.beat),
            Value.cast(self.weight_scales.p).eq(self.w_scale.beat),
        ]
        if "w_fine" in self.operands:
            m.d.comb += Value.cast(self.weights.p[fine]).eq(self.w_fine.beat)
