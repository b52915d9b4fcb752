"""Programs that nobody would write: random ones that keep the rules, and compiled ones with bits flipped."""

from __future__ import annotations

import random

from sevedo.gen.config import Config
from sevedo.gen.config.instructions import Segment, encode
from sevedo.gen.config.operands import operands


def random_instruction(config: Config, sizes: tuple[int, int], rng: random.Random) -> bytes:
    """One that is legal more often than not; `sizes` are those of the image and data segments."""
    rmc, lvc, bus = config.rmc, config.lvc, config.bus.data_bytes
    inputs = rng.randint(1, min(config.operand_inputs, 3 * config.groups.coarse))
    groups = -(-inputs // config.groups.coarse)
    segment, row_tiles, rank = rng.choice(list(Segment)), rng.randint(1, 4), rng.randint(0, lvc.max_rank)

    def address(size: int) -> int:
        return rng.randrange(max(size, 1)) // bus * bus

    name = rng.choice(["LOAD", "STREAM", "QUANTIZE", "MATMUL", "STORE", "SYNC"])
    match name:
        case "LOAD":
            target = rng.randint(0, 1)
            fields = {
                "segment": segment, "target": target, "address": address(sizes[segment]),
                "pitch": rng.choice([0, 2 * bus, address(400)]), "row": rng.randint(0, 3),
                "tokens": 1 if target else rng.randint(1, rmc.cols), "inputs": inputs,
            }  # fmt: skip
        case "STREAM":
            chosen = rng.sample(list(operands(config)), rng.randint(1, 3))
            fields = {f"count_{each}": rng.randint(1, 9) for each in chosen}
            words = sum(operands(config)[each].words(fields[f"count_{each}"], 8 * bus) for each in chosen)
            fields |= {
                "segment": segment, "address": address(sizes[segment]),
                "words": max(1, words * rng.randint(1, 5) + rng.choice([0, 0, 0, -1, 1])),
            }  # fmt: skip
        case "QUANTIZE":
            fields = {
                "row": rng.randint(0, 2), "tokens": rng.randint(1, rmc.cols), "inputs": inputs, "groups": groups,
                "multiplier_row": rng.randint(0, 2), "group": rng.randint(0, 1),
            }  # fmt: skip
        case "MATMUL":
            rank = rng.choice([0, 0, min(rank, 3)])
            fields = {
                "row": rng.randint(0, 2), "multiplier_row": rng.randint(0, 2), "inputs": inputs, "groups": groups,
                "group": rng.randint(0, 1), "rank": rank, "rank_blocks": -(-rank // lvc.ranks),
                "row_tiles": row_tiles, "wide_weights": rng.randint(0, rmc.weight_passes - 1),
                "wide_activations": rng.randint(0, rmc.activation_passes - 1),
            }  # fmt: skip
            for each in config.rank_classes:
                blocks = rng.choice([0, 1])
                fields |= {f"{each.name}_rows": blocks, f"{each.name}_blocks": blocks}
        case "STORE":
            fields = {
                "address": address(sizes[1]), "pitch": address(300), "tokens": rng.randint(1, rmc.cols),
                "outputs": row_tiles * rmc.rows - rng.randint(0, rmc.rows - 1), "row_tiles": row_tiles,
            }  # fmt: skip
        case _:
            fields = {"unit": rng.randint(0, 4)}
    for mask in ("wait", "give"):
        fields[mask] = 1 << rng.randrange(8) if rng.random() < 0.2 else 0
    return encode(name, **fields)


def random_program(config: Config, sizes: tuple[int, int], count: int, seed: int) -> bytes:
    """Some instructions and END; now and then with a bit flipped."""
    rng = random.Random(seed)
    code = b"".join(random_instruction(config, sizes, rng) for _ in range(rng.randint(1, count)))
    code += encode("END")
    return flipped(code, 1, rng) if rng.random() < 0.3 else code


def flipped(content: bytes, bits: int, rng: random.Random) -> bytes:
    """With some bits flipped."""
    found = bytearray(content)
    for _ in range(bits):
        found[rng.randrange(len(found))] ^= 1 << rng.randrange(8)
    return bytes(found)
