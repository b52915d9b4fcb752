"""Counters in a memory, against sums of Python integers."""

from __future__ import annotations

import pytest

from sevedo.hw.bus.counters import Counters
from sevedo.sim.bench import run_bench

BENCH = "counters_bench"
TESTS = 4
GROWTHS = {
    "one": (("one", 1),),
    "two": (("one", 1), ("two", 2)),
    "six": (("one", 1), ("bytes", 8), ("two", 2), ("wide", 16), ("last", 1), ("even", 1)),
}


@pytest.mark.parametrize("growth", GROWTHS.values(), ids=GROWTHS)
def test_counters(growth: tuple[tuple[str, int], ...]) -> None:
    assert run_bench(Counters(growth), BENCH) == TESTS


def test_no_counters_are_refused() -> None:
    with pytest.raises(ValueError, match="growth must name at least one counter"):
        Counters(())
