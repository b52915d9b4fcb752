"""The cycle model against simulations of the Verilog, to the cycle; and its shortcut against doing without."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import NamedTuple

import pytest
from layers import CLASSES, SMALL, layer, random_config, random_shape

from sevedo.gen.config import Config, preset
from sevedo.gen.estimate import LayerShape, cycles, predict, vector
from sevedo.gen.estimate.array import Array
from sevedo.gen.estimate.classes import Classes
from sevedo.gen.estimate.recurrence import State
from sevedo.sim.layer import RtlCore

Sizes = tuple[int, int, int, int]

SHAPES: list[Sizes] = [
    (1, 1, 1, 0),  # a single product
    (1, 48, 20, 0),  # decode
    (1, 40, 9, 3),
    (4, 16, 8, 0),  # whole tiles, no padding
    (9, 70, 7, 0),  # tails of all three
    (13, 90, 5, 3),
    (8, 16, 40, 0),  # tiles shorter than what their outputs take
    (8, 17, 40, 8),  # the vector core is slower
    (8, 300, 9, 1),  # the array is slower
    (3, 5, 60, 2),
    (20, 1, 2, 1),  # the shortest projections
    (40, 100, 14, 1),  # projections are the slowest
]


WIDE = SMALL.replace(
    rmc__rows=1,
    rmc__cols=16,
    groups__coarse=4,
    lvc__lanes=16,
    lvc__ranks=2,
    lvc__queue=2,
    rmc__activation_passes=2,
    rmc__weight_passes=2,
)
"""Takes wide codes, a beat for each pass; its sixteen outputs take longer than a short tile."""


class Measured(NamedTuple):
    """What a simulation took."""

    config: Config
    shape: LayerShape
    cycles: int


def simulate(config: Config, shapes: list[Sizes]) -> list[Measured]:
    """Layers on one core; where it takes wide codes, the cases alternate between all widths."""
    core = RtlCore.build(config)
    found = []
    for seed, sizes in enumerate(shapes):
        quantized, inputs, _ = layer(config, sizes, seed=seed)
        shape = LayerShape(
            "", *sizes,
            activation_passes=inputs.quantized.scheme.digits, weight_passes=quantized.weight.scheme.digits,
            int8_rank=quantized.class_rank(2), int4_rank=quantized.class_rank(1),
        )  # fmt: skip
        found.append(Measured(config, shape, core.run(quantized, inputs).cycles))
    return found


@pytest.fixture(scope="module")
def measured() -> list[Measured]:
    """Small cores with one, two and four token slots, with groups of tiles, one with wide codes, and layers that reach
    every wait.
    """
    return [
        *simulate(SMALL, SHAPES),
        *simulate(SMALL.replace(lvc__lanes=2, lvc__ranks=3), SHAPES),
        *simulate(SMALL.replace(lvc__lanes=24, lvc__ranks=8, lvc__queue=2, lvc__output_tokens=2), SHAPES),
        *simulate(WIDE, SHAPES),
        *simulate(CLASSES, SHAPES),
    ]


def test_cycles_of_small_cores(measured: list[Measured]) -> None:
    assert [predict(m.config, m.shape).cycles for m in measured] == [m.cycles for m in measured]
    assert len(measured) == 5 * len(SHAPES)
    assert sum(m.shape.int8_rank + m.shape.int4_rank > 0 for m in measured) > 8
    assert {m.shape.passes for m in measured} == {1, 2, 4}


@pytest.mark.parametrize("seed", [3, 4])  # built for tests/hw/core too; many more in tests/exact
def test_cycles_of_any_core(seed: int) -> None:
    config = random_config(seed)
    found = simulate(config, [random_shape(config, 100 * seed + case) for case in range(10)])
    assert [predict(m.config, m.shape).cycles for m in found] == [m.cycles for m in found]
    assert len(found) == 10


WAITS = ["sums_free", "queue", "expanded", "low_rank", "taken", "finished"]
"""Fields of a state: what a tile waits for."""


@pytest.mark.parametrize("fault", ["latency", "projection", "codes", "places", *WAITS])
def test_fault_in_the_model_is_noticed(
    measured: list[Measured], monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    match fault:
        case "latency":
            right = Array.of
            monkeypatch.setattr(
                cycles.Array, "of", lambda c, s: replace(right(c, s), latency=right(c, s).latency + 1)
            )
        case "codes":
            column = Classes.column
            monkeypatch.setattr(Classes, "column", lambda self, state: (column(self, state)[0], 0))
        case "places":
            right_depth = Classes.of
            monkeypatch.setattr(Classes, "of", lambda c, s: replace(right_depth(c, s), depth=9))
        case "projection":
            monkeypatch.setattr(vector.Vector, "project", lambda self, projected, room: projected)
        case _:
            group, tile = cycles._group, Array.tile

            def without(state: State) -> State:
                none = (0,) * len(state.queue) if fault == "queue" else 0
                return state._replace(**{fault: none})  # type: ignore[arg-type]

            if fault == "low_rank":
                finish = vector.Vector.finish
                monkeypatch.setattr(vector.Vector, "finish", lambda self, state: finish(self, without(state)))
            elif fault in ("sums_free", "queue"):
                monkeypatch.setattr(Array, "tile", lambda self, state: tile(self, without(state)))
            else:
                monkeypatch.setattr(cycles, "_group", lambda a, v, n, state: group(a, v, n, without(state)))
    assert any(predict(m.config, m.shape).cycles != m.cycles for m in measured)


def test_shortcut_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(4)
    shapes = [
        LayerShape(
            "", rng.randint(1, 200), rng.randint(1, 400), rng.randint(1, 400), rng.choice([0, 1, 5, 9])
        )
        for _ in range(40)
    ]
    configs = [
        SMALL.replace(lvc__lanes=rng.choice([2, 4, 8, 16]), lvc__max_rank=16, lvc__queue=rng.randint(1, 9))
        for _ in shapes
    ]
    short = [predict(c, s) for c, s in zip(configs, shapes, strict=True)]

    def one_by_one(step, state, times: int):
        for _ in range(times):
            state = step(state)
        return state

    monkeypatch.setattr(cycles, "repeat", one_by_one)
    assert [predict(c, s) for c, s in zip(configs, shapes, strict=True)] == short


def test_largest_layer_takes_no_longer() -> None:
    most = 1 << 24
    config = preset("core").replace(
        limits__inputs=most, limits__outputs=most, limits__tokens=most, lvc__max_rank=1024
    )
    found = predict(config, LayerShape("", most, most, most, 1024))
    assert found.busy == (most // 16) ** 3
    assert found.cycles > found.busy
    assert found.busy_share > 0.99
