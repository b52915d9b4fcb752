"""The instruction set as a C header: constants, and a function that makes each instruction."""

from __future__ import annotations

from collections.abc import Iterator

from sevedo.gen.config.instructions import (
    ERROR_MEANING,
    INSTRUCTION_BYTES,
    INSTRUCTIONS,
    NO_UNIT,
    TOKEN_LIMIT,
    TOKENS,
    Instruction,
    Segment,
    Target,
    Unit,
)

from .text import fields_of

GUARD = "SEVEDO_INSTRUCTIONS_H"
WORDS = INSTRUCTION_BYTES // 4


def header() -> str:
    """The text of `sevedo_instructions.h`: C99, nothing but stdint.h, the same for every configuration."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield f"""/* Instructions of the SeVeDo processor, written by `sevedo program header`.
 *
 * What they do is in docs/instructions.md.
 * An instruction is {WORDS} words of 32 bits, in memory little-endian, the first word at the lowest address. `wait` and
 * `give` are masks of kinds of tokens. Rules of fields are in docs/instructions.md; nothing here checks them.
 */
#ifndef {GUARD}
#define {GUARD}

#include <stdint.h>

#define SEVEDO_INSTRUCTION_BYTES {INSTRUCTION_BYTES}
#define SEVEDO_TOKENS {TOKENS}
#define SEVEDO_TOKEN_LIMIT {TOKEN_LIMIT}
"""
    yield "enum sevedo_opcode {"
    yield from (f"    SEVEDO_OPCODE_{each.name} = {each.opcode}," for each in INSTRUCTIONS)
    yield "};\n"
    for kind in (Unit, Segment, Target):
        name = kind.__name__
        yield f"enum sevedo_{name.lower()} {{"
        yield from (f"    SEVEDO_{name.upper()}_{each.name} = {each.value}," for each in kind)
        if kind is Unit:
            yield f"    SEVEDO_UNIT_NONE = {NO_UNIT}, /* in ERROR_UNIT alone */"
        yield "};\n"
    yield "/* Values of register ERROR_CODE. */"
    yield "enum sevedo_error {"
    yield from (
        f"    SEVEDO_ERROR_{error.name} = {error.value}, /* {text} */"
        for error, text in ERROR_MEANING.items()
    )
    yield "};\n"
    yield f"typedef struct {{ uint32_t word[{WORDS}]; }} sevedo_instruction;\n"
    yield """/* Puts a value into bits low to low + width - 1. */
static inline void sevedo_put(sevedo_instruction *i, unsigned low, unsigned width, uint32_t value)
{
    unsigned at = low % 32;
    uint64_t bits = (uint64_t)(width < 32 ? value & ((1u << width) - 1u) : value) << at;
    i->word[low / 32] |= (uint32_t)bits;
    if (at + width > 32)
        i->word[low / 32 + 1] |= (uint32_t)(bits >> 32);
}
"""
    for instruction in INSTRUCTIONS:
        yield from _maker(instruction)
    yield f"#endif /* {GUARD} */"


def _maker(instruction: Instruction) -> Iterator[str]:
    """The function that makes an instruction, arguments in the order of its fields, then the tokens."""
    fields = fields_of(instruction)
    tokens = [] if instruction.name == "END" else ["wait", "give"]
    order = [name for name in fields if name not in ("wait", "give")] + tokens
    arguments = ", ".join(f"uint32_t {name}" for name in order) or "void"
    head = f"static inline sevedo_instruction sevedo_{instruction.name.lower()}({arguments})"
    yield from _wrapped(head)
    yield "{"
    yield "    sevedo_instruction i = {{0}};"
    yield f"    sevedo_put(&i, 0, 8, SEVEDO_OPCODE_{instruction.name});"
    for name in order:
        yield f"    sevedo_put(&i, {fields[name].low}, {fields[name].width}, {name});"
    yield "    return i;"
    yield "}\n"


def _wrapped(line: str, width: int = 110) -> Iterator[str]:
    while len(line) > width:
        cut = line.rindex(", ", 0, width) + 1
        yield line[:cut]
        line = "    " + line[cut + 1 :]
    yield line
