"""The processor in Verilator: what the host reads of it is what happened; `sevedo simulate`."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from small_processor import Good, good_program, small_config

from sevedo.gen.cli import main
from sevedo.gen.compile import load_compiled, save_compiled
from sevedo.gen.config.instructions import Error, Segment, Unit
from sevedo.gen.host import run as runs
from sevedo.gen.host.accelerator import Accelerator, ProcessorError
from sevedo.gen.host.inputs import encoded, random_inputs
from sevedo.gen.host.program import ProgramSteps
from sevedo.gen.host.run import RtlProcessor, first_difference, golden
from sevedo.gen.host.transport import SimulationTransport
from sevedo.sim.activity import State
from sevedo.sim.dram import DramModel, DramProcess

LIMIT = 1_000_000


@pytest.fixture(scope="module")
def processor() -> RtlProcessor:
    return RtlProcessor.build(small_config())


@pytest.fixture(scope="module")
def good() -> Good:
    return good_program(small_config(), 1, 3)


@pytest.mark.parametrize(
    ("model", "base"),
    [
        (DramModel(), 0x1000_0000),
        (DramModel(latency=1, bandwidth=64), 0xFFC0),
        (DramModel(latency=300, bandwidth=0.5), 0x8000_0020),
        (DramModel(latency=20, stall=0.3, seed=1, reorder=True), 0x40),
        (DramModel(latency=5, stall=(0.8, 0.2, 0.8, 0.5, 0.9, 0.5), seed=2, patient=True), 0xF000_0000),
    ],
)
def test_data_are_right_on_any_dram(processor, good, model, base):
    found = processor.run(good.compiled, good.data, model, limit=LIMIT, base=base)
    assert first_difference(found.data, good.wanted) is None
    assert found.data != good.data


def test_counters_are_what_happened(processor, good):
    found = processor.run(good.compiled, good.data, DramModel(latency=30, bandwidth=4), limit=LIMIT)
    counters, activity = found.counters, found.activity
    for unit in Unit:
        seen = activity.cycles(unit)
        assert counters.units[unit] == {state: seen[state] for state in State if state is not State.IDLE}, (
            unit
        )
        assert seen[State.BUSY] > 0
    assert counters.bytes_read == activity.traffic[:, 1].sum()
    assert counters.instructions == good.compiled.instructions
    began = min(next(activity.runs(unit)).start for unit in Unit)
    ended = max(run.end for unit in Unit for run in activity.runs(unit))
    assert ended - began <= counters.cycles <= activity.end - activity.start
    numbers = sorted(run.instruction for unit in Unit for run in activity.runs(unit))
    assert numbers == list(range(good.compiled.instructions - 1))  # each of them once, but END


def test_errors_reach_the_host(processor, good):
    with DramProcess(processor.executable, DramModel(latency=10)) as process:
        accelerator = Accelerator(SimulationTransport(process), processor.config)
        image, data = runs.places(good.compiled, 0x1000)
        accelerator.load(good.compiled, image, data)
        accelerator.write_data(good.data)
        steps = ProgramSteps(good.compiled).steps
        bad = next(step for step in steps if step.name == "LOAD" and step.fields["segment"] == Segment.DATA)
        process.fault_range("read", data.base + bad.fields["address"], 8)
        with pytest.raises(
            ProcessorError, match=rf"READ at instruction {bad.number} \(LOAD\): .*; LOAD segment=data"
        ) as caught:
            accelerator.run(LIMIT)
        assert caught.value.code is Error.READ
        assert caught.value.unit is Unit.LOAD
        assert caught.value.address == data.base + bad.fields["address"]
        process.mend()
        accelerator.clear()
        accelerator.write_data(good.data)
        accelerator.run(LIMIT)
        assert first_difference(accelerator.read_data(), good.wanted) is None


def test_the_watchdog(processor, good):
    with DramProcess(processor.executable, DramModel(latency=300)) as process:
        accelerator = Accelerator(SimulationTransport(process), processor.config)
        image, data = runs.places(good.compiled, 0x1000)
        accelerator.load(good.compiled, image, data)
        accelerator.write_data(good.data)
        for watchdog, code in ((100, Error.STALL), (0, None), (1000, None)):  # 0: never
            accelerator.prepare(image, data, good.compiled.program, watchdog)
            accelerator.start()
            assert accelerator.wait(LIMIT)
            error = accelerator.error()
            assert (None if error is None else error.code) is code
            accelerator.clear()
        assert first_difference(accelerator.read_data(), good.wanted) is None


@pytest.fixture
def folder(tmp_path, good, processor, monkeypatch) -> Path:
    """A compiled program in DIR; the processor is not generated again."""
    save_compiled(tmp_path / "DIR", good.compiled)
    monkeypatch.setattr(RtlProcessor, "build", lambda config, waves=False, gates=False: processor)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def simulate(*arguments: str) -> int:
    """The command; its exit code."""
    with pytest.raises(SystemExit) as end:
        main(["simulate", *arguments])
    return int(str(end.value.code))


def test_simulate(folder, good, capsys):
    assert simulate("DIR", "--seed", "3", "--latency", "20", "--timeline", "t.json", "--json", "f.json",
                    "--outputs", "y.npz") == 0  # fmt: skip
    shown = capsys.readouterr().out
    assert "every bit equal" in shown
    assert all(unit.name in shown for unit in Unit)
    figures = json.loads((folder / "f.json").read_text())
    assert figures["bit_exact"] is True
    assert [each["name"] for each in figures["layers"]] == ["fc0", "fc1", "fc2"]
    assert 0 < figures["bound"]["share"] <= 1
    assert figures["counters"]["cycles"] == figures["cycles"]
    parts = sum(each["cycles"] for each in figures["layers"])
    assert figures["cycles"] / 2 < parts <= figures["cycles"]
    assert figures["bytes"]["read"] <= figures["counters"]["bytes_read"]
    events = json.loads((folder / "t.json").read_text())["traceEvents"]
    assert {e["args"]["layer"] for e in events if e.get("cat") == "instruction"} == {"fc0", "fc1", "fc2"}
    x = encoded(good.compiled, random_inputs(good.compiled, 3))
    wanted, _ = golden(good.compiled, bytes(good.compiled.data(x)))
    found = np.load(folder / "y.npz")
    for name, bits in good.compiled.outputs(wanted).items():
        assert np.array_equal(found[name].view("u2"), bits)


def test_simulate_own_inputs(folder, good, capsys):
    x = {
        name: torch.ones(good.compiled.tokens, region.numbers)
        for name, region in good.compiled.inputs.items()
    }
    np.savez(folder / "x.npz", **{name: each.numpy() for name, each in x.items()})  # type: ignore[arg-type]
    assert (
        simulate("DIR", "--inputs", "x.npz", "--outputs", "y.npz", "--stall", "0.2", "--bandwidth", "2.5")
        == 0
    )
    wanted, _ = golden(good.compiled, bytes(good.compiled.data(encoded(good.compiled, x))))
    bits = good.compiled.outputs(wanted)["fc1"]
    assert np.array_equal(np.load(folder / "y.npz")["fc1"].view("u2"), bits)


def test_a_slow_dram_is_no_stall(folder, capsys):
    """The watchdog waits longer than the slowest answer."""
    assert simulate("DIR", "--latency", "110000") == 0
    assert "every bit equal" in capsys.readouterr().out


def test_a_bit_that_differs_is_told(folder, good, capsys, monkeypatch):
    def wrong(compiled, data):
        segment, report = golden(compiled, data)
        segment[compiled.layer("fc2").output.offset + 1] ^= 4
        return segment, report

    monkeypatch.setattr(runs, "golden", wrong)
    assert simulate("DIR") == 1
    at = good.compiled.layer("fc2").output.offset + 1
    assert f"NOT equal to the Python machine: first at byte {at} of the data segment, output of fc2" in (
        capsys.readouterr().out
    )


def test_a_processor_that_fails_is_told(folder, capsys, monkeypatch):
    monkeypatch.setattr(runs, "PATIENCE", 0)
    assert simulate("DIR") == 1
    assert "the processor failed: the program is not done after 0 cycles" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("none",), "none/program.json must be a file"),
        (("DIR", "--inputs", "x.npz", "--text", "a"), "inputs and text cannot both be given"),
        (("DIR", "--inputs", "none.npz"), "inputs=none.npz cannot be read"),
        (("DIR", "--text", "a"), "text needs a model"),
        (("DIR", "--latency", "0"), "latency"),
        (("DIR", "--bandwidth", "nan"), "nan is no number"),
        (("DIR", "--stall", "nan"), "nan is no number"),
        (("DIR", "--clock-mhz", "nan"), "nan is no number"),
        (("DIR", "--json", "none/x.json"), "its folder .* does not exist"),
    ],
)
def test_mistakes_are_one_line(folder, capsys, arguments, message):
    assert simulate(*arguments) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert re.search(message, error), error


def test_a_changed_image_is_refused(folder, good, capsys):
    path = folder / "DIR" / "image.bin"
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)
    assert simulate("DIR") == 2
    assert "SHA-256" in capsys.readouterr().err
    path.write_bytes(content[:-1])
    assert simulate("DIR") == 2
    content[100] ^= 1
    path.write_bytes(content)
    assert load_compiled(folder / "DIR").image == good.compiled.image
