"""The host library against a processor without hardware."""

from __future__ import annotations

import numpy as np
import pytest
from fake_processor import FakeProcessor
from layers import activations, layer

from sevedo.gen.compile import compile_layers
from sevedo.gen.config import preset
from sevedo.gen.config.instructions import Error, Unit
from sevedo.gen.host.accelerator import Accelerator, HostError, ProcessorError
from sevedo.gen.host.transport import Range
from sevedo.ref.rounding import encode
from sevedo.sim.activity import State

TINY = preset("tiny")
TOKENS = 6
IMAGE, DATA = Range(0x1000, 0x10000), Range(0x20000, 0x4000)


@pytest.fixture(scope="module")
def layers():
    return {name: layer(TINY, (TOKENS, 70, outputs, 3))[0] for name, outputs in (("a", 9), ("b", 21))}


@pytest.fixture(scope="module")
def compiled(layers):
    return compile_layers(layers, TINY, TOKENS)


@pytest.fixture
def fake():
    return FakeProcessor(TINY)


@pytest.fixture
def accelerator(fake, compiled):
    found = Accelerator(fake, TINY)
    found.load(compiled, IMAGE, DATA)
    return found


def test_a_program_from_inputs_to_outputs(fake, accelerator, compiled, layers):
    x = {name: activations(TOKENS, 70, "outliers", seed) for seed, name in enumerate(layers)}
    data = compiled.data({name: encode(each, TINY.numbers.data_format).numpy() for name, each in x.items()})
    accelerator.write_data(bytes(data))
    accelerator.run(1000)
    assert not accelerator.running
    outputs = compiled.outputs(accelerator.read_data(0, compiled.data_bytes))
    for name, each in layers.items():
        np.testing.assert_array_equal(outputs[name], each.run(x[name]).output_bits.numpy())
    assert fake.granted == [IMAGE, DATA]
    assert len(accelerator.read_data(8)) == DATA.size - 8
    accelerator.run(1000)  # again, without a clear


def test_ranges_and_program_are_written_before_the_start(fake, accelerator, compiled):
    accelerator.run(1000)
    written = dict(fake.log)
    assert written["IMAGE_BASE_LOW"] | written["IMAGE_BASE_HIGH"] << 32 == IMAGE.base
    assert (written["IMAGE_SIZE"], written["DATA_SIZE"]) == (IMAGE.size, DATA.size)
    assert written["PROGRAM"] == compiled.program
    assert written["WATCHDOG"] > 0
    assert fake.log[-1] == ("CONTROL", 1)
    assert fake.log[-2] == ("INTERRUPT", 3)  # what was pending before is not taken for the end of this run


def test_high_addresses(fake, compiled):
    wide = TINY.replace(bus__address_bits=40)
    fake.values["CONFIGURATION"] = wide.fingerprint
    accelerator = Accelerator(fake, wide)
    accelerator.prepare(Range(0x12_3456_7800, 8), Range(0xFF_0000_0000, 16), 32)
    written = dict(fake.log)
    assert (written["IMAGE_BASE_HIGH"], written["IMAGE_BASE_LOW"]) == (0x12, 0x34567800)
    assert (written["DATA_BASE_HIGH"], written["DATA_BASE_LOW"]) == (0xFF, 0)


@pytest.mark.parametrize(
    ("register", "value", "message"),
    [
        ("ID", 0, "ID=0x00000000 must be 0x53564430: no SeVeDo processor answers"),
        ("VERSION", 2 << 16, r"VERSION.major=2 must be 1"),
        ("CONFIGURATION", 5, "CONFIGURATION=0x00000005 must be 0x.*another configuration"),
    ],
)
def test_what_answers_must_be_the_processor(fake, register, value, message):
    fake.values[register] = value
    with pytest.raises(HostError, match=message):
        Accelerator(fake, TINY)


def test_a_program_must_fit(fake, compiled):
    accelerator = Accelerator(fake, TINY)
    with pytest.raises(HostError, match="image: 64 bytes must be at least the "):
        accelerator.load(compiled, Range(0, 64), DATA)
    with pytest.raises(HostError, match="data: 8 bytes must be at least the "):
        accelerator.load(compiled, IMAGE, Range(0, 8))
    other = TINY.replace(rmc__cols=2, lvc__lanes=8)
    with pytest.raises(HostError, match="compiled for another configuration"):
        Accelerator(FakeProcessor(other), other).load(compiled, IMAGE, DATA)


@pytest.mark.parametrize("code", [code for code in Error if code is not Error.NONE])
def test_errors_say_what_who_which_and_where(fake, accelerator, code):
    fake.fault = code, Unit.LOAD, 1, 0x12_0000_0040
    with pytest.raises(ProcessorError, match=f"^{code.name} at instruction 1 .LOAD.: ") as caught:
        accelerator.run(1000)
    error = caught.value
    assert (error.code, error.unit, error.number, error.address) == (code, Unit.LOAD, 1, 0x12_0000_0040)
    assert "LOAD" in error.instruction
    assert "inputs=70" in error.instruction
    assert ("0x1200000040" in str(error)) == (code in (Error.RANGE, Error.READ, Error.WRITE))
    assert "\n" not in str(error)
    fake.fault = None
    with pytest.raises(HostError, match=r"STATUS\.failed=1 must be 0 to start a program: clear it first"):
        accelerator.run(1000)
    accelerator.clear()
    assert accelerator.error() is None
    accelerator.run(1000)


def test_errors_of_the_controller(fake, accelerator):
    fake.fault = Error.ILLEGAL, 7, 100_000, 0
    with pytest.raises(ProcessorError, match=r"^ILLEGAL at instruction 100000 \(controller\): an opcode"):
        accelerator.run(1000)
    fake.fault = None
    accelerator.clear()
    accelerator.stop()
    error = accelerator.error()
    assert error is not None
    assert error.unit is None


def test_a_processor_that_does_not_end(fake, accelerator):
    fake.hangs = True
    with pytest.raises(ProcessorError, match="the program is not done after 77 cycles") as caught:
        accelerator.run(77)
    assert caught.value.code is None
    assert accelerator.running
    with pytest.raises(HostError, match=r"STATUS\.running=1 must be 0 to start a program: wait for its end"):
        accelerator.start()


def test_counters(fake, accelerator):
    fake.counts = {"CYCLES": 5_000_000_000, "BYTES_READ": 1 << 33, "BYTES_WRITTEN": 7}
    for index, unit in enumerate(Unit):
        fake.counts |= {f"{unit.name}_{name}": 10 * index + value for name, value in (
            ("BUSY", 900), ("WAIT_TOKEN", 5), ("WAIT_INPUT", 300), ("WAIT_OUTPUT", 100))}  # fmt: skip
    fake.values["INSTRUCTIONS"] = 42
    counters = accelerator.counters()
    assert (counters.cycles, counters.bytes_read, counters.bytes_written) == (5_000_000_000, 1 << 33, 7)
    assert counters.instructions == 42
    assert counters.units[Unit.STREAM] == {
        State.BUSY: 910 - 310 - 110, State.WAITS: 15, State.STARVED: 310, State.BLOCKED: 110,
    }  # fmt: skip
    assert counters.data()["units"]["load"] == {"busy": 500, "waits": 5, "starved": 300, "blocked": 100}
