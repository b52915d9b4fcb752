"""The instruction set of the processor: encoding, meaning and rules, once, for all that read or write programs.

An instruction is 32 bytes: eight 32-bit words, little-endian. Bits 0 to 7 are the opcode, 8 to 15 the tokens that it
waits for, 16 to 23 those that it gives when it is done; the fields of `INSTRUCTIONS` follow. Bits that no field has
must be 0. A rule is a function that works on Python integers and on hardware values alike: machine, compiler and
gates apply the same one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import IntEnum
from functools import reduce
from operator import and_
from typing import Any, NamedTuple

from .design import Config
from .operands import NAMES, operands

INSTRUCTION_BYTES = 32
TOKENS = 8
"""Kinds of tokens; each is counted by a semaphore of its own."""
TOKEN_LIMIT = 15
"""The most tokens of a kind that can be there; giving one more is an error."""
QUEUE_PLACES = 4
"""Instructions that can wait in the queue of a unit, besides the one that it carries out."""


class Unit(IntEnum):
    """The units that carry out instructions, each from a queue of its own, in order."""

    LOAD = 0
    STREAM = 1
    QUANTIZE = 2
    MATMUL = 3
    STORE = 4


class Segment(IntEnum):
    """The two ranges of DRAM that the host grants. Addresses of instructions are offsets in bytes from their start."""

    IMAGE = 0
    DATA = 1


class Target(IntEnum):
    """Where LOAD puts numbers."""

    IOMEM = 0
    MULTIPLIERS = 1


class Error(IntEnum):
    """Why the processor stopped: the value of register ERROR_CODE."""

    NONE = 0
    ILLEGAL = 1
    RANGE = 2
    READ = 3
    WRITE = 4
    TOKEN_MISSING = 5
    TOKEN_OVERFLOW = 6
    STREAM = 7
    STALL = 8
    STOPPED = 9


ERROR_MEANING = {
    Error.NONE: "no error",
    Error.ILLEGAL: "an opcode that there is not, a bit set that no field has, or a broken rule of the instruction",
    Error.RANGE: "an access, or the program, leaves the range that the host granted",
    Error.READ: "DRAM answered a read with an error",
    Error.WRITE: "DRAM answered a write with an error",
    Error.TOKEN_MISSING: "instructions wait for tokens and nothing that could give them is running",
    Error.TOKEN_OVERFLOW: f"more than {TOKEN_LIMIT} tokens of a kind",
    Error.STREAM: "the words of a STREAM end within a bundle, or a MATMUL takes a beat that a section does not have",
    Error.STALL: "no progress for as many cycles as register WATCHDOG says: operands or outputs do not match",
    Error.STOPPED: "the host wrote CONTROL.stop",
}

NO_UNIT = 7
"""ERROR_UNIT where no unit is concerned: the program itself is at fault, or the host stopped it."""


class Field(NamedTuple):
    """A field of an instruction: bits `low` to `low + width - 1` of its 256; unsigned."""

    name: str
    low: int
    width: int
    meaning: str


class Instruction(NamedTuple):
    """One kind of instruction. `unit` is None for END, which is for the controller, and for SYNC, which names one."""

    name: str
    opcode: int
    unit: Unit | None
    fields: tuple[Field, ...]
    meaning: str

    @property
    def used(self) -> int:
        """A mask of all bits that may be set."""
        return sum(((1 << f.width) - 1) << f.low for f in (*COMMON, *self.fields))


COMMON = (
    Field("opcode", 0, 8, "which instruction"),
    Field(
        "wait",
        8,
        TOKENS,
        "takes a token of each kind whose bit is set, once all of them are there, before it begins",
    ),
    Field("give", 16, TOKENS, "gives a token of each kind whose bit is set, when it is done"),
)


def _word(index: int, name: str, meaning: str, low: int = 0, width: int = 32) -> Field:
    return Field(name, 32 * index + low, width, meaning)


_COUNT_BITS = 14

INSTRUCTIONS = (
    Instruction(
        "LOAD", 1, Unit.LOAD,
        (
            Field("segment", 24, 1, "segment of the address: 0 image, 1 data"),
            Field("target", 25, 1, "0: IOMEM; 1: smoothing multipliers"),
            _word(1, "address", "byte offset of the first row, a multiple of the bus width"),
            _word(2, "pitch", "bytes from one row to the next, a multiple of the bus width; added modulo 2^32"),
            _word(3, "row", "first row of the target's memory that is written", 0, 16),
            _word(3, "tokens", "rows in DRAM: token t goes to bank t; 1 for multipliers", 16, 16),
            _word(4, "inputs", "numbers of a row", 0, 24),
        ),
        "Numbers of the data format from DRAM into IOMEM or the multipliers. A row of DRAM fills "
        "ceil(inputs / lanes) rows of the memory, what is beyond `inputs` is undefined. Done: all are written.",
    ),
    Instruction(
        "STREAM", 2, Unit.STREAM,
        (
            Field("segment", 24, 1, "segment of the address: 0 image, 1 data"),
            _word(1, "address", "byte offset, a multiple of the bus width"),
            _word(2, "words", "bus words in all"),
            *(
                Field(f"count_{name}", 96 + _COUNT_BITS * index, _COUNT_BITS, f"beats of {name} in a bundle")
                for index, name in enumerate(NAMES)
            ),
        ),
        "Operands from DRAM into their buffers, as they get room: bundle after bundle until the words are used up. A "
        "bundle is a section of each operand whose count is not 0, in the order of the counts. Done: all are in "
        "their buffers. Sections must be just those that MATMUL takes (docs/image.md): one cut elsewhere is an "
        "error or gives undefined outputs.",
    ),
    Instruction(
        "QUANTIZE", 3, Unit.QUANTIZE,
        (
            _word(1, "row", "first row of IOMEM", 0, 16),
            _word(1, "tokens", "tokens, at most `cols`", 16, 16),
            _word(2, "inputs", "numbers of a token, K", 0, 24),
            _word(3, "groups", "coarse groups of K: ceil(inputs / coarse)", 0, 16),
            _word(3, "multiplier_row", "first row of the multipliers", 16, 16),
            _word(4, "group", "first coarse group of the code memories that is written", 0, 16),
        ),
        "x' = DATA(x * m) of the tokens in IOMEM, quantized: codes of one digit, and of two where the processor has "
        "use for them, with their scales, into the code memories. Numbers from `inputs` on count as 0. Done: all "
        "are written.",
    ),
    Instruction(
        "MATMUL", 4, Unit.MATMUL,
        (
            _word(1, "row", "first row of IOMEM: x of the low-rank path", 0, 16),
            _word(1, "multiplier_row", "first row of the multipliers", 16, 16),
            _word(2, "inputs", "K", 0, 24),
            _word(2, "wide_activations", "x' of the residual path in two digits", 24, 1),
            _word(2, "wide_weights", "its weights in two digits", 25, 1),
            _word(3, "groups", "coarse groups of K", 0, 16),
            _word(3, "group", "first coarse group of the code memories", 16, 16),
            _word(4, "rank", "ranks in floating point", 0, 16),
            _word(4, "rank_blocks", "blocks of them: ceil(rank / ranks)", 16, 16),
            _word(5, "row_tiles", "tiles of `rows` outputs", 0, 24),
            _word(6, "int8_rows", "blocks of `int_ranks` ranks of the INT8 class", 0, 16),
            _word(6, "int8_blocks", "blocks of `int_lanes` ranks of it", 16, 16),
            _word(7, "int4_rows", "the same of the INT4 class", 0, 16),
            _word(7, "int4_blocks", "", 16, 16),
        ),
        "One layer for up to `cols` tokens: residual path, low-rank path, bias (docs/numerics.md). Operands come from "
        "their buffers, outputs leave through the next STORE. Done: what it reads of IOMEM, multipliers and codes is "
        "not needed any more; outputs may still be under way.",
    ),
    Instruction(
        "STORE", 5, Unit.STORE,
        (
            _word(1, "address", "byte offset in the data segment, a multiple of the bus width"),
            _word(
                2, "pitch",
                "bytes from the outputs of one token to those of the next, a multiple of the bus width; added modulo "
                "2^32. Rows that overlap are undefined",
            ),
            _word(3, "tokens", "tokens, at most `cols`", 0, 16),
            _word(4, "outputs", "outputs of a token, N", 0, 24),
            _word(5, "row_tiles", "tiles of `rows` outputs: ceil(outputs / rows)", 0, 24),
        ),
        "The outputs of one MATMUL to DRAM, a row for each token; bytes behind the outputs are not written. STOREs "
        "take the outputs of MATMULs in program order. Done: DRAM has confirmed all.",
    ),
    Instruction(
        "SYNC", 6, None,
        (Field("unit", 24, 3, "the queue it goes to: 0 LOAD, 1 STREAM, 2 QUANTIZE, 3 MATMUL, 4 STORE"),),
        "Nothing but its tokens, in the queue that it names.",
    ),
    Instruction(
        "END", 7, None, (),
        "The program is over. When all before it is done, all outputs are stored and no operand is left in a buffer, "
        "the processor stops and raises its interrupt. It has no tokens.",
    ),
)  # fmt: skip

BY_OPCODE = {each.opcode: each for each in INSTRUCTIONS}
BY_NAME = {each.name: each for each in INSTRUCTIONS}


class Rule(NamedTuple):
    """What must hold of an instruction: `holds` takes a mapping from field names to integers or hardware values."""

    text: str
    holds: Callable[[Mapping[str, Any]], Any]


def multiplier_rows(config: Config) -> int:
    """Rows of `lanes` numbers of the multiplier memory: two layers of the largest K."""
    return 2 * -(-config.operand_inputs // config.rmc.lanes)


def code_groups(config: Config) -> int:
    """Coarse groups of the code memories: two layers of the largest K."""
    return 2 * config.operand_groups


def rules(config: Config, name: str) -> tuple[Rule, ...]:
    """The rules of instruction `name` on the processor of `config`."""
    rmc, lvc, bus = config.rmc, config.lvc, config.bus.data_bytes
    coarse, lanes, most = config.groups.coarse, rmc.lanes, config.operand_inputs
    iomem, multipliers, codes = config.iomem_rows, multiplier_rows(config), code_groups(config)
    inputs = Rule(f"inputs from 1 to {most}", lambda f: (f["inputs"] >= 1) & (f["inputs"] <= most))
    tokens = Rule(f"tokens from 1 to {rmc.cols}", lambda f: (f["tokens"] >= 1) & (f["tokens"] <= rmc.cols))
    groups = Rule(
        f"groups = ceil(inputs / {coarse})",
        lambda f: (f["groups"] * coarse >= f["inputs"]) & (f["groups"] * coarse < f["inputs"] + coarse),
    )
    in_codes = Rule(f"group + groups at most {codes}", lambda f: f["group"] + f["groups"] <= codes)

    def within(row: str, rows: int, what: str) -> Rule:
        return Rule(
            f"the rows of {what}, from {row} on, within its {rows}",
            lambda f: f["inputs"] + f[row] * lanes <= rows * lanes,
        )

    def aligned(field: str) -> Rule:
        return Rule(f"{field} a multiple of {bus}", lambda f: f[field] % bus == 0)

    match name:
        case "LOAD":
            in_iomem, in_multipliers = (
                within("row", iomem, "IOMEM"),
                within("row", multipliers, "the multipliers"),
            )
            return (
                inputs, tokens, aligned("address"), aligned("pitch"),
                Rule(in_iomem.text, lambda f: (f["target"] == 1) | in_iomem.holds(f)),
                Rule(in_multipliers.text, lambda f: (f["target"] == 0) | in_multipliers.holds(f)),
                Rule("tokens = 1 for multipliers", lambda f: (f["target"] == 0) | (f["tokens"] == 1)),
            )  # fmt: skip
        case "STREAM":
            there = operands(config)
            return (
                aligned("address"),
                Rule("words at least 1", lambda f: f["words"] >= 1),
                *(_zero(f"count_{each}", why="no such operand") for each in NAMES if each not in there),
                Rule("a count that is not 0", lambda f: _any(f[f"count_{each}"] != 0 for each in there)),
            )
        case "QUANTIZE":
            return (
                inputs, tokens, groups, within("row", iomem, "IOMEM"),
                within("multiplier_row", multipliers, "the multipliers"), in_codes,
            )  # fmt: skip
        case "MATMUL":
            return (
                inputs, groups, within("row", iomem, "IOMEM"),
                within("multiplier_row", multipliers, "the multipliers"), in_codes,
                Rule(f"rank at most {lvc.max_rank}", lambda f: f["rank"] <= lvc.max_rank),
                _blocks("rank", "rank_blocks", lvc.ranks),
                _limit("row_tiles", 1, -(-config.limits.outputs // rmc.rows)),
                *_class_rules(config),
                *(
                    _zero(f"wide_{each}s", why=f"rmc.{each}_passes is 1")
                    for each, passes in (("activation", rmc.activation_passes), ("weight", rmc.weight_passes))
                    if passes == 1
                ),
            )  # fmt: skip
        case "STORE":
            return (
                tokens, aligned("address"), aligned("pitch"),
                _limit("row_tiles", 1, -(-config.limits.outputs // rmc.rows)),
                Rule(
                    f"row_tiles = ceil(outputs / {rmc.rows})",
                    lambda f: (f["row_tiles"] * rmc.rows >= f["outputs"])
                    & (f["row_tiles"] * rmc.rows < f["outputs"] + rmc.rows),
                ),
            )  # fmt: skip
        case "SYNC":
            return (Rule(f"unit at most {max(Unit)}", lambda f: f["unit"] <= int(max(Unit))),)
        case "END":
            return (Rule("no tokens", lambda f: (f["wait"] == 0) & (f["give"] == 0)),)
    raise KeyError(name)


def _any(conditions: Any) -> Any:
    found: Any = None
    for each in conditions:
        found = each if found is None else found | each
    return found


def _zero(*fields: str, why: str) -> Rule:
    return Rule(f"{' and '.join(fields)} 0: {why}", lambda f: reduce(and_, (f[each] == 0 for each in fields)))


def _limit(field: str, low: int, high: int) -> Rule:
    if low == 0:
        return Rule(f"{field} at most {high}", lambda f: f[field] <= high)
    return Rule(f"{field} from {low} to {high}", lambda f: (f[field] >= low) & (f[field] <= high))


def _blocks(count: str, blocks: str, size: int) -> Rule:
    """`blocks` is `count` in blocks of `size`, rounded up."""
    return Rule(
        f"{blocks} = ceil({count} / {size})",
        lambda f: (f[blocks] * size >= f[count]) & (f[blocks] * size < f[count] + size),
    )


def _class_rules(config: Config) -> tuple[Rule, ...]:
    lvc = config.lvc
    there = {each.name: each for each in config.rank_classes}
    found: list[Rule] = []
    for name in ("int8", "int4"):
        if name not in there:
            found.append(_zero(f"{name}_rows", f"{name}_blocks", why=f"lvc.{name}_ranks is 0"))
            continue
        found += [
            _limit(f"{name}_rows", 0, -(-there[name].ranks // lvc.int_ranks)),
            _blocks(f"{name}_rows", f"{name}_blocks", lvc.int_lanes // lvc.int_ranks),
        ]
    return tuple(found)


def encode(name: str, **fields: int) -> bytes:
    """An instruction's 32 bytes; fields that are not given are 0.

    Raises
    ------
    ValueError : a field that there is not, or a value that does not fit.
    """
    instruction = BY_NAME[name]
    known = {f.name: f for f in (*COMMON, *instruction.fields)}
    value = instruction.opcode
    for field, number in fields.items():
        if field not in known or field == "opcode":
            raise ValueError(
                f"{name} has no field {field}; it has {', '.join(n for n in known if n != 'opcode')}"
            )
        place = known[field]
        if not 0 <= number < 1 << place.width:
            raise ValueError(f"{name}.{field}={number} must be between 0 and {(1 << place.width) - 1}")
        value |= int(number) << place.low
    return value.to_bytes(INSTRUCTION_BYTES, "little")


def decode(code: bytes) -> tuple[Instruction | None, dict[str, int], bool]:
    """The instruction of 32 bytes (None for an opcode that there is not), its fields, and whether a bit is set that no
    field has."""
    value = int.from_bytes(code, "little")
    instruction = BY_OPCODE.get(value & 0xFF)
    if instruction is None:
        return None, {}, True
    fields = {f.name: value >> f.low & ((1 << f.width) - 1) for f in (*COMMON, *instruction.fields)}
    return instruction, fields, bool(value & ~instruction.used)
