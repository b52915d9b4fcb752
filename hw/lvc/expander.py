"""The second product of the low-rank path."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out, connect, flipped

from sevedo.gen.config import Config
from sevedo.hw.core import payloads
from sevedo.hw.float.pipeline import delayed, held
from sevedo.hw.stream.tile import TileBuffer
from sevedo.hw.unit import Unit

from .lane import VectorLane


class Expander(Unit):
    """L = U z of every group of `lvc_tiles` row tiles: lanes of `rows` times `lvc_tokens` for each of its tiles.

    Each of the `cols / lvc_tokens` slots holds the running sums of its tokens; a pass over the slots is one rank, and
    its column of U stays for the pass. Commands with rank 0 pass without a step.

    Timing: a step a cycle while U and z are there; the last pass of a group waits for the sums of the group before to
    be taken. Sums are offered `latency` cycles after the last step of their group.
    Numerics: docs/numerics.md, low-rank path.

    Parameters
    ----------
    config : sizes and formats

    Members
    -------
    command : In(stream of payloads.command), one for a layer
    u : In(stream of payloads.numbers, lvc_tiles * rows)
    available : In(1), z of the column tile is complete
    free : Out(1), the last step of a column tile: its z is not needed any more
    slot, block, element : Out, which z are needed: token slot, block of ranks, rank within it
    z : In(payloads.numbers, lvc_tokens), these, in the same cycle
    sums : Out(stream of payloads.sums), `cols / output_tokens` beats for each tile of a group
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        super().__init__(
            {
                "command": In(stream.Signature(payloads.command(config))),
                "u": In(stream.Signature(payloads.numbers(config, config.lvc_tiles * config.rmc.rows))),
                "available": In(1),
                "free": Out(1),
                "slot": Out(range(max(config.rmc.cols // config.lvc_tokens, 2))),
                "block": Out(payloads.command(config)["rank_blocks"].shape),
                "element": Out(range(max(config.lvc.ranks, 2))),
                "z": In(payloads.numbers(config, config.lvc_tokens)),
                "sums": Out(stream.Signature(payloads.sums(config))),
            }
        )

    @property
    def module_name(self) -> str:
        return "expander"

    @property
    def latency(self) -> int:
        """Cycles from the last step of a group of tiles to the first offer of its sums."""
        return self.latency_of(self.config)

    @classmethod
    def latency_of(cls, config: Config) -> int:
        """The same, without making ports."""
        return cls._to_sums(config) + 1

    @classmethod
    def _to_sums(cls, config: Config) -> int:
        """Cycles from a step to its sums."""
        return config.pipeline.operand_registers + cls._lane_of(config).latency

    @staticmethod
    def _lane_of(config: Config) -> VectorLane:
        slots = config.rmc.cols // config.lvc_tokens
        return VectorLane(config.numbers.data_format, slots, rounds=False, pipeline=config.pipeline)

    def build(self) -> Module:
        m = Module()
        config, layer = self.config, self.command.p
        rows, tokens, tiles = config.rmc.rows, config.lvc_tokens, config.lvc_tiles
        slots = config.rmc.cols // tokens
        m.submodules.output = outputs = TileBuffer(
            rows, tiles * config.rmc.cols, tiles * tokens, config.lvc.output_tokens, 32
        )
        connect(m, outputs.tile, flipped(self.sums))

        rank = Signal.like(layer.rank)
        row_tile = Signal(len(layer.row_tiles) + 1)  # passes the last one by less than a group
        col_tile = Signal.like(layer.col_tiles)
        go = Signal()
        last = Signal()
        last_slot = Signal()
        last_group = Signal()
        m.d.comb += [
            last.eq(rank + 1 == layer.rank),
            last_slot.eq(self.slot == slots - 1),
            last_group.eq(row_tile + tiles >= layer.row_tiles),
            # The slots of one tile's last pass share one reservation.
            go.eq(
                self.command.valid
                & (layer.rank != 0)
                & self.available
                & self.u.valid
                & (~last | outputs.room | (self.slot != 0))
            ),
            self.u.ready.eq(go & last_slot),
            outputs.reserve.eq(go & last),
            self.free.eq(go & last_slot & last & last_group),
            self.command.ready.eq((layer.rank == 0) | (self.free & (col_tile + 1 == layer.col_tiles))),
        ]
        with m.If(go):
            m.d.sync += self.slot.eq(Mux(last_slot, 0, self.slot + 1))
        with m.If(go & last_slot):
            m.d.sync += [rank.eq(rank + 1), self.element.eq(self.element + 1)]
            with m.If(self.element == config.lvc.ranks - 1):
                m.d.sync += [self.element.eq(0), self.block.eq(self.block + 1)]
            with m.If(last):
                m.d.sync += [rank.eq(0), self.element.eq(0), self.block.eq(0)]
                m.d.sync += row_tile.eq(Mux(last_group, 0, row_tile + tiles))
        with m.If(self.free):
            m.d.sync += col_tile.eq(Mux(self.command.ready, 0, col_tile + 1))

        m.d.comb += outputs.write.eq(delayed(m, "write", go & last, self._to_sums(config))[-1])
        width = config.numbers.data_format.width
        waits = config.pipeline.operand_registers
        step = [go, *delayed(m, "step", go, waits)][-1]
        first, z, u = held(m, bool(waits), rank == 0, Value.cast(self.z), Value.cast(self.u.p))
        for tile in range(tiles):
            for token in range(tokens):
                for row in range(rows):
                    m.submodules[f"lane_{tile}_{row}_{token}"] = lane = self._lane_of(config)
                    m.d.comb += [
                        lane.a.eq(z.word_select(token, width)),
                        lane.b.eq(u.word_select(tile * rows + row, width)),
                        lane.valid.eq(step),
                        lane.first.eq(first),
                        outputs.block[tile * tokens + token][row].eq(lane.result),
                    ]
        return m
