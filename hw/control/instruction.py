"""Instructions as the hardware sees them: layouts of their fields, and what makes one legal."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib import data

from sevedo.gen.config import Config
from sevedo.gen.config.instructions import BY_NAME, COMMON, INSTRUCTION_BYTES, Instruction, rules
from sevedo.hw.bus.payloads import NUMBER_BITS


def fields(name: str) -> data.StructLayout:
    """The fields of an instruction, as its unit gets them, and its number in the program."""
    return data.StructLayout(
        {field.name: unsigned(field.width) for field in BY_NAME[name].fields}
        | {"number": unsigned(NUMBER_BITS)}
    )


def slices(code: Value, instruction: Instruction) -> dict[str, Value]:
    """The fields of an instruction, the common ones too, out of its 256 bits."""
    return {each.name: code[each.low : each.low + each.width] for each in (*COMMON, *instruction.fields)}


def is_legal(m: Module, config: Config, code: Value, instruction: Instruction) -> Value:
    """Whether 256 bits are this instruction with nothing in them that is against its rules."""
    legal = Signal(name=f"legal_{instruction.name.lower()}")
    values = slices(code, instruction)
    unused = ~instruction.used & ((1 << 8 * INSTRUCTION_BYTES) - 1)
    kept = [rule.holds(values) for rule in rules(config, instruction.name)]
    m.d.comb += legal.eq((values["opcode"] == instruction.opcode) & ((code & unused) == 0) & Cat(*kept).all())
    return legal
