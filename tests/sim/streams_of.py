"""A unit with streams against the words that the golden model expects."""

from __future__ import annotations

import numpy as np

from sevedo.gen.verilog.manifest import streams
from sevedo.sim.player import Player, StreamCounts
from sevedo.sim.unit_runs import UnitRun


def check_run(
    player: Player,
    run: UnitRun,
    stall: tuple[float, float] = (0.0, 0.0),
    seed: int = 0,
    patient: bool = False,
) -> dict[str, StreamCounts]:
    """Every word of every output equals the expected one, every input was consumed; what happened on the streams."""
    outputs = {port.name for port in streams(run.unit) if port.direction == "out"}
    played = player.run(
        {name: words for name, words in run.words.items() if name not in outputs},
        {name: len(run.words[name]) for name in outputs},
        stall=stall,
        seed=seed,
        patient=patient,
    )
    for name in outputs:
        expected = run.words[name]
        assert played.outputs[name].shape == expected.shape
        different = int(((played.outputs[name] ^ expected) & run.masks[name]).any(axis=1).sum())
        assert different == 0, f"{name}: {different} of {len(expected)} beats differ"
        assert run.masks[name].any(), f"{name}: nothing was compared"
        assert len(np.unique(expected)) > 1 or expected.size == 1, f"{name}: constant expectation"
    return played.counts
