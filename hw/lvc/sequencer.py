"""The steps of the vector core through a layer."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib import enum, stream
from amaranth.lib.data import StructLayout
from amaranth.lib.wiring import In, Out

from sevedo.hw.unit import Unit


class Step(enum.Enum, shape=2):
    """What the lanes do in a step."""

    PROJECT = 0  # z = V x', one input index
    EXPAND = 1  # L = U z, one rank
    RESIDUAL = 2  # add the residual sum
    BIAS = 3  # add the bias: the output is complete


class LvcSequencer(Unit):
    """Walks through the phases of every tile; every pass over the token slots is one index of a sum.

    For every column tile: PROJECT for every block of ranks and every input; then for every row tile: EXPAND for every
    rank, RESIDUAL, BIAS. With rank 0 the first two are left out.

    Timing: combinational from `can_*` to `go`; counters step with `go`.

    Parameters
    ----------
    rows : ranks in a block
    slots : token slots
    command : payload layout, see payloads.command

    Members
    -------
    command : In(stream), one for a layer
    can : In(4), one bit for each `Step`: its operands are there and its results have a place
    idle : In(1), nothing is on its way through the lanes
    go : Out(1), a step is made; the following are meaningful with it
    step : Out(Step)
    slot : Out(range(slots)), last_slot : Out(1)
    first : Out(1), first addition to the running sum; last : Out(1), last one to a z
    block, element : Out, block of ranks and rank within it (EXPAND; for PROJECT the block alone)
    """

    def __init__(self, rows: int, slots: int, command: StructLayout) -> None:
        self.rows = rows
        self.slots = slots
        self.layout = command
        super().__init__(
            {
                "command": In(stream.Signature(command)),
                "can": In(4),
                "idle": In(1),
                "go": Out(1),
                "step": Out(Step),
                "slot": Out(range(max(slots, 2))),
                "last_slot": Out(1),
                "first": Out(1),
                "last": Out(1),
                "block": Out(command["rank_blocks"].shape),
                "element": Out(range(max(rows, 2))),
            }
        )

    @property
    def module_name(self) -> str:
        return "lvc_sequencer"

    def build(self) -> Module:
        m = Module()
        layer = self.command.p
        index = Signal(max(len(layer.inputs), len(layer.rank)))
        row_tile = Signal.like(layer.row_tiles)
        col_tile = Signal.like(layer.col_tiles)
        started = Signal()  # a column tile is under way
        drained = Signal()  # z is complete in its buffer
        next_pass = self.go & self.last_slot
        last_index = index + 1 == Mux(self.step == Step.PROJECT, layer.inputs, layer.rank)

        m.d.comb += [
            self.last_slot.eq(self.slot == self.slots - 1),
            self.go.eq(
                started
                & self.can.bit_select(self.step.as_value(), 1)
                & ((self.step != Step.EXPAND) | drained)
            ),
            self.last.eq((self.step == Step.PROJECT) & last_index),
        ]
        with m.Switch(self.step):
            with m.Case(Step.PROJECT, Step.EXPAND):
                m.d.comb += self.first.eq(index == 0)
            with m.Case(Step.RESIDUAL):
                m.d.comb += self.first.eq(layer.rank == 0)
        with m.If(self.go):
            m.d.sync += self.slot.eq(Mux(self.last_slot, 0, self.slot + 1))
        with m.If(self.idle & (self.step == Step.EXPAND)):
            m.d.sync += drained.eq(1)

        with m.If(~started):
            with m.If(self.command.valid):
                m.d.sync += [
                    started.eq(1),
                    drained.eq(0),
                    self.step.eq(Mux(layer.rank == 0, Step.RESIDUAL, Step.PROJECT)),
                ]
        with m.Elif(next_pass):
            m.d.sync += index.eq(index + 1)
            with m.Switch(self.step):
                with m.Case(Step.PROJECT):
                    with m.If(last_index):
                        m.d.sync += [index.eq(0), self.block.eq(self.block + 1)]
                        with m.If(self.block + 1 == layer.rank_blocks):
                            m.d.sync += [self.block.eq(0), self.step.eq(Step.EXPAND)]
                with m.Case(Step.EXPAND):
                    m.d.sync += self.element.eq(self.element + 1)
                    with m.If(self.element == self.rows - 1):
                        m.d.sync += [self.element.eq(0), self.block.eq(self.block + 1)]
                    with m.If(last_index):
                        m.d.sync += [
                            index.eq(0),
                            self.element.eq(0),
                            self.block.eq(0),
                            self.step.eq(Step.RESIDUAL),
                        ]
                with m.Case(Step.RESIDUAL):
                    m.d.sync += [index.eq(0), self.step.eq(Step.BIAS)]
                with m.Case(Step.BIAS):
                    m.d.sync += [
                        index.eq(0),
                        row_tile.eq(row_tile + 1),
                        self.step.eq(Mux(layer.rank == 0, Step.RESIDUAL, Step.EXPAND)),
                    ]
                    with m.If(row_tile + 1 == layer.row_tiles):
                        m.d.sync += [row_tile.eq(0), col_tile.eq(col_tile + 1), started.eq(0)]
                        with m.If(col_tile + 1 == layer.col_tiles):
                            m.d.sync += col_tile.eq(0)
                            m.d.comb += self.command.ready.eq(1)
        return m
