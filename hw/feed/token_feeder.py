"""x' for the first product of the low-rank path, an input k of all tokens a cycle."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out, connect, flipped

from sevedo.gen.config import Config
from sevedo.gen.config.instructions import multiplier_rows
from sevedo.hw.core import payloads
from sevedo.hw.float import Multiply
from sevedo.hw.float.pipeline import later
from sevedo.hw.stream.buffer import StreamBuffer
from sevedo.hw.unit import Unit

STAGES = 2


def token_command(config: Config) -> data.StructLayout:
    """Where x and multipliers begin, how many inputs, and how often: once for each block of ranks."""
    return data.StructLayout({"row": 16, "multiplier_row": 16, "inputs": 24, "blocks": 16})


class TokenFeeder(Unit):
    """Reads rows of all banks of IOMEM, and gives x' = DATA(x * m), input after input, for each block of ranks.

    Timing: a beat a cycle while beats are taken, the first one `latency` cycles after the command came. `done` with the
    last row that is read.
    Numerics: docs/numerics.md, Input.

    Parameters
    ----------
    config : sizes and formats

    Members
    -------
    command : In(stream of token_command)
    done : Out(1)
    all, all_row, all_multiplier_row, all_numbers, all_multipliers : an `ActivationMemory`'s
    token : Out(stream of payloads.numbers, cols)
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        # A register at the operands where the section `pipeline` asks for one behind the memory.
        self.stages = STAGES + int(config.pipeline.quantize > 1)
        self.depth = self.stages + 3
        numbers = payloads.numbers(config, config.rmc.lanes)
        rows, multipliers = config.iomem_rows, multiplier_rows(config)
        super().__init__(
            {
                "command": In(stream.Signature(token_command(config))),
                "done": Out(1),
                "all": Out(1),
                "all_row": Out(max((rows - 1).bit_length(), 1)),
                "all_multiplier_row": Out((multipliers - 1).bit_length()),
                "all_numbers": In(data.ArrayLayout(numbers, config.rmc.cols)),
                "all_multipliers": In(numbers),
                "token": Out(stream.Signature(payloads.numbers(config, config.rmc.cols))),
            }
        )

    @property
    def module_name(self) -> str:
        return "token_feeder"

    @property
    def latency(self) -> int:
        """Cycles from a command to the first beat."""
        return 2 + self.stages + StreamBuffer.LATENCY

    def build(self) -> Module:
        m = Module()
        config, work = self.config, self.command.p
        lanes, number = config.rmc.lanes, config.numbers.data_format
        # A row is fetched while the last of the row before goes on, if that has a place; what is fetched stays.
        row = Signal(16)
        left = Signal(24)
        block = Signal(16)
        running = Signal()
        fetch = Signal()
        fresh = Signal()
        have = Signal()
        go = Signal()
        lane = Signal(range(max(lanes, 2)))
        here = Signal(24)  # inputs from this row on
        last_lane = (lane == lanes - 1) | (here == lane + 1)
        last_row, last_block = left <= lanes, block + 1 == work.blocks
        m.submodules.waiting = waiting = StreamBuffer(payloads.numbers(config, config.rmc.cols), self.depth)
        places = Signal(range(self.depth + 1), init=self.depth)
        taken = waiting.o.valid & waiting.o.ready
        m.d.sync += places.eq(places - go + taken)
        m.d.comb += [
            go.eq(have & (places != 0)),
            fetch.eq(running & (~have | (go & last_lane))),
            self.all.eq(fetch),
            self.all_row.eq(work.row + row),
            self.all_multiplier_row.eq(work.multiplier_row + row),
            self.done.eq(fetch & last_row & last_block),
        ]
        # Layers without ranks in floating point pass, and are done all the same.
        starting = self.command.valid & ~running
        with m.If(starting & (work.blocks == 0)):
            m.d.comb += [self.done.eq(1), self.command.ready.eq(1)]
        with m.Elif(starting):
            m.d.sync += [running.eq(1), row.eq(0), left.eq(work.inputs), block.eq(0)]
        with m.If(fetch):
            m.d.sync += [row.eq(row + 1), left.eq(left - lanes), here.eq(left), lane.eq(0)]
            with m.If(last_row):
                m.d.sync += [row.eq(0), left.eq(work.inputs), block.eq(block + 1)]
                with m.If(last_block):
                    m.d.sync += running.eq(0)
                    m.d.comb += self.command.ready.eq(1)
        with m.Elif(go):
            m.d.sync += lane.eq(lane + 1)
        m.d.sync += [fresh.eq(fetch), have.eq(fetch | (have & ~(go & last_lane)))]

        stays = [
            Signal.like(Value.cast(each), reset_less=True)
            for each in (*self.all_numbers, self.all_multipliers)
        ]
        rows = [Value.cast(each) for each in (*self.all_numbers, self.all_multipliers)]
        chosen = []
        for place, (kept, now) in enumerate(zip(stays, rows, strict=True)):
            with m.If(fresh):
                m.d.sync += kept.eq(now)
            found = Signal(number.width)
            m.d.comb += found.eq(Mux(fresh, now[: number.width], kept.word_select(lane, number.width)))
            chosen.append(later(m, f"operand_{place}", found, self.stages - STAGES))
        products = []
        for token, x in enumerate(chosen[:-1]):
            m.submodules[f"smooth_{token}"] = unit = Multiply(number, number, number, stages=STAGES)
            m.d.comb += [unit.a.eq(x), unit.b.eq(chosen[-1])]
            products.append(unit.result)
        arrived: Value = go
        for stage in range(self.stages):
            now = Signal(name=f"go_{stage}")
            m.d.sync += now.eq(arrived)
            arrived = now
        m.d.comb += [waiting.i.valid.eq(arrived), Value.cast(waiting.i.p).eq(Cat(*products))]
        connect(m, waiting.o, flipped(self.token))
        return m
