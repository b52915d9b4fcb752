"""A lane of the vector core: products, running sums, and the rounding of what comes out."""

from __future__ import annotations

import random

import numpy as np
import pytest
from cycles import cycles

from sevedo.gen.config import FP16, FP32, NO_PIPELINE, Pipeline
from sevedo.hw.lvc.lane import VectorLane

SPECIAL = (0, 0x8000, 1, 0x03FF, 0x0400, 0x3C00, 0x7BFF, 0xFBFF, 0x7C00, 0xFC00, 0x7E00)


def _half(bits: int) -> np.float32:
    return np.array([bits], np.uint16).view(np.float16)[0].astype(np.float32)


PIPELINES = [
    NO_PIPELINE,
    Pipeline(multiply=0, scale=0, add=0, convert=0, quantize=0, two_path=True),
    Pipeline(multiply=1, scale=2, add=1, convert=2, quantize=0, two_path=True),
    Pipeline(multiply=4, scale=3, add=4, convert=1, quantize=0, two_path=False),
]


@pytest.mark.parametrize("slots", [1, 3])
@pytest.mark.parametrize("gaps", [0.0, 0.25, 0.75])
@pytest.mark.parametrize("rounds", [False, True])
@pytest.mark.parametrize("pipeline", PIPELINES)
def test_every_sum(slots: int, gaps: float, rounds: bool, pipeline: Pipeline) -> None:
    unit = VectorLane(FP16, slots, rounds, pipeline)
    rng = random.Random(f"{slots} {gaps}")
    sums = [np.float32(0)] * slots
    inputs: list[dict[str, int]] = []
    expected: dict[int, int] = {}
    step = 0
    with np.errstate(all="ignore"):
        for step in range(200):
            a, b = (
                rng.choice(SPECIAL) if rng.random() < 0.1 else rng.randrange(0x3000, 0x4400) for _ in "ab"
            )
            values = {
                "a": a,
                "b": b ^ rng.choice((0, 0x8000)),
                "first": int(step < slots or rng.random() < 0.2),
            }
            while rng.random() < gaps:
                inputs.append({**values, "a": 0x7E00, "valid": 0})
            term = _half(values["a"]) * _half(values["b"])
            slot = step % slots
            sums[slot] = (np.float32(0) if values["first"] else sums[slot]) + term
            bits = int(sums[slot].view(np.uint32))
            if rounds:
                bits = int(np.float16(sums[slot]).view(np.uint16))
            if np.isnan(sums[slot]):
                bits = FP16.nan if rounds else FP32.nan
            expected[len(inputs) + unit.latency] = bits
            inputs.append({**values, "valid": 1})
    inputs += [{"valid": 0}] * unit.latency
    seen = cycles(unit, inputs, ["result"])
    results = {cycle: seen[cycle]["result"] for cycle in expected}
    assert results == expected
    assert step + 1 == len(results) == 200
    assert len(set(results.values())) > 50
