"""The board's memory against cocotbext-axi, at several widths of the bus; faults turn it red."""

from __future__ import annotations

import pytest

from sevedo.gen.config import preset
from sevedo.gen.verilog.emitter import emit, verilog
from sevedo.hw.board.memory import BoardMemory
from sevedo.sim.bench import BenchError, run_bench

SIZE, TESTS = 8192, 4


def memory(data_bytes: int) -> BoardMemory:
    return BoardMemory(preset("tiny").replace(bus__data_bytes=data_bytes, bus__address_bits=32), SIZE)


@pytest.mark.parametrize("data_bytes", [4, 16])
def test_memory(data_bytes: int) -> None:
    parameters = {"bytes": data_bytes, "size": SIZE}
    assert run_bench(memory(data_bytes), "memory_bench", parameters=parameters) == TESTS


def test_a_fault_turns_it_red() -> None:
    """The host's words in the wrong place of a wide word."""
    unit = memory(16)
    text = verilog(emit(unit))
    wrong = text.replace("w_data(", "w_data(~", 1)
    assert wrong != text
    with pytest.raises(BenchError):
        run_bench(unit, "memory_bench", testcase="reads_and_writes_share", verilog=wrong,
                  parameters={"bytes": 16, "size": SIZE})  # fmt: skip


@pytest.mark.parametrize("size", [0, 4095, 6000])
def test_bad_sizes_are_refused(size: int) -> None:
    with pytest.raises(ValueError, match=f"size={size} must be a multiple of 4096, and not 0"):
        BoardMemory(preset("tiny"), size)
