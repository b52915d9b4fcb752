"""The DRAM model: latency, bandwidth, order, stalls and errors, and that every broken rule turns it red."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from traffic_master import Fault, Register, TrafficMaster

from sevedo.gen.verilog.emitter import emit, verilog
from sevedo.gen.verilog.manifest import manifest
from sevedo.sim.dram import DECERR, SLVERR, DramModel, DramProcess, build
from sevedo.sim.player import SimulationError

BASE, SIZE, OUT = 0x1000, 0x10000, 0x40000
WORD = 16


@pytest.fixture(scope="module")
def master() -> Path:
    modules = emit(TrafficMaster(WORD))
    text = verilog(modules)
    return build(text, manifest(modules, text))


@pytest.fixture
def process(master):
    with DramProcess(master, DramModel()) as running:
        running.grant([(BASE, SIZE + 128)], [(OUT, SIZE)])
        yield running


def go(
    process: DramProcess, bursts: int, beats: int, write: bool, address: int | None = None, fault=0
) -> int:
    """Start the master, wait; the cycles from the write of CONTROL on."""
    where = (OUT if write else BASE) if address is None else address
    for register, value in (
        (Register.ADDRESS, where),
        (Register.LENGTH, beats - 1),
        (Register.BURSTS, bursts),
        (Register.WRITES, int(write)),
        (Register.FAULT, fault),
    ):
        process.write_register(register, value)
    before = process.counts().cycle
    process.write_register(Register.CONTROL, 1)
    assert process.run(100_000)
    return process.counts().cycle - before


def try_often(process: DramProcess, beats: int, write: bool, address: int, fault: Fault) -> None:
    """Some faults need a stall to show."""
    for _ in range(20):
        go(process, 40, beats, write, address, fault)
        process.read_register(Register.CONTROL)


def filled(process: DramProcess) -> int:
    """Random memory; the sum that the master makes of all of it."""
    words = np.random.default_rng(1).integers(0, 1 << 32, SIZE // 4, np.uint32)
    process.write_memory(BASE, words.tobytes())
    return int(words[:: WORD // 4].sum(dtype=np.uint64)) & 0xFFFFFFFF


def written(process: DramProcess, beats: int) -> np.ndarray:
    return np.frombuffer(process.read_memory(OUT, beats * WORD), np.uint32).reshape(beats, -1)


def test_memory_holds_what_it_is_given(process):
    data = np.random.default_rng(2).bytes(200_001)
    process.write_memory(0xFFFF_FFF0, data)
    assert process.read_memory(0xFFFF_FFF0, len(data)) == data
    assert process.read_memory(0xFFFF_FFE0, 16) == bytes(16)


@pytest.mark.parametrize("latency", [1, 2, 100])
@pytest.mark.parametrize("write", [False, True])
def test_latency(process, latency, write):
    process.set(DramModel(latency=latency))
    one, two = (go(process, 1, beats, write) for beats in (1, 2))
    # To start, to ask, and to say that it is done: a cycle each.
    assert (one, two) == (latency + 3, latency + 4)


@pytest.mark.parametrize("bandwidth", [1, 8, 12, 16, 32])
@pytest.mark.parametrize("write", [False, True])
def test_bandwidth(process, bandwidth, write):
    process.set(DramModel(latency=10, bandwidth=bandwidth))
    beats = 1024
    cycles = go(process, beats // 16, 16, write)
    least = beats * WORD / min(bandwidth, WORD)
    assert least - WORD <= cycles <= least + 10 + 20  # a beat may be saved up before the first


@pytest.mark.parametrize("outstanding", [1, 4])
def test_bursts_ahead_hide_latency(process, outstanding):
    process.set(DramModel(latency=100, outstanding=outstanding))
    cycles = go(process, 40, 8, False)
    assert abs(cycles - 40 / outstanding * (100 + 8)) <= 40 * 2 + 40


@pytest.mark.parametrize("stall", [0.0, 0.25, 0.75, (0.9, 0.0, 0.9, 0.9, 0.0, 0.5)])
@pytest.mark.parametrize(("reorder", "patient"), [(False, False), (True, False), (True, True)])
def test_lossless_under_stalls(process, stall, reorder, patient):
    process.set(DramModel(latency=9, stall=stall, reorder=reorder, patient=patient, seed=5))
    process.reset()
    total = filled(process)
    go(process, SIZE // WORD // 16, 16, False)
    assert process.read_register(Register.BEATS) == SIZE // WORD
    assert process.read_register(Register.SUM) == total
    go(process, 64, 16, True)
    assert (written(process, 1024) == np.arange(1024)[:, None]).all()
    assert process.read_register(Register.ERRORS) == 0


def test_the_seed_decides(process):
    model = DramModel(stall=0.3, reorder=True)
    runs = []
    for seed in (1, 1, 2):
        process.set(DramModel(**{**model.__dict__, "seed": seed}))
        process.reset()
        runs.append(go(process, 20, 16, False))
    assert runs[0] == runs[1] != runs[2]


def test_errors_are_answered_where_they_were_ordered(process):
    process.fault_range("read", BASE + 5 * 256, 300, DECERR)
    process.fault_access("read", 9)
    process.fault_access("write", 1, SLVERR)
    go(process, 12, 16, False)
    assert process.read_register(Register.ERRORS) == 3  # two bursts touch the range, one is the tenth
    process.write_memory(OUT, bytes(1024))
    go(process, 3, 16, True)
    assert process.read_register(Register.ERRORS) == 1
    assert not written(process, 48)[16:32].any()  # what failed was not written
    process.mend()
    go(process, 12, 16, False)
    assert process.read_register(Register.ERRORS) == 0


@pytest.mark.parametrize(
    ("fault", "write", "address", "beats", "message"),
    [
        (Fault.ADDRESS_CHANGES, False, BASE, 16, "AR payload changed before the transfer"),
        (Fault.ADDRESS_CHANGES, True, OUT, 16, "AW payload changed before the transfer"),
        (Fault.VALID_DROPS, False, BASE, 16, "ARVALID dropped before the transfer"),
        (Fault.LAST_MISSING, True, OUT, 4, "WLAST is missing at 0x40030"),
        (Fault.LAST_EARLY, True, OUT, 4, "WLAST is early at 0x40000"),
        (Fault.DATA_CHANGES, True, OUT, 4, "W payload changed before the transfer"),
        (Fault.FIXED_BURST, False, BASE, 4, "AR at 0x1000: burst type 0 is not INCR"),
        (Fault.STROBE_OUTSIDE, True, OUT, 4, "W strobe outside the beat at 0x40000"),
        (Fault.NONE, False, BASE + 0xF10, 16, "AR at 0x1f10: burst crosses a 4 KiB boundary"),
        (Fault.NONE, False, BASE, 65, "AR at 0x1000: 65 beats, more than 64"),
        (Fault.NONE, False, BASE - 16, 1, "AR of 16 bytes at 0xff0 is outside"),
        (Fault.NONE, False, BASE + SIZE + 112, 2, "AR of 32 bytes at 0x11070 is outside"),
        (Fault.NONE, False, OUT, 1, "AR of 16 bytes at 0x40000 is outside"),
        (Fault.NONE, True, BASE, 1, "AW of 16 bytes at 0x1000 is outside"),
        (Fault.REGISTER_SILENT, False, BASE, 1, "register 0x0 does not answer"),
        (Fault.ANSWER_DROPS, False, BASE, 1, "register RVALID dropped before the transfer"),
        (Fault.ANSWERS_UNASKED, False, BASE, 1, "register read answered before it was asked"),
    ],
)
def test_broken_rules_are_caught(process, fault, write, address, beats, message):
    process.set(DramModel(burst=64, stall=0.6))
    with pytest.raises(SimulationError, match=f"cycle .*: {message}"):
        try_often(process, beats, write, address, fault)
    with pytest.raises(SimulationError, match=message):  # it stays so
        process.run(1)
    process.reset()
    assert go(process, 1, 1, True) < 200


def test_a_master_that_waits_for_ready_stands_still(process):
    process.set(DramModel(patient=True))
    with pytest.raises(AssertionError):
        go(process, 1, 1, False, None, Fault.WAITS_FOR_READY)
    process.reset()
    assert go(process, 1, 1, False) < 200


def test_error_responses_of_registers_are_told(process):
    with pytest.raises(SimulationError, match="register 0x80: read answered with response 2"):
        process.read_register(0x80)
    with pytest.raises(SimulationError, match="register 0x80: write answered with response 2"):
        process.write_register(0x80, 0)


def test_trace(process, tmp_path):
    path = tmp_path / "trace"
    process.trace(path, 100)
    go(process, 30, 16, False)
    process.stop_trace()
    records = list(struct.iter_unpack("<QIIII", path.read_bytes()))
    counts = process.counts()
    activity = [each for each in records if each[1] == 0]
    traffic = [each for each in records if each[1] == 1]
    assert [words[2] for words in activity] == [*range(31), 30]
    assert sum(words[2] for words in traffic) == counts.read_bytes == 30 * 16 * WORD
    assert [words[0] for words in traffic[:-1]] == list(range(100, counts.cycle + 1, 100))
    assert activity[-1][0] == counts.cycle


@pytest.mark.parametrize("data_bytes", [4, 8, 32])
def test_other_widths(data_bytes):
    modules = emit(TrafficMaster(data_bytes, 40))
    text = verilog(modules)
    with DramProcess(build(text, manifest(modules, text)), DramModel(latency=3, stall=0.3)) as process:
        process.grant([(BASE, SIZE)], [(OUT, SIZE)])
        words = np.random.default_rng(1).integers(0, 1 << 32, 64 * data_bytes // 4, np.uint32)
        process.write_memory(BASE, words.tobytes())
        go(process, 16, 4, False)
        assert (
            process.read_register(Register.SUM) == int(words[:: data_bytes // 4].sum(dtype=np.uint64)) % 2**32
        )
        go(process, 16, 4, True)
        found = np.frombuffer(process.read_memory(OUT, 64 * data_bytes), np.uint32).reshape(64, -1)
        assert (found == np.arange(64)[:, None]).all()


def test_waves(tmp_path):
    modules = emit(TrafficMaster(4))
    text = verilog(modules)
    path = tmp_path / "wave.vcd"
    executable = build(text, manifest(modules, text), waves=True)
    with DramProcess(executable, DramModel(), path) as process:
        process.grant([(BASE, SIZE)], [])
        go(process, 2, 4, False)
    content = path.read_text()
    assert "m_axi_araddr" in content
    assert content.count("\n#") > 100  # times
