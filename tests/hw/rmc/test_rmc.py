"""The residual matrix core alone: its FP32 sums against the golden model, every bit."""

from __future__ import annotations

import functools

import pytest
from layers import CONTENTS, SMALL, layer
from streams_of import check_run

import sevedo.hw.float.ring
import sevedo.hw.rmc.csu
from sevedo.gen.config import Rounding
from sevedo.hw.float import Add, Multiply
from sevedo.hw.rmc.rmc import ResidualMatrixCore
from sevedo.sim.player import Player, SimulationError
from sevedo.sim.unit_runs import rmc_run


@pytest.fixture(scope="module")
def player() -> Player:
    """The unit, compiled once."""
    return Player.of(ResidualMatrixCore(SMALL))


@pytest.mark.parametrize("stall_in", [0.0, 0.25, 0.75])
@pytest.mark.parametrize("stall_out", [0.0, 0.25, 0.75])
def test_sums_under_stalls(player: Player, stall_in: float, stall_out: float) -> None:
    seed = int(10 * stall_in + 100 * stall_out)
    counts = check_run(
        player, rmc_run(*layer(SMALL, (9, 70, 5, 0), "outliers", seed)), (stall_in, stall_out), seed
    )
    assert counts["sums"].beats == 3 * 3 * 2


@pytest.mark.parametrize("content", CONTENTS)
def test_special_values(player: Player, content: str) -> None:
    counts = check_run(player, rmc_run(*layer(SMALL, (9, 70, 6, 0), content, 1)))
    assert counts["x"].beats == 3 * 3 * 5 * 4


def test_patient_receiver(player: Player) -> None:
    """The sums are offered before anyone is ready for them."""
    assert check_run(player, rmc_run(*layer(SMALL, (4, 16, 2, 0))), patient=True)["sums"].beats == 2


def test_declared_latency(player: Player) -> None:
    counts = check_run(player, rmc_run(*layer(SMALL, (4, 64, 2, 0))))
    assert counts["sums"].first - counts["x"].last == ResidualMatrixCore(SMALL).latency


@pytest.mark.parametrize("passes", [1, 2])
def test_registered_dot_products(passes: int) -> None:
    """Every control signal moves with its operands: stalls, special values, several passes, and the latency."""
    config = SMALL.replace(pipeline__dot=1, rmc__activation_passes=passes)
    player = Player.of(ResidualMatrixCore(config))
    for stall in (0.0, 0.0), (0.25, 0.75), (0.75, 0.25):
        counts = check_run(player, rmc_run(*layer(config, (9, 70, 5, 0), "outliers", 3)), stall, 3)
        assert counts["sums"].beats == 3 * 3 * 2
    counts = check_run(player, rmc_run(*layer(config, (4, 64, 2, 0))))
    latency = ResidualMatrixCore(config).latency
    assert counts["sums"].first - counts["x"].last == latency
    assert latency == ResidualMatrixCore(config.replace(pipeline__dot=0)).latency + 1


FAULTS = {
    "product truncated": (
        sevedo.hw.rmc.csu,
        "Multiply",
        functools.partial(Multiply, rounding=Rounding.TOWARD_ZERO),
    ),
    "sum truncated": (sevedo.hw.float.ring, "Add", functools.partial(Add, rounding=Rounding.TOWARD_ZERO)),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_rounding_faults_are_caught(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module, name, replacement = FAULTS[fault]
    monkeypatch.setattr(module, name, replacement)
    faulty = Player.of(ResidualMatrixCore(SMALL))
    with pytest.raises((AssertionError, SimulationError)):
        check_run(faulty, rmc_run(*layer(SMALL, (9, 200, 5, 0), "outliers", 0)))
