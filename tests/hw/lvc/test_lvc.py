"""The low-rank vector core alone, fed with golden residual sums: every output bit."""

from __future__ import annotations

import functools
import inspect
import sys

import numpy as np
import pytest
from layers import CONTENTS, SMALL, layer
from streams_of import check_run

import sevedo.hw.lvc.lane
import sevedo.hw.lvc.lvc
from sevedo.gen.config import Config, Rounding
from sevedo.hw.float import Convert
from sevedo.hw.lvc.expander import Expander
from sevedo.hw.lvc.finisher import Finisher
from sevedo.hw.lvc.lvc import LowRankVectorCore
from sevedo.hw.lvc.projector import Projector
from sevedo.hw.stream.queue import TileQueue
from sevedo.hw.unit import Unit
from sevedo.sim.player import Player, SimulationError
from sevedo.sim.unit_runs import UnitRun, lvc_run


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
    """Projection of a long vector: operands go in without a gap."""
    counts = check_run(player, lvc_run(*layer(SMALL, (4, 300, 2, 2))))
    for name in ("token", "v"):
        assert counts[name].last - counts[name].first + 1 == counts[name].beats == 300


def test_projection_is_ahead(player: Player) -> None:
    """Of three column tiles, the second is projected while the first is expanded, and the third almost."""
    counts = check_run(player, lvc_run(*layer(SMALL, (12, 40, 60, 4))))
    slots = SMALL.rmc.cols // SMALL.lvc_tokens
    # U of a column tile takes 30 tiles x 4 ranks x 2 slots; V 40 cycles, all but the first of them behind that.
    assert counts["u"].last - counts["u"].first + slots == 3 * 30 * 4 * slots
    assert counts["token"].last < counts["u"].first + 30 * 4 * slots + 5


@pytest.mark.parametrize(
    "change",
    [
        {"lvc__lanes": 2, "lvc__ranks": 3},
        {"lvc__lanes": 16, "lvc__ranks": 1, "lvc__queue": 3, "lvc__output_tokens": 4},
        {"lvc__lanes": 24, "lvc__ranks": 8, "lvc__output_tokens": 2},
        {"lvc__tokens": 1, "pipeline__multiply": 2, "pipeline__add": 3, "pipeline__convert": 1},
        {
            "lvc__tokens": 2,
            "lvc__ranks": 4,
            "pipeline__multiply": 1,
            "pipeline__add": 1,
            "pipeline__two_path": True,
        },
    ],
)
def test_other_sizes(change: dict[str, int]) -> None:
    """One token a step; two row tiles at once, all outputs of a tile in a cycle; three, of which some lack."""
    config = SMALL.replace(**change)
    player = Player.of(LowRankVectorCore(config))
    for case, shape in enumerate([(9, 40, 9, 3), (4, 1, 1, 1), (5, 3, 20, 8), (3, 7, 11, 0)]):
        for stall in ((0.0, 0.0), (0.25, 0.25), (0.75, 0.0), (0.0, 0.75)):
            counts = check_run(player, lvc_run(*layer(config, shape, CONTENTS[case], case)), stall, case)
            beats = -(-shape[0] // 4) * -(-shape[2] // 2) * 4 // config.lvc.output_tokens
            assert counts["y"].beats == beats


def _one_after_another(config: Config, seed: int) -> UnitRun:
    """Layers of all kinds whose streams follow each other without a pause."""
    shapes = [
        (8, 6, 20, 5),
        (5, 40, 3, 3),
        (9, 1, 20, 1),
        (5, 16, 7, 0),
        (1, 1, 1, 1),
        (3, 9, 2, 0),
        (4, 12, 9, 8),
    ]
    runs = [lvc_run(*layer(config, each, "outliers", seed + case)) for case, each in enumerate(shapes)]
    return UnitRun(
        runs[0].unit,
        {name: np.concatenate([run.words[name] for run in runs]) for name in runs[0].words},
        {name: np.concatenate([run.masks[name] for run in runs]) for name in runs[0].masks},
    )


@pytest.mark.parametrize("stall", [(0.0, 0.0), (0.25, 0.25), (0.75, 0.0), (0.0, 0.75)])
def test_layers_follow_each_other(player: Player, stall: tuple[float, float]) -> None:
    counts = check_run(player, _one_after_another(SMALL, 3), stall)
    assert counts["command"].beats == 7


def faulty(unit: type[Unit], old: str, new: str) -> type[Unit]:
    """The class of `unit` with a fault in its source."""
    module = sys.modules[unit.__module__]
    source = inspect.getsource(module)
    assert source.count(old) == 1
    space = dict(vars(module))
    exec(compile(source.replace(old, new), str(module.__file__), "exec"), space)
    found: type[Unit] = space[unit.__name__]
    return found


SLOTS = [
    ("projector.write << projector.slot", "projector.write.replicate(projected)"),
    ("projector.write << projector.slot", "projector.write"),
]
"""Deliberate faults where tokens take turns on lanes."""

FAULTS: dict[str, tuple[type[Unit], str, str]] = {
    "z overwritten": (Projector, "(~last | self.room | (slot != 0))", "1"),
    "z too early": (Projector, "for stage in range(self.latency)", "for stage in range(1)"),
    "sums overwritten": (Expander, "~last | outputs.room | (self.slot != 0)", "1"),
    "rank of another block": (Expander, "self.element == config.lvc.ranks - 1", "0"),
    "last group again": (Expander, "row_tile + tiles >= layer.row_tiles", "row_tile + tiles > layer.row_tiles"),
    "low-rank sum with rank 0": (Finisher, "Mux(added, self.low_rank.p[token][row], 0)", "self.low_rank.p[token][row]"),
    "bias of another tile": (Finisher, "self.bias.ready.eq(go & last_beat)", "self.bias.ready.eq(go)"),
    "queue overflows": (TileQueue, "(held != self.depth)", "1"),
}  # fmt: skip
"""Deliberate faults: where, what, and by what it is replaced."""


FEW = SMALL.replace(rmc__rows=1, rmc__cols=2, lvc__lanes=1, lvc__ranks=2)
"""A core that compiles sooner, for faults."""


def _is_caught(unit: type[Unit] = LowRankVectorCore, config: Config = FEW) -> bool:
    """Whether the checks go red on a core that is built now."""
    player = Player.of(unit(config))
    try:
        for seed in range(2):
            check_run(player, _one_after_another(config, seed), (0.0, 0.25 * seed), seed)
    except (AssertionError, SimulationError):
        return True
    return False


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_caught(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    unit, old, new = FAULTS[fault]
    monkeypatch.setattr(sevedo.hw.lvc.lvc, unit.__name__, faulty(unit, old, new))
    assert _is_caught()


@pytest.mark.parametrize(("old", "new"), SLOTS)
def test_faults_of_slots_are_caught(old: str, new: str) -> None:
    config = FEW.replace(lvc__tokens=1)
    assert not _is_caught(LowRankVectorCore, config)
    assert _is_caught(faulty(LowRankVectorCore, old, new), config)


def test_rounding_fault_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """z rounded another way."""
    other = functools.partial(Convert, rounding=Rounding.TOWARD_ZERO)
    monkeypatch.setattr(sevedo.hw.lvc.lane, "Convert", other)
    assert _is_caught()


def test_without_a_fault_nothing_is_caught() -> None:
    assert not _is_caught()
