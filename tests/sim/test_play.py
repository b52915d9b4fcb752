"""The cocotb benches that `sevedo sim` runs, on small cores; and that they go red."""

from __future__ import annotations

import functools

import pytest
from layers import SMALL

import sevedo.hw.lvc.lane
from sevedo.gen.config import Rounding
from sevedo.hw.float import Convert
from sevedo.sim.bench import BenchError
from sevedo.sim.play import play_layer
from sevedo.sim.toolchain import shared_python

pytestmark = pytest.mark.skipif(
    shared_python() is None, reason="cocotb needs Python's shared library (package libpython3)"
)


def test_core_under_every_kind_of_stall() -> None:
    assert play_layer(SMALL, "core") == (2 * 2 * 4, 11)


def test_a_fault_turns_the_bench_red(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        sevedo.hw.lvc.lane, "Convert", functools.partial(Convert, rounding=Rounding.TOWARD_ZERO)
    )
    with pytest.raises(BenchError, match="differs"):
        play_layer(SMALL, "lvc")
