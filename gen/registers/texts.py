"""Texts made from the register map: C header, Python names, Markdown, and the plain data that hardware takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sevedo.gen.config.registers import Register

_MADE = "Made by `sevedo registers` from gen/registers/processor.rdl"
_BOARD_MADE = "Made by `sevedo registers --of board` from gen/registers/board.rdl"
_PREFIX = "SEVEDO_"


def names(registers: Sequence[Register]) -> Iterator[tuple[str, str, str]]:
    """Every name that a driver needs, its number, and what it means; an empty name begins a register.

    A register gives the name of its offset. A field that is not the whole register gives ``_SHIFT`` and ``_MASK``, its
    named values their names; what is not 0 after reset, ``_RESET``.
    """
    for register in registers:
        yield "", "", register.description
        yield register.name, f"0x{register.offset:03x}", ""
        for field in register.fields:
            whole = register.name if field.name == "value" else f"{register.name}_{field.name.upper()}"
            if field.width < 32:
                yield f"{whole}_SHIFT", str(field.low), field.description
                yield f"{whole}_MASK", f"0x{field.mask:08x}", ""
            if field.reset:
                yield f"{whole}_RESET", f"0x{field.reset:x}", ""
            for meaning in field.meanings:
                yield f"{whole}_{meaning.name}", str(meaning.value), meaning.description


def c_header(registers: Sequence[Register]) -> str:
    """A C header: offsets, shifts, masks and values as macros; it needs nothing."""
    lines = [f"/* {_MADE}. Offsets in bytes; registers have 32 bits. */", "#ifndef SEVEDO_REGISTERS_H"]
    lines.append("#define SEVEDO_REGISTERS_H")
    for name, number, meaning in names(registers):
        if not name:
            lines += ["", f"/* {meaning} */"]
            continue
        comment = f" /* {meaning} */" if meaning else ""
        lines.append(f"#define {_PREFIX}{name} {number}u{comment}")
    return "\n".join([*lines, "", "#endif", ""])


def python(registers: Sequence[Register]) -> str:
    """A Python module of the same names, that needs nothing."""
    lines = [f'"""{_MADE}: offsets in bytes, shifts, masks and values of 32-bit registers."""']
    for name, number, meaning in names(registers):
        if not name:
            lines += ["", f"# {meaning}"]
            continue
        lines.append(f"{name} = {number}" + (f"  # {meaning}" if meaning else ""))
    return "\n".join([*lines, ""])


def board_description(registers: Sequence[Register]) -> str:
    """The Python module gen/config/board_map.py: the same of a board's."""
    return description(registers, f"The registers of a board. {_BOARD_MADE}")


def description(registers: Sequence[Register], what: str = f"The registers of the processor. {_MADE}") -> str:
    """The Python module gen/config/register_map.py: the map as plain data, for hardware and hosts."""
    lines = [
        f'"""{what}; do not edit."""',
        "# ruff: noqa: E501",
        "",
        "from .registers import Field, Kind, Meaning, Register",
        "",
        "REGISTERS = (",
    ]
    for register in registers:
        lines.append(f"    Register({_quoted(register.name)}, 0x{register.offset:03x}, (")
        for field in register.fields:
            values = [
                _quoted(field.name),
                field.low,
                field.width,
                f"Kind.{field.kind.name}",
                hex(field.reset),
            ]
            values += [_quoted(field.description), field.increment]
            meanings = "".join(
                f"\n            Meaning({_quoted(m.name)}, {m.value}, {_quoted(m.description)}),"
                for m in field.meanings
            )
            last = f", ({meanings}\n        )" if meanings else ""
            lines.append(f"        Field({', '.join(map(str, values))}{last}),")
        lines.append(f"    ), {_quoted(register.description)}),")
    lines += [
        ")  # fmt: skip",
        '"""All registers, by offset."""',
        "",
        "BY_NAME = {each.name: each for each in REGISTERS}",
        "",
    ]
    return "\n".join(lines)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def markdown(registers: Sequence[Register]) -> str:
    """The page docs/registers.md."""
    lines = [
        "# Registers",
        f"{_MADE} (`--format markdown`); C, HTML and Python come from there too.",
        "",
        "The processor's AXI4-Lite port: registers of 32 bits, little-endian, offsets in bytes (the",
        "lowest two bits of an address are not looked at). Byte strobes count.",
        "An address without a register, a write to a register that is only read, and a write to one that must not be",
        "written while running are answered with SLVERR and change nothing. A value of 64 bits is a pair LOW and HIGH;",
        "reading LOW of a counter keeps its upper half, and HIGH gives what was kept last: read it right after LOW.",
        "Counters begin at 0 with every start.",
        "",
    ]
    return "\n".join(lines) + "\n" + tables(registers)


def tables(registers: Sequence[Register]) -> str:
    """All registers as a table, and one for each field whose values have names."""
    lines = [
        "| offset | register | bits | field | access | reset | meaning |",
        "|---|---|---|---|---|---|---|",
    ]
    for register in registers:
        lines += _rows(register)
    for register in registers:
        for field in register.fields:
            if field.meanings:
                lines += ["", f"## {register.name}", "| value | name | meaning |", "|---|---|---|"]
                lines += [f"| {m.value} | `{m.name}` | {m.description} |" for m in field.meanings]
    return "\n".join([*lines, ""])


def _rows(register: Register) -> Iterator[str]:
    """The rows of a register: one, if its only field is all of it, else one more for each field."""
    offset = f"0x{register.offset:03x}"
    fields = register.fields
    if len(fields) == 1 and fields[0].name == "value":
        (field,) = fields
        bits = "31:0" if field.width == 32 else f"{field.low + field.width - 1}:{field.low}"
        reset = _reset(field.reset, field.kind.value)
        yield f"| {offset} | `{register.name}` | {bits} | | {field.kind.access} | {reset} | {register.description} |"
        return
    yield f"| {offset} | `{register.name}` | | | | | {register.description} |"
    for field in fields:
        top = field.low + field.width - 1
        bits = f"{top}" if field.width == 1 else f"{top}:{field.low}"
        reset = _reset(field.reset, field.kind.value)
        yield f"| | | {bits} | {field.name} | {field.kind.access} | {reset} | {field.description} |"


def _reset(value: int, kind: str) -> str:
    return "" if kind in ("value", "pulse") else f"0x{value:x}" if value > 9 else str(value)
