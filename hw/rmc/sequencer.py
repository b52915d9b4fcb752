"""The beats of a layer, counted: where coarse groups and tiles begin and end."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import *
from amaranth.lib import stream
from amaranth.lib.data import StructLayout
from amaranth.lib.wiring import In, Out

from sevedo.hw.unit import Unit


class RmcSequencer(Unit):
    """Admits operand beats and says where in the layer each stands.

    Timing: combinational from the `*_valid` inputs to `take`; counters step with `take`. Beats begin `START` cycles
    after their command was taken; the next one is taken with the last beat of a layer, without a gap. A beat waits for
    its operands, the last of a coarse group for its scales too, and the last of a tile for room in the sum buffer, so
    that nothing that was taken is ever held up.

    Parameters
    ----------
    beats : beats in a coarse group and pass
    command : payload layout, see payloads.command; it tells whether there are wide codes, which take several passes

    Members
    -------
    command : In(stream), one for a layer
    operands_valid, scales_valid, room : In(1)
    take : Out(1), a beat is taken in this cycle; the following are meaningful with it
    first_beat, last_beat : Out(1), of its coarse group, all passes
    promote : Out(1), this beat is taken and begins digits one place lower; absent without wide codes
    first_group, last_group : Out(1), of its tile
    """

    START = 1

    def __init__(self, beats: int, command: StructLayout) -> None:
        self.beats = beats
        self.layout = command
        self.wide = [name for name in ("wide_activations", "wide_weights") if name in command.members]
        super().__init__(
            {
                "command": In(stream.Signature(command)),
                "operands_valid": In(1),
                "scales_valid": In(1),
                "room": In(1),
                "take": Out(1),
                "first_beat": Out(1),
                "last_beat": Out(1),
                "first_group": Out(1),
                "last_group": Out(1),
            }
            | ({"promote": Out(1)} if self.wide else {})
        )

    @property
    def module_name(self) -> str:
        return "rmc_sequencer"

    def build(self) -> Module:
        m = Module()
        # In registers of its own: whether a beat is taken must not wait for the memory of a command queue.
        work: Any = Signal(self.layout)
        busy = Signal()
        finish = Signal()
        beat = Signal(range(max(self.beats, 2)))
        group = Signal.like(work.coarse_groups)
        row_tile = Signal.like(work.row_tiles)
        col_tile = Signal.like(work.col_tiles)
        only_group = Signal()  # the layer has one group in a tile
        last_group = Signal()  # made a group ahead
        last_row = row_tile + 1 == work.row_tiles
        last_col = col_tile + 1 == work.col_tiles
        first_of_pass, last_of_pass = beat == 0, beat == self.beats - 1
        first_pass, last_pass, next_pass = self._passes(m, work, first_of_pass, last_of_pass)
        m.d.comb += [
            self.command.ready.eq(~busy | finish),
            self.first_beat.eq(first_of_pass & first_pass),
            self.last_beat.eq(last_of_pass & last_pass),
            self.first_group.eq(group == 0),
            self.last_group.eq(last_group),
            self.take.eq(
                busy
                & self.operands_valid
                & (~self.last_beat | (self.scales_valid & (~last_group | self.room)))
            ),
            finish.eq(self.take & self.last_beat & last_group & last_row & last_col),
        ]
        with m.If(self.take):
            m.d.sync += beat.eq(Mux(last_of_pass, 0, beat + 1))
            m.d.sync += next_pass
            with m.If(self.last_beat):
                m.d.sync += [
                    group.eq(Mux(last_group, 0, group + 1)),
                    last_group.eq(Mux(last_group, only_group, group + 2 == work.coarse_groups)),
                ]
                with m.If(last_group):
                    m.d.sync += row_tile.eq(Mux(last_row, 0, row_tile + 1))
                    with m.If(last_row):
                        m.d.sync += col_tile.eq(Mux(last_col, 0, col_tile + 1))
        with m.If(self.command.ready):
            only = self.command.p.coarse_groups == 1
            m.d.sync += [
                busy.eq(self.command.valid),
                work.eq(self.command.p),
                only_group.eq(only),
                last_group.eq(only),
            ]
        return m

    def _passes(
        self, m: Module, work: Any, first_of_pass: Value, last_of_pass: Value
    ) -> tuple[Value, Value, list[Any]]:
        """Whether a beat is of the first pass, of the last one, and how a beat that is taken changes the pass."""
        if not self.wide:
            return Const(1, 1), Const(1, 1), []
        wide = [work[name] for name in self.wide]
        # 1, 2 or 4 passes. Digits get lower with every other one: (high, high); (high, low), (low, high); (low, low).
        number = Signal(len(wide), name="pass_number")
        last = Cat(wide[0] | wide[-1], wide[0] & wide[-1])[: len(wide)]
        m.d.comb += self.promote.eq(self.take & first_of_pass & number[0])
        return number == 0, number == last, [number.eq(Mux(self.last_beat, 0, number + last_of_pass))]
