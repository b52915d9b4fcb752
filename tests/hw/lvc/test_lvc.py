"""The low-rank vector core alone, fed with golden residual sums: every output bit."""

from __future__ import annotations

import functools

import pytest
from layers import CONTENTS, SMALL, layer
from streams_of import check_run

import sevedo.hw.lvc.lane
from sevedo.gen.config import Rounding
from sevedo.hw.float import Convert
from sevedo.hw.lvc.lvc import LowRankVectorCore
from sevedo.sim.player import Player, SimulationError
from sevedo.sim.unit_runs import lvc_run


@pytest.fixture(scope="module")
def player() -> Player:
    """The unit, compiled once."""
    return Player.of(LowRankVectorCore(SMALL))


@pytest.mark.parametrize("stall_in", [0.0, 0.25, 0.75])
@pytest.mark.parametrize("stall_out", [0.0, 0.25, 0.75])
def test_outputs_under_stalls(player: Player, stall_in: float, stall_out: float) -> None:
    seed = int(10 * stall_in + 100 * stall_out)
    counts = check_run(
        player, lvc_run(*layer(SMALL, (9, 40, 5, 3), "outliers", seed)), (stall_in, stall_out), seed
    )
    assert counts["y"].beats == 3 * 3 * 4


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("rank", [0, 1, 8])
def test_special_values(player: Player, content: str, rank: int) -> None:
    """Ranks of none, less than a block, and all that fits."""
    counts = check_run(player, lvc_run(*layer(SMALL, (9, 40, 10, rank), content, 1)))
    assert counts["bias"].beats == 3 * 5


def test_patient_receiver(player: Player) -> None:
    assert check_run(player, lvc_run(*layer(SMALL, (4, 16, 2, 2))), patient=True)["y"].beats == 4


def test_a_step_a_cycle(player: Player) -> None:
    """Projection of a long vector: token beats go in without a gap."""
    counts = check_run(player, lvc_run(*layer(SMALL, (4, 300, 2, 2))))["token"]
    assert counts.last - counts.first + 1 == counts.beats == 2 * 300


FAULTS = {
    "z rounded another way": (
        sevedo.hw.lvc.lane,
        "Convert",
        functools.partial(Convert, rounding=Rounding.TOWARD_ZERO),
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_caught(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module, name, replacement = FAULTS[fault]
    monkeypatch.setattr(module, name, replacement)
    faulty = Player.of(LowRankVectorCore(SMALL))
    with pytest.raises((AssertionError, SimulationError)):
        check_run(faulty, lvc_run(*layer(SMALL, (9, 40, 5, 3), "outliers", 0)))
