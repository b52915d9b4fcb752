"""IOMEM and the smoothing multipliers: what a program loads, and what two readers read."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from sevedo.gen.config import Config
from sevedo.gen.config.instructions import multiplier_rows
from sevedo.hw.core import payloads
from sevedo.hw.unit import Unit

from .block import BlockMemory


def read_one(config: Config) -> data.StructLayout:
    """Which numbers of one token, and which multipliers, are read."""
    return data.StructLayout(
        {
            "bank": unsigned(_bits(config.rmc.cols)),
            "row": unsigned(_bits(config.iomem_rows)),
            "multiplier_row": unsigned(_bits(multiplier_rows(config))),
        }
    )


class ActivationMemory(Unit):
    """One bank of IOMEM for each token of a tile, and a memory of multipliers; a word is `lanes` numbers.

    Two readers share the banks: `all` reads a row of every bank, `one` reads a bank; `all` goes first.

    Timing: a write a cycle and a read a cycle. What `all` reads is there in the next cycle, and only then; likewise
    what `one` reads after a transfer of `one`.
    Numerics: none, bits are moved.

    Parameters
    ----------
    config : sizes and formats

    Members
    -------
    write, target, bank, row, numbers : In, `numbers` go into `row` of IOMEM's `bank` (target 0), of the multipliers (1)
    one : In(stream of read_one)
    one_numbers, one_multipliers : Out(ArrayLayout(number, lanes))
    all : In(1), all_row, all_multiplier_row : In, read these
    all_numbers : Out(ArrayLayout(ArrayLayout(number, lanes), cols)), all_multipliers : Out(ArrayLayout(number, lanes))
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        numbers = payloads.numbers(config, config.rmc.lanes)
        rows, multipliers = config.iomem_rows, multiplier_rows(config)
        super().__init__(
            {
                "write": In(1),
                "target": In(1),
                "bank": In(_bits(config.rmc.cols)),
                "row": In(_bits(max(rows, multipliers))),
                "numbers": In(numbers),
                "one": In(stream.Signature(read_one(config))),
                "one_numbers": Out(numbers),
                "one_multipliers": Out(numbers),
                "all": In(1),
                "all_row": In(_bits(rows)),
                "all_multiplier_row": In(_bits(multipliers)),
                "all_numbers": Out(data.ArrayLayout(numbers, config.rmc.cols)),
                "all_multipliers": Out(numbers),
            }
        )

    @property
    def module_name(self) -> str:
        return "activation_memory"

    def build(self) -> Module:
        m = Module()
        config, word = self.config, Value.cast(self.numbers)
        go = self.one.valid & self.one.ready
        m.d.comb += self.one.ready.eq(~self.all)
        bank_read = Signal.like(self.one.p.bank, reset_less=True)
        with m.If(go):
            m.d.sync += bank_read.eq(self.one.p.bank)
        banks = []
        for token in range(config.rmc.cols):
            m.submodules[f"bank_{token}"] = bank = BlockMemory(len(word), config.iomem_rows)
            mine = go & (self.one.p.bank == token)
            m.d.comb += [
                bank.w_en.eq(self.write & ~self.target & (self.bank == token)),
                bank.w_addr.eq(self.row),
                bank.w_data.eq(word),
                bank.r_en.eq(self.all | mine),
                bank.r_addr.eq(Mux(self.all, self.all_row, self.one.p.row)),
                Value.cast(self.all_numbers[token]).eq(bank.r_data),
            ]
            banks.append(bank.r_data)
        m.d.comb += Value.cast(self.one_numbers).eq(Array(banks)[bank_read])
        m.submodules.multipliers = memory = BlockMemory(len(word), multiplier_rows(config))
        m.d.comb += [
            memory.w_en.eq(self.write & self.target),
            memory.w_addr.eq(self.row),
            memory.w_data.eq(word),
            memory.r_en.eq(self.all | go),
            memory.r_addr.eq(Mux(self.all, self.all_multiplier_row, self.one.p.multiplier_row)),
            Value.cast(self.all_multipliers).eq(memory.r_data),
            Value.cast(self.one_multipliers).eq(memory.r_data),
        ]
        return m


def _bits(count: int) -> int:
    """Bits of an index below `count`, at least 1."""
    return max((count - 1).bit_length(), 1)
