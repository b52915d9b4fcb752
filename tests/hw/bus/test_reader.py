"""The AXI reader against cocotbext-axi: every word, every rule, errors, halts, throughput; faults turn it red."""

from __future__ import annotations

from typing import Any

import pytest
from bus_configs import EVERY, config_of

from sevedo.gen.config import Config
from sevedo.hw.bus.payloads import beats_of_burst
from sevedo.hw.bus.reader import AxiReader, Clients
from sevedo.sim.bench import run_bench

BENCH = "reader_bench"
TESTS = 8


def clients_of(config: Config) -> Clients:
    """As the processor has them."""
    return ("fetch", 2), ("load", 4), ("stream", config.bus.outstanding)


def parameters_of(config: Config, rate: float) -> dict[str, Any]:
    """What the bench must know; `rate` are words a cycle."""
    return {
        "bytes": config.bus.data_bytes,
        "longest": beats_of_burst(config),
        "address_bits": config.bus.address_bits,
        "rate": rate,
    }


@pytest.mark.parametrize("data_bytes", EVERY)
def test_reader(data_bytes: int) -> None:
    """Where all bursts but one cover 100 cycles of latency, a word a cycle is asked of it."""
    config = config_of(data_bytes)
    unit = AxiReader(config, clients_of(config))
    covered = (config.bus.outstanding - 1) * beats_of_burst(config) > 110
    assert run_bench(unit, BENCH, parameters=parameters_of(config, 1.0 if covered else 0.05)) == TESTS
