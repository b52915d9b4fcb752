"""Payloads of the movers' streams: instructions, and requests to the bus."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib import data

from sevedo.gen.config import Config
from sevedo.gen.config.instructions import BY_NAME
from sevedo.gen.config.operands import NAMES, operands


def instruction(config: Config, name: str) -> data.StructLayout:
    """The fields of instruction `name`, but the counts of operands that there are not."""
    there = operands(config)
    without = {f"count_{each}" for each in NAMES if each not in there}
    return data.StructLayout(
        {f.name: unsigned(f.width) for f in BY_NAME[name].fields if f.name not in without}
    )


def read_request() -> data.StructLayout:
    """Words from DRAM: `segment` (0 image, 1 data), byte `offset` in it, number of `words`, at least 1."""
    return data.StructLayout({"segment": unsigned(1), "offset": unsigned(32), "words": unsigned(32)})


def write_request() -> data.StructLayout:
    """Words to the data segment of DRAM: byte `offset` in it, number of `words`, at least 1."""
    return data.StructLayout({"offset": unsigned(32), "words": unsigned(16)})


def write_data(config: Config) -> data.StructLayout:
    """A word to DRAM: its bits, the lowest byte first, and which of its bytes are written."""
    size = config.bus.data_bytes
    return data.StructLayout({"data": unsigned(8 * size), "strobe": unsigned(size)})
