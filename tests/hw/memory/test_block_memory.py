"""The block memory: what was written is read, once, in the next cycle, and held."""

from __future__ import annotations

import random

import pytest
from cycles import cycles

from sevedo.hw.memory.block import BlockMemory


@pytest.mark.parametrize(("width", "depth"), [(1, 1), (5, 2), (16, 7), (130, 64)])
def test_reads_give_what_was_written(width: int, depth: int) -> None:
    rng = random.Random(f"{width} {depth}")
    model: dict[int, int] = {}
    inputs: list[dict[str, int]] = []
    expected: list[int | None] = []
    shown: int | None = None
    for _ in range(2000):
        write, read = rng.randrange(depth), rng.randrange(depth)
        word = rng.choice([0, (1 << width) - 1, rng.getrandbits(width)])
        # A word that is written in this cycle, or was not written before, may be anything.
        w_en = rng.random() < 0.5
        r_en = rng.random() < 0.5 and read in model and not (w_en and read == write)
        inputs.append(
            {"w_en": w_en, "w_addr": write, "w_data": word, "r_en": r_en, "r_addr": read if r_en else write}
        )
        expected.append(shown)
        shown = model[read] if r_en else shown
        if w_en:
            model[write] = word
    unit = BlockMemory(width, depth)
    seen = [each["r_data"] for each in cycles(unit, inputs, ["r_data"])]
    assert len(set(seen)) > 1
    assert unit.latency == 1
    assert sum(each is not None for each in expected) > 1000
    assert all(want is None or want == got for want, got in zip(expected, seen, strict=True))


@pytest.mark.parametrize(
    ("size", "message"), [((0, 4), "width=0 must be at least 1"), ((4, 0), "depth=0 must be at least 1")]
)
def test_bad_sizes_are_refused(size: tuple[int, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        BlockMemory(*size)
