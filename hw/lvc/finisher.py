"""The sum of everything: residual path, low-rank path, bias."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from sevedo.gen.config import Config
from sevedo.hw.core import payloads
from sevedo.hw.unit import Unit

from .output import OutputLane


class Finisher(Unit):
    """The outputs of a layer, `output_tokens` tokens of `rows` outputs in a cycle.

    Timing: a beat a cycle while all that it needs is there and outputs are taken; outputs are offered `latency` cycles
    after what they are made of was taken, and `class_latency` more if the layer has one of the integer classes. Where
    the last group of row tiles is not full, the low-rank sums of the missing tiles are dropped, a beat a cycle.
    Numerics: docs/numerics.md, the sum.

    Parameters
    ----------
    config : sizes and formats

    Members
    -------
    command : In(stream of payloads.command), one for a layer
    residual : In(stream of payloads.sums), of every tile
    low_rank : In(stream of payloads.sums), of every group of row tiles unless the rank is 0
    low_rank_<class> : In(stream of payloads.sums), of every tile of layers with that integer class
    bias : In(stream of payloads.numbers, rows), one beat for a tile
    y : Out(stream of payloads.numbers, output_tokens * rows)
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        super().__init__(
            {
                "command": In(stream.Signature(payloads.command(config))),
                "residual": In(stream.Signature(payloads.sums(config))),
                "low_rank": In(stream.Signature(payloads.sums(config))),
                **{
                    f"low_rank_{each.name}": In(stream.Signature(payloads.sums(config)))
                    for each in config.rank_classes
                },
                "bias": In(stream.Signature(payloads.numbers(config, config.rmc.rows))),
                "y": Out(stream.Signature(payloads.outputs(config))),
            }
        )

    @property
    def module_name(self) -> str:
        return "finisher"

    @property
    def latency(self) -> int:
        """Cycles from taking sums to offering their outputs, without integer classes."""
        return self.lane_of(self.config).latency

    @property
    def class_latency(self) -> int:
        """Cycles that a layer with integer classes takes more."""
        return self.lane_of(self.config).class_latency

    @staticmethod
    def lane_of(config: Config) -> OutputLane:
        """The lanes of a configuration, whose latencies are the unit's."""
        return OutputLane(config.numbers.data_format, len(config.rank_classes), config.pipeline)

    def build(self) -> Module:
        m = Module()
        config, layer = self.config, self.command.p
        rows, tokens = config.rmc.rows, config.lvc.output_tokens
        beats = config.rmc.cols // tokens
        beat = Signal(range(max(beats, 2)))
        part = Signal(range(max(config.lvc_tiles, 2)))  # tile of its group
        row_tile = Signal.like(layer.row_tiles)
        col_tile = Signal.like(layer.col_tiles)
        dropping = Signal()
        go = Signal()
        move = Signal()
        added = layer.rank != 0
        classes = [
            (getattr(self, f"low_rank_{each.name}"), layer[f"{each.name}_blocks"] != 0)
            for each in config.rank_classes
        ]
        direct = ~Cat(there for _, there in classes).any()
        early = Signal(self.class_latency)  # what is in the stages of the classes
        entered = Signal()  # what waits before them
        entered_direct = Signal()
        in_classes = early.any() | (entered & ~entered_direct)
        last_beat, last_part = beat == beats - 1, part == config.lvc_tiles - 1
        last_row, last_col = row_tile + 1 == layer.row_tiles, col_tile + 1 == layer.col_tiles
        end_of_rows = go & last_beat & last_row
        m.d.comb += [
            move.eq(~self.y.valid | self.y.ready),
            go.eq(
                self.command.valid
                & ~dropping
                & move
                & self.residual.valid
                & self.bias.valid
                & (~added | self.low_rank.valid)
                & Cat(~there | sums.valid for sums, there in classes).all()
                & ~(direct & in_classes)
            ),
            *(sums.ready.eq(go & there) for sums, there in classes),
            self.residual.ready.eq(go),
            self.low_rank.ready.eq((go & added) | dropping),
            self.bias.ready.eq(go & last_beat),
            self.command.ready.eq(end_of_rows & last_col),
        ]
        with m.If(go | (dropping & self.low_rank.valid)):
            m.d.sync += beat.eq(Mux(last_beat, 0, beat + 1))
            with m.If(last_beat & (dropping | added)):
                m.d.sync += part.eq(Mux(last_part, 0, part + 1))
                with m.If(last_part):
                    m.d.sync += dropping.eq(0)
                with m.Elif(~dropping & last_row):
                    m.d.sync += dropping.eq(1)
        with m.If(go & last_beat):
            m.d.sync += row_tile.eq(Mux(last_row, 0, row_tile + 1))
        with m.If(end_of_rows):
            m.d.sync += col_tile.eq(Mux(last_col, 0, col_tile + 1))

        # A layer without classes passes by the stages of the classes, once what is in them has gone on.
        waits = self.lane_of(config).entry_latency
        valids = Signal(self.latency - waits)
        begun, begun_direct = (entered, entered_direct) if waits else (go, direct)
        entering = (begun & begun_direct) | early[-1] if classes else begun
        with m.If(move):
            m.d.sync += [early.eq(Cat(begun & ~begun_direct, early)), valids.eq(Cat(entering, valids))]
            if waits:
                m.d.sync += [entered.eq(go), entered_direct.eq(direct)]
        m.d.comb += self.y.valid.eq(valids[-1])
        for token in range(tokens):
            for row in range(rows):
                m.submodules[f"lane_{row}_{token}"] = lane = self.lane_of(config)
                m.d.comb += [
                    lane.residual.eq(self.residual.p[token][row]),
                    lane.low_rank.eq(Mux(added, self.low_rank.p[token][row], 0)),
                    lane.bias.eq(self.bias.p[row]),
                    lane.enable.eq(move),
                    self.y.p[token * rows + row].eq(lane.result),
                    *([lane.direct.eq(~early[-1 - waits])] if classes else []),
                    *(
                        getattr(lane, f"class_{i}").eq(Mux(there, sums.p[token][row], 0))
                        for i, (sums, there) in enumerate(classes)
                    ),
                ]
        return m
