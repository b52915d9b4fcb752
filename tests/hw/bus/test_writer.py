"""The AXI writer against cocotbext-axi: every byte of memory, every rule, errors, halts, throughput."""

from __future__ import annotations

from typing import Any

import pytest
from bus_configs import EVERY, config_of

from sevedo.gen.config import Config
from sevedo.hw.bus.payloads import beats_of_burst
from sevedo.hw.bus.writer import AxiWriter
from sevedo.sim.bench import run_bench

BENCH = "writer_bench"
TESTS = 7


def parameters_of(config: Config) -> dict[str, Any]:
    """What the bench must know; `rate` are words a cycle."""
    longest = beats_of_burst(config)
    covered = longest >= 16  # by the bursts that the memory takes
    return {
        "bytes": config.bus.data_bytes,
        "longest": longest,
        "address_bits": config.bus.address_bits,
        "rate": 1.0 if covered else 0.2,
        "latency": 40 if covered else 0,
    }


@pytest.mark.parametrize("data_bytes", EVERY)
def test_writer(data_bytes: int) -> None:
    config = config_of(data_bytes)
    assert run_bench(AxiWriter(config), BENCH, parameters=parameters_of(config)) == TESTS
