"""Instructions as movers take them."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib import data

from sevedo.gen.config import Config
from sevedo.gen.config.instructions import BY_NAME
from sevedo.gen.config.operands import NAMES, operands
from sevedo.hw.bus.payloads import NUMBER_BITS


def instruction(config: Config, name: str) -> data.StructLayout:
    """The fields of instruction `name`, but the counts of operands that there are not; its `number` in the program."""
    there = operands(config)
    without = {f"count_{each}" for each in NAMES if each not in there}
    return data.StructLayout(
        {f.name: unsigned(f.width) for f in BY_NAME[name].fields if f.name not in without}
        | {"number": unsigned(NUMBER_BITS)}
    )
