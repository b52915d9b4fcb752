"""The coarse-scale unit: the contract's four FP32 operations, groups with and without gaps."""

from __future__ import annotations

import random

import numpy as np
import pytest
from cycles import cycles

from sevedo.gen.config import FP16, FP32, NO_PIPELINE, Pipeline
from sevedo.hw.rmc.csu import CoarseScaleUnit

BITS, PLACES, SHARE = 18, 4, 2
SPECIAL = (0, 0x8000, 1, 0x03FF, 0x0400, 0x3C00, 0x7BFF, 0xFBFF, 0x7C00, 0xFC00, 0x7E00)
"""FP16: zeros, subnormals, the smallest normal, 1, the largest, infinities, NaN."""


def _single(bits: int) -> np.float32:
    return np.array([bits], np.uint16).view(np.float16)[0].astype(np.float32)


def _bits(value: np.float32) -> int:
    return FP32.nan if np.isnan(value) else int(np.array([value], np.float32).view(np.uint32)[0])


def _groups(count: int, special: bool, rng: random.Random) -> list[dict[str, int]]:
    limit = 1 << (BITS - 1)
    groups = []
    for _ in range(count):
        number = rng.choice([0, 1, -1, limit - 1, -limit, rng.randrange(-limit, limit)])
        scales = [
            rng.choice(SPECIAL) if special and rng.random() < 0.3 else rng.randrange(0x2000, 0x4400)
            for _ in "xw"
        ]
        groups.append(
            {"sum": number, "x_scale": scales[0], "w_scale": scales[1], "first": int(rng.random() < 0.2)}
        )
    return groups


PIPELINES = [
    NO_PIPELINE,
    Pipeline(multiply=0, scale=0, add=0, convert=0, quantize=0, two_path=True),
    Pipeline(multiply=1, scale=2, add=1, convert=2, quantize=0, two_path=True),
    Pipeline(multiply=4, scale=3, add=4, convert=1, quantize=0, two_path=False),
]


@pytest.mark.parametrize("gaps", [0.0, 0.25, 0.75])
@pytest.mark.parametrize("pipeline", PIPELINES)
def test_every_sum(gaps: float, pipeline: Pipeline) -> None:
    rng = random.Random(f"{gaps} True")
    groups = _groups(150, True, rng)
    unit = CoarseScaleUnit(BITS, PLACES, FP16, SHARE, pipeline)
    for group in groups[:SHARE]:
        group["first"] = 1
    sums = [np.float32(0)] * SHARE
    expected: dict[int, int] = {}
    inputs: list[dict[str, int]] = []
    with np.errstate(all="ignore"):
        for index, group in enumerate(groups):
            while rng.random() < gaps:
                inputs.append({**rng.choice(groups), "valid": 0})
            slot = index % SHARE
            scale = _single(group["x_scale"]) * _single(group["w_scale"])
            term = np.float32(group["sum"] / 2**PLACES) * scale
            sums[slot] = (np.float32(0) if group["first"] else sums[slot]) + term
            expected[len(inputs) + unit.latency] = _bits(sums[slot])
            inputs.append({**group, "valid": 1})
    inputs += [{**groups[0], "valid": 0}] * unit.latency
    seen = cycles(unit, inputs, ["result"])
    results = {cycle: seen[cycle]["result"] for cycle in expected}
    assert results == expected
    assert len(results) == 150
    assert len(set(results.values())) > 50


def test_share_must_be_positive() -> None:
    with pytest.raises(ValueError, match="share=0 must be at least 1"):
        CoarseScaleUnit(BITS, PLACES, FP16, 0)
