"""Programs as text and back: one instruction a line, ``NAME field=value ...``, from a semicolon on a comment.

Numbers are decimal or 0x...; tokens are lists of their kinds (``wait=0,4``); segments, targets and units have names. A
field that is not named is 0. What is no instruction is written ``.bytes`` and 64 hexadecimal digits.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from sevedo.gen.config import Config
from sevedo.gen.config.instructions import (
    BY_NAME,
    COMMON,
    INSTRUCTION_BYTES,
    Field,
    Instruction,
    Segment,
    Target,
    Unit,
    decode,
    encode,
    rules,
)

NAMED: Mapping[str, type[Segment] | type[Target] | type[Unit]] = {
    "segment": Segment,
    "target": Target,
    "unit": Unit,
}
"""Fields whose values have names."""
TOKEN_FIELDS = ("wait", "give")
RAW = ".bytes"
_ADDRESSES = ("address", "pitch")


class AssemblyError(ValueError):
    """A program that cannot be assembled or disassembled. One line: where, what, which rule."""

    def __init__(self, message: str) -> None:
        super().__init__("".join(c if c.isprintable() else "?" for c in message))


def fields_of(instruction: Instruction) -> dict[str, Field]:
    """The fields of an instruction by name, tokens included, the opcode not."""
    return {each.name: each for each in (*COMMON, *instruction.fields) if each.name != "opcode"}


def assemble(text: str, config: Config | None = None) -> bytes:
    """The bytes of a program.

    Parameters
    ----------
    text : the program
    config : a processor whose rules every instruction must keep; None: only that it can be encoded

    Raises
    ------
    AssemblyError : naming the line, the field and the rule.
    """
    code = []
    for number, line in enumerate(text.splitlines(), 1):
        try:
            words = line.partition(";")[0].split()
            if words:
                code.append(_line(words, config))
        except ValueError as error:
            raise AssemblyError(f"line {number}: {error}") from None
    return b"".join(code)


def disassemble(code: bytes, comments: Mapping[int, str] | None = None) -> str:
    """The text of a program: `assemble` gives the same bytes again, whatever they are.

    Parameters
    ----------
    code : whole instructions
    comments : lines before some instructions, by their numbers

    Raises
    ------
    AssemblyError : not a multiple of the length of an instruction.
    """
    if len(code) % INSTRUCTION_BYTES:
        raise AssemblyError(f"program={len(code)} bytes must be a multiple of {INSTRUCTION_BYTES}")
    lines = []
    for number in range(len(code) // INSTRUCTION_BYTES):
        if comments and number in comments:
            lines.append(f"; {comments[number]}")
        part = code[number * INSTRUCTION_BYTES : (number + 1) * INSTRUCTION_BYTES]
        lines.append(_text(part))
    return "".join(f"{line}\n" for line in lines)


def _line(words: list[str], config: Config | None) -> bytes:
    """One instruction of its words."""
    name, *given = words
    if name.lower() == RAW:
        if len(given) != 1 or not re.fullmatch(rf"[0-9a-fA-F]{{{2 * INSTRUCTION_BYTES}}}", given[0]):
            raise ValueError(f"{RAW} must have {2 * INSTRUCTION_BYTES} hexadecimal digits")
        return bytes.fromhex(given[0])
    instruction = BY_NAME.get(name.upper())
    if instruction is None:
        raise ValueError(f"instruction={name} must be one of {', '.join(BY_NAME)}")
    known, values = fields_of(instruction), {}
    for word in given:
        field, equals, value = word.partition("=")
        if not equals:
            raise ValueError(f"{word} must be field=value")
        if field in known and field in values:
            raise ValueError(f"{instruction.name}.{field} is there twice")
        values[field] = _value(f"{instruction.name}.{field}", field, value)
    code = encode(instruction.name, **values)
    if config is not None:
        fields = decode(code)[1]
        for rule in rules(config, instruction.name):
            if not rule.holds(fields):
                shown = " ".join(given)
                raise ValueError(f"{instruction.name} {shown} breaks the rule: {rule.text}")
    return code


def _value(what: str, field: str, text: str) -> int:
    """A field's value."""
    if field in TOKEN_FIELDS:
        kinds = [_number(what, each) for each in text.split(",")] if text else []
        if len(set(kinds)) != len(kinds) or any(kind >= COMMON[1].width for kind in kinds):
            raise ValueError(f"{what}={text} must be different kinds of tokens, 0 to {COMMON[1].width - 1}")
        return sum(1 << kind for kind in kinds)
    if field in NAMED and not text[:1].isdigit():
        names = {each.name.lower(): each.value for each in NAMED[field]}
        if text.lower() not in names:
            raise ValueError(f"{what}={text} must be one of {', '.join(names)}, or a number")
        return names[text.lower()]
    return _number(what, text)


def _number(what: str, text: str) -> int:
    if not re.fullmatch(r"0x[0-9a-fA-F]{1,64}|[0-9]{1,64}", text):
        raise ValueError(f"{what}={text} must be a number, decimal or 0x...")
    return int(text, 0 if text.startswith("0x") else 10)


def _text(code: bytes) -> str:
    """One instruction."""
    instruction, fields, excess = decode(code)
    if instruction is None or excess:
        return f"{RAW} {code.hex()}"
    shown = [f"{name}={_shown(name, fields[name])}" for name in fields_of(instruction) if name not in TOKEN_FIELDS
             and (fields[name] or name in NAMED)]  # fmt: skip
    shown += [f"{name}={_shown(name, fields[name])}" for name in TOKEN_FIELDS if fields[name]]
    return " ".join([instruction.name.ljust(8 if shown else 0), *shown])


def _shown(field: str, value: int) -> str:
    if field in TOKEN_FIELDS:
        return ",".join(str(kind) for kind in range(COMMON[1].width) if value >> kind & 1)
    if field in NAMED and value in {each.value for each in NAMED[field]}:
        return NAMED[field](value).name.lower()
    return hex(value) if field in _ADDRESSES else str(value)
