"""The description of instructions and operands: no two fields in one place, every rule can be broken and kept."""

from __future__ import annotations

import random
from collections.abc import Mapping

import pytest
from programs import processor_config

from sevedo.gen.config import Config, preset
from sevedo.gen.config.instructions import (
    BY_NAME,
    BY_OPCODE,
    COMMON,
    INSTRUCTION_BYTES,
    INSTRUCTIONS,
    decode,
    encode,
    rules,
)
from sevedo.gen.config.operands import NAMES, operands

CORE = preset("core")
LEGAL: Mapping[str, Mapping[str, int]] = {
    "LOAD": {"segment": 1, "address": 32, "pitch": 768, "row": 3, "tokens": 16, "inputs": 384},
    "STREAM": {"address": 160, "words": 9, "count_v": 3, "count_w": 16383},
    "QUANTIZE": {"tokens": 1, "inputs": 65, "groups": 2, "multiplier_row": 128, "group": 32},
    "MATMUL": {
        "inputs": 65, "groups": 2, "group": 62, "rank": 9, "rank_blocks": 2, "row_tiles": 4096, "int8_rows": 2,
        "int8_blocks": 1, "int4_rows": 3, "int4_blocks": 2,
    },
    "STORE": {"address": 16, "pitch": 32, "tokens": 16, "outputs": 33, "row_tiles": 3},
    "SYNC": {"unit": 4, "wait": 3},
    "END": {},
}  # fmt: skip
"""An instruction of each kind that preset `core` takes."""

BROKEN = [
    ("LOAD", {"inputs": 0}), ("LOAD", {"inputs": 2049}), ("LOAD", {"tokens": 0}), ("LOAD", {"tokens": 17}),
    ("LOAD", {"address": 8}), ("LOAD", {"pitch": 1}), ("LOAD", {"row": 105}), ("LOAD", {"target": 1}),
    ("LOAD", {"target": 1, "tokens": 1, "row": 233}),
    ("STREAM", {"address": 1}), ("STREAM", {"words": 0}), ("STREAM", {"count_v": 0, "count_w": 0}),
    ("QUANTIZE", {"groups": 1}), ("QUANTIZE", {"groups": 3}), ("QUANTIZE", {"row": 124}), ("QUANTIZE", {"group": 63}),
    ("QUANTIZE", {"multiplier_row": 252}), ("QUANTIZE", {"inputs": 0, "groups": 0}), ("QUANTIZE", {"tokens": 17}),
    ("MATMUL", {"inputs": 2049, "groups": 33}), ("MATMUL", {"groups": 1}), ("MATMUL", {"row": 124}),
    ("MATMUL", {"multiplier_row": 252}), ("MATMUL", {"group": 63}), ("MATMUL", {"rank": 65, "rank_blocks": 9}),
    ("MATMUL", {"rank_blocks": 1}), ("MATMUL", {"rank_blocks": 3}), ("MATMUL", {"row_tiles": 0}),
    ("MATMUL", {"row_tiles": 4097}), ("MATMUL", {"int8_rows": 3, "int8_blocks": 2}), ("MATMUL", {"int8_blocks": 0}),
    ("MATMUL", {"int4_rows": 5, "int4_blocks": 3}), ("MATMUL", {"int4_blocks": 3}), ("MATMUL", {"wide_weights": 1}),
    ("MATMUL", {"wide_activations": 1}),
    ("STORE", {"tokens": 0}), ("STORE", {"address": 4}), ("STORE", {"pitch": 4}), ("STORE", {"row_tiles": 2}),
    ("STORE", {"row_tiles": 4}), ("STORE", {"outputs": 0, "row_tiles": 0}),
    ("STORE", {"outputs": 65537, "row_tiles": 4097}),
    ("SYNC", {"unit": 5}), ("END", {"wait": 1}), ("END", {"give": 128}),
]  # fmt: skip


