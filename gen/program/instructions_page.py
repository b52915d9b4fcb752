"""docs/instructions.md, from the description of the instruction set."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from pathlib import Path
from string import Template

from sevedo.gen.compile.tokens import Token
from sevedo.gen.config import preset
from sevedo.gen.config.instructions import (
    COMMON,
    ERROR_MEANING,
    INSTRUCTION_BYTES,
    INSTRUCTIONS,
    NO_UNIT,
    QUEUE_PLACES,
    TOKEN_LIMIT,
    TOKENS,
    Error,
    Field,
    Instruction,
    Unit,
    decode,
    rules,
)

from .example import example
from .text import disassemble

PRESET = "core"
"""Whose rules the page shows."""


def instructions_page() -> str:
    """The whole page."""
    kinds = "; ".join(f"{token.value}: {_sentence(token)}" for token in Token)
    return page(
        "instructions.md",
        bytes=INSTRUCTION_BYTES,
        places=QUEUE_PLACES,
        kinds=TOKENS,
        limit=TOKEN_LIMIT,
        no_unit=NO_UNIT,
        units=", ".join(f"{unit.value} {unit.name}" for unit in Unit),
        uses=wrapped(f"`sevedo compile` uses them like this: {kinds}."),
        list="\n".join(_listed(each) for each in INSTRUCTIONS),
        instructions="\n".join(line for each in INSTRUCTIONS for line in _instruction(each)),
        errors="\n".join(f"| {error.value} | {error.name} | {ERROR_MEANING[error]} |" for error in Error),
        example="\n".join(_example()),
    )


def page(name: str, **parts: object) -> str:
    """A page from its template, the file of its name beside this one: `$part` stands for a part."""
    return Template(Path(__file__).with_name(name).read_text(encoding="utf-8")).substitute(parts)


def _listed(each: Instruction) -> str:
    queue = each.unit.name if each.unit is not None else {"SYNC": "the one it names"}.get(each.name, "none")
    tokens = "no" if each.name == "END" else "yes"
    return f"| [{each.name}](#{each.name.lower()}) | {each.opcode} | {queue} | {tokens} |"


def wrapped(text: str) -> str:
    """A paragraph in lines of a page's width."""
    return textwrap.fill(text, 120, break_long_words=False, break_on_hyphens=False)


def _sentence(token: Token) -> str:
    return {
        Token.LOADED: "LOAD to QUANTIZE, rows and multipliers are there",
        Token.CODED: "QUANTIZE to MATMUL, codes are there",
        Token.ROOM: "MATMUL to LOAD, rows and multipliers may be overwritten",
        Token.CODE_ROOM: "MATMUL to QUANTIZE, codes may be overwritten",
        Token.STORED: "STORE to LOAD, outputs that a later layer reads are in DRAM",
    }[token]


def _bits(field: Field) -> str:
    return f"{field.low}" if field.width == 1 else f"{field.low} to {field.low + field.width - 1}"


def _instruction(instruction: Instruction) -> Iterator[str]:
    yield f"## {instruction.name}\n{wrapped(instruction.meaning)}\n"
    yield "| bits | word | field | meaning |\n|---|---|---|---|"
    yield f"| 0 to 7 | 0 | opcode | {instruction.opcode} |"
    if instruction.name != "END":
        yield "| 8 to 15 | 0 | wait | mask of tokens that it takes |"
        yield "| 16 to 23 | 0 | give | mask of tokens that it gives |"
    for field in instruction.fields:
        first, last = field.low // 32, (field.low + field.width - 1) // 32
        words = f"{first}" if first == last else f"{first}, {last}"
        yield f"| {_bits(field)} | {words} | `{field.name}` | {field.meaning or _like(field, instruction)} |"
    found = [rule.text for rule in rules(preset(PRESET), instruction.name)]
    if found:
        text = f"Rules on preset `{PRESET}`, broken ones being ILLEGAL: {'; '.join(found)}."
        yield f"\n{wrapped(text)}\n"


def _like(field: Field, instruction: Instruction) -> str:
    """For a field that leaves its meaning to another one."""
    other = next(each for each in instruction.fields if each.name == field.name.replace("int4", "int8"))
    return other.meaning.replace("INT8", "INT4")


def _example() -> Iterator[str]:
    compiled = example()
    code = compiled.image[compiled.program : compiled.program + compiled.instructions * INSTRUCTION_BYTES]
    text = disassemble(code)
    yield f"```text\n{text}```\n\nIts bytes, a line of words for each instruction:\n\n```text"
    for number, line in enumerate(text.splitlines()):
        part = code[number * INSTRUCTION_BYTES : (number + 1) * INSTRUCTION_BYTES]
        words = " ".join(f"{int.from_bytes(part[w : w + 4], 'little'):08x}" for w in range(0, len(part), 4))
        yield f"{number * INSTRUCTION_BYTES:4}  {words}  {line.split()[0]}"
    yield "```\n\nThe first instruction, byte by byte:\n\n```text"
    yield from _bytes(code[:INSTRUCTION_BYTES])
    yield "```"


def _bytes(code: bytes) -> Iterator[str]:
    """The fields of an instruction with the bytes that hold them."""
    instruction, fields, _ = decode(code)
    assert instruction is not None
    for field in (*COMMON, *instruction.fields):
        first, last = field.low // 8, (field.low + field.width - 1) // 8
        raw = code[first : last + 1].hex(" ")
        part = "" if field.width % 8 == 0 else f" (bit {field.low % 8})"
        yield f"{first:4}  {raw:12}{field.name} = {fields[field.name]}{part}"
