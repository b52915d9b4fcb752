"""From a program to the core's streams: every beat that the golden schedule has, under every stall; faults show."""

from __future__ import annotations

from types import ModuleType

import pytest
from faulty import faulty
from front_runs import FrontBench, FrontRun, check_front, front_run
from layers import activations, layer
from programs import processor_config, random_layers

import sevedo.hw.feed.front
from sevedo.gen.config import Config, preset
from sevedo.hw.feed.column_feeder import ColumnFeeder
from sevedo.hw.feed.group_feeder import GroupFeeder
from sevedo.hw.feed.matmul import MatmulIssuer
from sevedo.hw.feed.quantize import QuantizeUnit
from sevedo.hw.feed.section_feeder import SectionFeeder
from sevedo.hw.feed.token_feeder import TokenFeeder
from sevedo.hw.unit import Unit
from sevedo.sim.player import Player, SimulationError
from sevedo.sim.streams import BATTERY

SMALL = preset("tiny").replace(
    rmc__rows=2, rmc__cols=2, rmc__lanes=4, groups__fine=4, groups__coarse=16, lvc__lanes=8, lvc__max_rank=5,
    lvc__ranks=2, lvc__int8_ranks=3, lvc__int4_ranks=5, lvc__int_ranks=2, lvc__int_lanes=4, lvc__int_tokens=1,
    rmc__activation_passes=2, rmc__weight_passes=2, limits__inputs=100, limits__outputs=64, limits__tokens=64,
    memory__iomem_kib=1, memory__weights_kib=1, bus__data_bytes=8,
)  # fmt: skip
"""Everything there is in one: codes of one digit and two on both sides, both classes, two row tiles at once."""

SHAPES = ((3, 50, 5, 3), (3, 17, 4, 0), (3, 36, 7, 5), (3, 64, 2, 2), (3, 40, 9, 4))
"""(T, K, N, rank): with tails, without ranks, more ranks than a block, whole groups."""


def _layers(config: Config) -> FrontRun:
    layers = {f"fc{n}": layer(config, shape, "normal", n)[0] for n, shape in enumerate(SHAPES)}
    kinds = ("outliers", "zeros", "nan", "subnormal", "normal")
    x = {f"fc{n}": activations(shape[0], shape[1], kinds[n], n) for n, shape in enumerate(SHAPES)}
    return front_run(config, layers, x)


@pytest.fixture(scope="module")
def run() -> FrontRun:
    return _layers(SMALL)


@pytest.fixture(scope="module")
def player(run: FrontRun) -> Player:
    return Player.of(FrontBench(SMALL, run.size))


@pytest.mark.parametrize("stalls", BATTERY, ids=str)
def test_every_beat_under_every_stall(player: Player, run: FrontRun, stalls) -> None:
    assert check_front(player, run, (stalls.input, stalls.output), 1, stalls.patient) > 2000


def test_a_register_behind_the_memory() -> None:
    """What `pipeline.quantize` = 2 adds before the smoothing multipliers."""
    config = SMALL.replace(pipeline__quantize=2)
    run = _layers(config)
    player = Player.of(FrontBench(config, run.size))
    for stalls in BATTERY:
        assert check_front(player, run, (stalls.input, stalls.output), 1, stalls.patient) > 2000


@pytest.mark.parametrize("slow", ["load_data", "stream_data", "w", "x", "token", "int_u", "bias", "v"])
def test_one_slow_stream(player: Player, run: FrontRun, slow: str) -> None:
    only = {slow: 0.9}
    assert check_front(player, run, (only, only) if slow.endswith("data") else (0.0, only)) > 2000  # type: ignore[arg-type]


def test_vectors_can_fail(run: FrontRun) -> None:
    """Neither constant nor empty, and most bits are compared."""
    for name, words in run.expected.items():
        assert len(words) > 3, name
        assert len({word.tobytes() for word in words}) > 1, name
    compared = sum(int(mask.astype(bool).sum()) for mask in run.masks.values())
    assert compared > 0.6 * sum(mask.size for mask in run.masks.values())


@pytest.mark.parametrize("seed", [0, 3, 4, 9])
def test_any_configuration(seed: int) -> None:
    config = processor_config(seed)
    layers, x = random_layers(config, seed, 3)
    found = front_run(config, layers, x)
    player = Player.of(FrontBench(config, found.size))
    for stall in ((0.0, 0.0), (0.25, 0.75)):
        assert check_front(player, found, stall) > 0


FRONT = sevedo.hw.feed.front
FAULTS: dict[str, tuple[ModuleType, type[Unit], str, str]] = {
    "digits of weights swapped": (FRONT, GroupFeeder, "Mux(w_low, per_group, 0)", "Mux(w_low, 0, per_group)"),
    "a window too short": (FRONT, GroupFeeder, "per_group << work.wide_w", "per_group"),
    "padding kept": (FRONT, GroupFeeder, "port.last.eq(last)", "port.last.eq(0)"),
    "digits of activations swapped": (FRONT, GroupFeeder, "low, other[0], other[1])", "low, other[1], other[0])"),
    "another coarse group": (FRONT, GroupFeeder, "self.read_group.eq(work.group + group)", "self.read_group.eq(group)"),
    "columns not repeated for blocks of tokens": (FRONT, ColumnFeeder, "part == parts - 1,", "part == part,"),
    "columns of the wrong class": (FRONT, ColumnFeeder, "Mux(walk.which, first_size, 0)", "Mux(walk.which, 0, 0)"),
    "sections run together": (FRONT, SectionFeeder, "source.last.eq(ends)", "source.last.eq(0)"),
    "x' of the tail not masked": (FRONT, QuantizeUnit, "Mux(mask[lane], unit.result, 0)", "unit.result"),
    "a number too many": (FRONT, QuantizeUnit, "Cat(now > lane", "Cat(now >= lane"),
    "codes of two layers in one place": (FRONT, QuantizeUnit, "work.group * beats + beat", "beat"),
    "another input's multiplier": (FRONT, TokenFeeder, "self.all_multiplier_row.eq(work.multiplier_row + row)",
                                   "self.all_multiplier_row.eq(row)"),
    "a row too few": (FRONT, TokenFeeder, "left <= lanes, block", "left <= lanes + 2, block"),
    "done before its readers": (FRONT, MatmulIssuer, "self.done.eq(Cat(*ahead).all())", "self.done.eq(ahead[0])"),
}  # fmt: skip
"""Deliberate faults: where, what, and by what it is replaced."""


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_caught(fault: str, run: FrontRun, monkeypatch: pytest.MonkeyPatch) -> None:
    where, unit, old, new = FAULTS[fault]
    monkeypatch.setattr(where, unit.__name__, faulty(unit, old, new))
    player = Player.of(FrontBench(SMALL, run.size))

    def plays() -> None:
        for seed, stall in enumerate([(0.0, 0.0), (0.0, 0.75), (0.25, 0.25)]):
            check_front(player, run, stall, seed)

    with pytest.raises((AssertionError, SimulationError)):
        plays()