def is_legal(config: Config, name: str, fields: Mapping[str, int]) -> bool:
    """By the rules, of fields as they are decoded."""
    _, found, excess = decode(encode(name, **fields))
    return not excess and all(rule.holds(found) for rule in rules(config, name))


def test_no_two_fields_share_a_bit() -> None:
    assert len(BY_OPCODE) == len(BY_NAME) == len(INSTRUCTIONS)
    for instruction in INSTRUCTIONS:
        fields = [*COMMON, *instruction.fields]
        assert sum(field.width for field in fields) == bin(instruction.used).count("1")
        assert instruction.used < 1 << 8 * INSTRUCTION_BYTES


def test_what_was_encoded_is_decoded() -> None:
    rng = random.Random(0)
    for instruction in INSTRUCTIONS:
        for _ in range(50):
            fields = {f.name: rng.getrandbits(f.width) for f in (*COMMON[1:], *instruction.fields)}
            found, values, excess = decode(encode(instruction.name, **fields))
            assert (found, excess) == (instruction, False)
            assert values == fields | {"opcode": instruction.opcode}
    assert decode(bytes(32)) == (None, {}, True)
    assert decode(bytes([7, *30 * [0], 1]))[2]


def test_what_cannot_be_encoded() -> None:
    for fields, message in (
        ({"inputs": 1 << 24}, "LOAD.inputs=16777216 must be between 0 and 16777215"),
        ({"row": -1}, "LOAD.row=-1 must be between 0 and 65535"),
        ({"rows": 1}, "LOAD has no field rows"),
        ({"opcode": 1}, "LOAD has no field opcode"),
    ):
        with pytest.raises(ValueError, match=message):
            encode("LOAD", **fields)


@pytest.mark.parametrize("name", LEGAL)
def test_rules_can_be_kept(name: str) -> None:
    assert is_legal(CORE, name, LEGAL[name])


@pytest.mark.parametrize(("name", "change"), BROKEN)
def test_rules_can_be_broken(name: str, change: dict[str, int]) -> None:
    assert not is_legal(CORE, name, {**LEGAL[name], **change})


def test_every_rule_is_broken_by_one_of_them() -> None:
    seen = {
        (name, rule.text)
        for name, change in BROKEN
        for rule in rules(CORE, name)
        if not rule.holds(decode(encode(name, **{**LEGAL[name], **change}))[1])
    }
    assert seen == {(name, rule.text) for name in LEGAL for rule in rules(CORE, name)}


def test_what_a_processor_has_not_is_illegal() -> None:
    fpga = preset("fpga")
    assert is_legal(fpga, "STREAM", {"words": 1, "count_w": 1})
    assert not is_legal(fpga, "STREAM", {"words": 1, "count_int_v": 1})
    fields = {"inputs": 64, "groups": 1, "row_tiles": 1}
    assert is_legal(fpga, "MATMUL", fields)
    assert not is_legal(fpga, "MATMUL", fields | {"int8_rows": 1, "int8_blocks": 1})
    mx = CORE.with_scheme("mx")
    assert not is_legal(mx, "STREAM", {"words": 1, "count_w_fine": 1})


@pytest.mark.parametrize("seed", range(20))
def test_slots_and_sections(seed: int) -> None:
    config = processor_config(seed)
    bus = 8 * config.bus.data_bytes
    found = operands(config)
    assert list(found) == [name for name in NAMES if name in found]
    for name, operand in found.items():
        slot = operand.slot(bus)
        assert NAMES[operand.index] == name
        assert slot >= operand.width
        assert slot >= 8
        assert slot % bus == 0 or (bus % slot == 0 and slot & (slot - 1) == 0)
        assert slot == 8 or slot % bus == 0 or slot < 2 * operand.width
        assert operand.beats_in_word(bus) == 1 or operand.words_of_beat(bus) == 1
        for beats in (1, 2, 7, 33):
            words = operand.words(beats, bus)
            assert words * bus >= beats * slot > (words - max(1, slot // bus)) * bus
        assert operand.depth >= 2
