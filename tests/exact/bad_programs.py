"""Programs that nobody should write: at random, or good ones with something changed."""

from __future__ import annotations

import random
from collections.abc import Callable

from sevedo.gen.config import Config
from sevedo.gen.config.instructions import (
    COMMON,
    INSTRUCTION_BYTES,
    INSTRUCTIONS,
    Unit,
    decode,
    encode,
    rules,
)


def bad_program(rng: random.Random, config: Config, good: list[bytes]) -> list[bytes]:
    """Instructions of some kind; now and then they are good. Most end with END."""
    kinds: dict[str, Callable[[], list[bytes]]] = {
        "damaged": lambda: damaged(rng, config, good),
        "noise": lambda: [rng.randbytes(INSTRUCTION_BYTES) for _ in good],
        "legal": lambda: [random_instruction(rng, config, True) for _ in range(rng.randint(1, 40))],
        "tokens": lambda: [_sync(rng) for _ in range(rng.randint(10, 60))],
        "illegal": lambda: [random_instruction(rng, config, False) for _ in range(rng.randint(1, 10))],
        "good": lambda: good,
    }
    kind = rng.choices([*kinds], [55, 5, 20, 5, 5, 10])[0]
    code = kinds[kind]()
    return code if rng.random() < 0.1 or kind == "noise" else [*code, encode("END")]


def _sync(rng: random.Random) -> bytes:
    """Tokens alone, more given than taken."""
    give, wait = (1 << rng.choice([0, 0, 0, 1]) if rng.random() < chance else 0 for chance in (0.9, 0.2))
    return encode("SYNC", unit=rng.randrange(len(Unit)), give=give, wait=wait)


def random_instruction(rng: random.Random, config: Config, legal: bool) -> bytes:
    """Fields at random, mostly small; with `legal` until the rules hold, where that is soon found."""
    for _ in range(60 if legal else 1):
        kind = rng.choice(INSTRUCTIONS)
        fields = {}
        for each in (*COMMON, *kind.fields):
            top = (1 << each.width) - 1
            small = min(top, rng.choice([0, 1, 2, 4, 16, 64]))
            fields[each.name] = rng.randint(0, small) if rng.random() < 0.9 else rng.randint(0, top)
            if each.name in ("address", "pitch"):
                fields[each.name] = rng.randrange(0, 2048, config.bus.data_bytes)
            if each.name in ("wait", "give") and (kind.name == "END" or rng.random() < 0.6):
                fields[each.name] = 0
        for count, size in (("groups", config.groups.coarse), ("row_tiles", config.rmc.rows)):
            source = {"groups": "inputs", "row_tiles": "outputs"}[count]
            if legal and count in fields and source in fields:
                fields[count] = min(-(-fields[source] // size), 0xFFFF)
        fields.pop("opcode")
        code = encode(kind.name, **fields)
        if all(rule.holds(decode(code)[1]) for rule in rules(config, kind.name)):
            break
    return code


def damaged(rng: random.Random, config: Config, code: list[bytes]) -> list[bytes]:
    """A program with some of it changed."""
    code = list(code)
    for _ in range(rng.choice([1, 1, 1, 2, 4])):
        at = rng.randrange(len(code))
        match rng.choice(["bit", "field", "swap", "drop", "double", "insert", "cut"]):
            case "bit":
                bits = int.from_bytes(code[at], "little") ^ 1 << rng.randrange(256)
                code[at] = bits.to_bytes(INSTRUCTION_BYTES, "little")
            case "field":
                instruction, fields, _ = decode(code[at])
                if instruction is not None:
                    each = rng.choice([*COMMON[1:], *instruction.fields])
                    fields[each.name] = rng.choice(
                        [0, 1, (1 << each.width) - 1, rng.randrange(1 << each.width)]
                    )
                    fields.pop("opcode")
                    code[at] = encode(instruction.name, **fields)
            case "swap":
                other = rng.randrange(len(code))
                code[at], code[other] = code[other], code[at]
            case "drop" if len(code) > 1:
                del code[at]
            case "double":
                code.insert(at, code[at])
            case "insert":
                code.insert(at, random_instruction(rng, config, True))
            case "cut":
                code = code[: at + 1]
    return code
