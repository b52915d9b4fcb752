"""Benches in cocotb: a stream buffer under every stall, and every broken rule turning its bench red."""

from __future__ import annotations

import pytest
from amaranth.hdl import signed
from amaranth.lib import data
from faulty_buffer import Fault, FaultyBuffer

from sevedo.hw.stream.buffer import StreamBuffer
from sevedo.sim.bench import BenchError, run_bench
from sevedo.sim.toolchain import build_folder, shared_python

LAYOUT = data.StructLayout({"codes": data.ArrayLayout(signed(4), 17), "scale": 16, "last": 1})


pytestmark = pytest.mark.skipif(
    shared_python() is None, reason="cocotb needs Python's shared library (package libpython3)"
)


@pytest.mark.parametrize(("shape", "depth"), [(LAYOUT, 2), (8, 5)])
def test_stream_buffer(shape, depth):
    buffer = StreamBuffer(shape, depth)
    ran = run_bench(
        buffer, "sevedo.sim.benches.stream_buffer", parameters={"beats": 150, "latency": buffer.latency}
    )
    assert ran == 12


def test_a_wrong_declared_latency_is_red():
    with pytest.raises(BenchError, match="declared_latency"):
        run_bench(
            StreamBuffer(8, 5), "sevedo.sim.benches.stream_buffer", testcase="declared_latency",
            parameters={"beats": 1, "latency": 2},
        )  # fmt: skip


def test_without_a_fault_the_faulty_buffer_is_green():
    assert run_bench(FaultyBuffer(11), "faulty_bench", parameters={"fault": Fault.NONE}) == 1


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (Fault.VALID_DROPS, "stream o, beat 4: valid dropped before the transfer"),
        (Fault.PAYLOAD_CHANGES, "stream o, beat 4: payload changed before the transfer"),
        (Fault.LOSES_A_BEAT, "stream o, beat 29: no transfer for 100 cycles, 30 beats expected"),
        (Fault.DOUBLES_A_BEAT, "stream o, beat 31: surplus beat: 30 were expected"),
        (Fault.WAITS_FOR_READY, "stream o, beat 4: no transfer for 100 cycles"),
        (Fault.FLIPS_A_BIT, "a beat arrived changed"),
        (Fault.STICKS, "stream o, beat 4: no transfer for 100 cycles"),
    ],
)
def test_a_broken_rule_turns_the_bench_red(fault, message):
    with pytest.raises(BenchError, match=message):
        run_bench(FaultyBuffer(11), "faulty_bench", parameters={"fault": fault})


def test_no_test_is_no_success():
    with pytest.raises((BenchError, SystemExit, RuntimeError)):
        run_bench(FaultyBuffer(11), "faulty_bench", testcase="absent", parameters={"fault": 0})


def test_waves(monkeypatch):
    monkeypatch.setenv("WAVES", "1")
    file = build_folder() / "waves" / f"{FaultyBuffer(11).module_name}.all.vcd"
    file.unlink(missing_ok=True)
    run_bench(FaultyBuffer(11), "faulty_bench", parameters={"fault": 0})
    text = file.read_text()
    assert "$var" in text
    assert " o_valid " in text


def test_bad_depth():
    with pytest.raises(ValueError, match="depth=1 must be at least 2"):
        StreamBuffer(8, 1)
