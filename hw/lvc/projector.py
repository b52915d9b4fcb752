"""The first product of the low-rank path."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from sevedo.gen.config import Config
from sevedo.hw.core import payloads
from sevedo.hw.float.pipeline import delayed, held
from sevedo.hw.unit import Unit

from .lane import VectorLane


class Projector(Unit):
    """z = V x' of every column tile: lanes of `lvc.ranks` ranks times `lvc.tokens` tokens, an input k in a pass.

    The tokens take turns: a pass is a step for each of their `cols / lvc.tokens` slots, and its operands stay for it.

    It runs ahead of everything else, into the next column tile and the next layer, as far as operands and z buffers go.
    Commands with rank 0 pass without a step.

    Timing: a step a cycle while operands are there; the last pass of a block of ranks waits for `room`. z of a slot is
    written `latency` cycles after its step.
    Numerics: docs/numerics.md, low-rank path.

    Parameters
    ----------
    config : sizes and formats

    Members
    -------
    command : In(stream of payloads.command), one for a layer
    token : In(stream of payloads.numbers, cols), x'
    v : In(stream of payloads.numbers, lvc.ranks)
    room : In(1), z of this column tile has a place
    claim : Out(1), the last step of a column tile: the place is taken
    write : Out(1), `z` is that of the ranks of `block`; done : Out(1), it completes the column tile
    slot, block : Out, slot of tokens, block of ranks
    z : Out(ArrayLayout(ArrayLayout(number.width, lvc.ranks), lvc.tokens))
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        number, tokens = config.numbers.data_format, config.rmc.cols
        column = data.ArrayLayout(unsigned(number.width), config.lvc.ranks)
        super().__init__(
            {
                "command": In(stream.Signature(payloads.command(config))),
                "token": In(stream.Signature(payloads.numbers(config, tokens))),
                "v": In(stream.Signature(payloads.numbers(config, config.lvc.ranks))),
                "room": In(1),
                "claim": Out(1),
                "write": Out(1),
                "done": Out(1),
                "slot": Out(range(max(tokens // config.project_tokens, 2))),
                "block": Out(payloads.command(config)["rank_blocks"].shape),
                "z": Out(data.ArrayLayout(column, config.project_tokens)),
            }
        )

    @property
    def module_name(self) -> str:
        return "projector"

    @property
    def latency(self) -> int:
        """Cycles from the last step of a slot and block to writing its z."""
        return self.latency_of(self.config)

    @classmethod
    def latency_of(cls, config: Config) -> int:
        """The same, without making ports."""
        return config.pipeline.operand_registers + cls._lane_of(config).latency

    @staticmethod
    def _lane_of(config: Config) -> VectorLane:
        slots = config.rmc.cols // config.project_tokens
        return VectorLane(config.numbers.data_format, slots, rounds=True, pipeline=config.pipeline)

    def build(self) -> Module:
        m = Module()
        config, layer = self.config, self.command.p
        index = Signal.like(layer.inputs)
        block = Signal.like(self.block)
        col_tile = Signal.like(layer.col_tiles)
        slot = Signal.like(self.slot)
        tokens = config.project_tokens
        slots = config.rmc.cols // tokens
        go = Signal()
        last = Signal()
        last_slot = Signal()
        last_block = block + 1 == layer.rank_blocks
        operands = self.command.valid & (layer.rank != 0) & self.token.valid & self.v.valid
        m.d.comb += [
            last.eq(index + 1 == layer.inputs),
            last_slot.eq(slot == slots - 1),
            # The slots of the last pass share one place.
            go.eq(operands & (~last | self.room | (slot != 0))),
            self.token.ready.eq(go & last_slot),
            self.v.ready.eq(go & last_slot),
            self.claim.eq(go & last & last_slot & last_block),
            self.command.ready.eq((layer.rank == 0) | (self.claim & (col_tile + 1 == layer.col_tiles))),
        ]
        with m.If(go):
            m.d.sync += slot.eq(Mux(last_slot, 0, slot + 1))
        with m.If(go & last_slot):
            m.d.sync += index.eq(Mux(last, 0, index + 1))
        with m.If(go & last & last_slot):
            m.d.sync += block.eq(Mux(last_block, 0, block + 1))
        with m.If(self.claim):
            m.d.sync += col_tile.eq(Mux(self.command.ready, 0, col_tile + 1))

        # What the results of the lanes are, alongside the lanes.
        valid: Value = Cat(go & last, self.claim)
        place: Value = Cat(slot, block)
        for stage in range(self.latency):
            valids = Signal(2, name=f"valid_{stage}")
            places = Signal(len(place), name=f"place_{stage}", reset_less=True)
            m.d.sync += [valids.eq(valid), places.eq(place)]
            valid, place = valids, places
        m.d.comb += [Cat(self.write, self.done).eq(valid), Cat(self.slot, self.block).eq(place)]

        inputs = Value.cast(self.token.p).word_select(slot, tokens * config.numbers.data_format.width)
        waits = config.pipeline.operand_registers
        step = [go, *delayed(m, "step", go, waits)][-1]
        first, inputs, ranks = held(m, bool(waits), index == 0, inputs, Value.cast(self.v.p))
        for token in range(tokens):
            for rank in range(config.lvc.ranks):
                m.submodules[f"lane_{rank}_{token}"] = lane = self._lane_of(config)
                m.d.comb += [
                    lane.a.eq(inputs.word_select(token, config.numbers.data_format.width)),
                    lane.b.eq(ranks.word_select(rank, config.numbers.data_format.width)),
                    lane.valid.eq(step),
                    lane.first.eq(first),
                    self.z[token][rank].eq(lane.result),
                ]
        return m
