"""The processor with a DRAM: layers bit for bit, every error told as it is, clear brings it back, its counters."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from program_campaign import DATA, IMAGE, LIMIT
from small_processor import Good, good_program, small_config

from sevedo.gen.config import Config, ConfigError, preset
from sevedo.gen.config.instructions import Error, Unit, encode
from sevedo.gen.host.accelerator import Accelerator, HostError, ProcessorError
from sevedo.gen.host.registers import mask
from sevedo.gen.host.run import RtlProcessor
from sevedo.gen.host.transport import Range, SimulationTransport
from sevedo.hw.processor.processor import Processor
from sevedo.sim.activity import State
from sevedo.sim.dram import DramModel, DramProcess

CONFIG = small_config()
BUS = CONFIG.bus.data_bytes
SIZE = 4096
"""Bytes of each segment in the tests of errors."""


class Bench:
    """A processor in Verilator, and programs for it."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.process = DramProcess(RtlProcessor.build(config).executable, DramModel())
        self.accelerator = Accelerator(SimulationTransport(self.process), config)

    def run(
        self, program: list[bytes], *, image: int = SIZE, data: int = SIZE, start: int = 0, watchdog: int = 2000,
        meanwhile: Callable[[], None] = lambda: None,
    ) -> ProcessorError | None:  # fmt: skip
        """Instructions from the start of the image on; what went wrong."""
        self.process.set(DramModel(latency=7))
        self.process.write_memory(IMAGE, bytes(SIZE))
        self.process.write_memory(IMAGE, b"".join(program))
        self.accelerator.prepare(Range(IMAGE, image), Range(DATA, data), start, watchdog)
        self.accelerator.start()
        meanwhile()
        assert self.accelerator.wait(LIMIT), "neither done nor failed"
        found = self.accelerator.error()
        self.process.mend()
        return found

    def check_good(self, good: Good, model: DramModel) -> None:
        """A compiled program: all of its data are right, to the last bit."""
        compiled = good.compiled
        self.process.set(model)
        self.process.write_memory(DATA, good.data)
        self.accelerator.load(compiled, Range(IMAGE, len(compiled.image)), Range(DATA, len(good.data)))
        self.accelerator.run(LIMIT)
        found = np.frombuffer(self.process.read_memory(DATA, len(good.data)), np.uint8)
        np.testing.assert_array_equal(found, np.frombuffer(good.wanted, np.uint8))


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    found = Bench(CONFIG)
    yield found
    found.process.close()


@pytest.fixture(scope="module")
def good() -> Good:
    return good_program(CONFIG, 3, 4)


MODELS = {
    "near": DramModel(latency=1, bandwidth=64),
    "far": DramModel(latency=300, bandwidth=64),
    "narrow": DramModel(latency=20, bandwidth=1),
    "stalls": DramModel(latency=5, stall=0.25, seed=1),
    "more stalls": DramModel(latency=5, stall=0.75, seed=2),
    "patient": DramModel(latency=5, patient=True),
    "one at a time": DramModel(latency=30, outstanding=1),
}


@pytest.mark.parametrize("model", MODELS)
def test_layers_on_any_dram(bench: Bench, good: Good, model: str) -> None:
    assert len({good.wanted[n : n + 2] for n in range(0, len(good.wanted), 2)}) > 20
    assert good.wanted != good.data
    bench.check_good(good, MODELS[model])
    assert bench.process.counts().written_bytes > 0


LOAD = {"segment": 1, "tokens": 1, "inputs": 16}
END = encode("END")
STREAM = {"count_w": 3, "words": 4}  # two bundles: two of these beats fill a bus word
STORE = {"tokens": 1, "outputs": 2, "row_tiles": 1}
NOTHING = {"inputs": 16, "groups": 1, "row_tiles": 1}

ERRORS: dict[str, tuple[list[bytes], dict[str, int], Error, Unit | None, int, int | None]] = {
    "an opcode that there is not": ([encode("SYNC"), b"\x63" + bytes(31), END], {}, Error.ILLEGAL, None, 1, None),
    "zeros": ([bytes(32)], {}, Error.ILLEGAL, None, 0, None),
    "a bit that no field has": ([b"\x07\0\0\x01" + bytes(28)], {}, Error.ILLEGAL, None, 0, None),
    "END with tokens": ([encode("END", give=1)], {}, Error.ILLEGAL, None, 0, None),
    "too many inputs": ([encode("LOAD", **{**LOAD, "inputs": 97}), END], {}, Error.ILLEGAL, None, 0, None),
    "an address between words": ([encode("LOAD", **LOAD, address=4), END], {}, Error.ILLEGAL, None, 0, None),
    "a program without an end": ([encode("SYNC")] * (SIZE // 32), {}, Error.RANGE, None, SIZE // 32, None),
    "a program outside": ([END], {"start": SIZE}, Error.RANGE, None, 0, None),
    "a program between instructions": ([END], {"start": 8}, Error.RANGE, None, 0, None),
    "an empty image": ([END], {"image": 0}, Error.RANGE, None, 0, None),
    "LOAD beyond the data": (
        [encode("SYNC"), encode("LOAD", **LOAD, address=SIZE - 24), END],
        {}, Error.RANGE, Unit.LOAD, 1, DATA + SIZE - 24,
    ),
    "the second row beyond": (
        [encode("LOAD", **{**LOAD, "tokens": 2}, address=0, pitch=SIZE), END],
        {}, Error.RANGE, Unit.LOAD, 0, DATA + SIZE,
    ),
    "STREAM beyond the image": (
        [encode("STREAM", **STREAM, address=SIZE - BUS), END], {}, Error.RANGE, Unit.STREAM, 0, IMAGE + SIZE - BUS,
    ),
    "a STREAM of the largest size": (
        [encode("STREAM", count_w=1, words=(1 << 32) - 1), END], {}, Error.RANGE, Unit.STREAM, 0, IMAGE,
    ),
    "words that end within a bundle": (
        [encode("SYNC", unit=1), encode("STREAM", **{**STREAM, "words": STREAM["words"] - 1}), END],
        {}, Error.STREAM, Unit.STREAM, 1, None,
    ),
    "a token that never comes": (
        [encode("SYNC", unit=2, give=1), encode("LOAD", **LOAD, wait=2), encode("SYNC", unit=0), END],
        {}, Error.TOKEN_MISSING, Unit.LOAD, 1, None,
    ),
    "sixteen tokens": ([encode("SYNC", give=4)] * 16 + [END], {}, Error.TOKEN_OVERFLOW, Unit.LOAD, 15, None),
    "a give that was forgotten": (
        [encode("SYNC", unit=0), encode("MATMUL", **NOTHING, wait=1), encode("STORE", **STORE),
         *[encode("STREAM", **STREAM)] * 60, END], {}, Error.TOKEN_MISSING, Unit.MATMUL, 1, None,
    ),
    "operands that never come": ([encode("MATMUL", **NOTHING), END], {}, Error.STALL, Unit.MATMUL, 0, None),
    "outputs that never come": ([encode("STORE", **STORE), END], {}, Error.STALL, Unit.STORE, 0, None),
    "operands that nobody takes": ([encode("STREAM", **STREAM), END], {}, Error.STALL, None, 2, None),
    "a section that is too short": (
        [encode("STREAM", count_bias=1, count_w_scale=1, count_w_fine=4, count_w=3, words=5),
         encode("MATMUL", **NOTHING), encode("STORE", **STORE), END], {}, Error.STREAM, Unit.MATMUL, 1, None,
    ),
    "a buffer that nobody empties": (
        [encode("STREAM", **STREAM)] * 60 + [END], {}, Error.STALL, Unit.STREAM, -1, None,
    ),
}  # fmt: skip
"""Programs that fail: instructions, how they are run, error, unit, number of the instruction (-1: any), address."""


@pytest.mark.parametrize("case", ERRORS)
def test_errors_are_told(bench: Bench, good: Good, case: str) -> None:
    program, options, code, unit, number, address = ERRORS[case]
    found = bench.run(program, **options)  # type: ignore[arg-type]
    assert found is not None
    assert (found.code, found.unit) == (code, unit), str(found)
    assert number in (-1, found.number), str(found)
    assert address is None or found.address == address, str(found)
    assert bench.accelerator.registers.field("INTERRUPT", "failed") == 1
    assert bench.accelerator.registers.field("STATUS", "bus_idle") == 1
    # A start before the clear does nothing, not even behind the library's back; after it the processor is as new.
    bench.accelerator.registers.write("CONTROL", mask("CONTROL", "start"))
    assert not bench.accelerator.running
    bench.accelerator.clear()
    assert bench.accelerator.error() is None
    bench.check_good(good, DramModel(latency=3))


def test_bus_errors_name_the_instruction(bench: Bench, good: Good) -> None:
    """Of two LOADs and of two STREAMs, whose requests run ahead, the second one is the bad one."""
    bench.process.fault_range("read", DATA + 1024, 64)
    loads = [encode("LOAD", **LOAD), encode("LOAD", **LOAD, address=1024), END]
    found = bench.run(loads)
    assert found is not None
    assert (found.code, found.unit, found.number, found.address) == (Error.READ, Unit.LOAD, 1, DATA + 1024)
    bench.accelerator.clear()
    bench.process.fault_range("read", IMAGE + 2048, 64)
    streams = [encode("STREAM", **STREAM), encode("STREAM", **STREAM, address=2048), END]
    found = bench.run(streams)
    assert found is not None
    assert (found.code, found.unit, found.number, found.address) == (Error.READ, Unit.STREAM, 1, IMAGE + 2048)
    bench.accelerator.clear()
    bench.check_good(good, DramModel())


def test_an_error_of_a_write(bench: Bench, good: Good) -> None:
    output = good.compiled.layers[1].output
    bench.process.set(DramModel(latency=9))
    bench.process.write_memory(DATA, good.data)
    compiled = good.compiled
    bench.accelerator.load(compiled, Range(IMAGE, len(compiled.image)), Range(DATA, len(good.data)))
    bench.process.fault_range("write", DATA + output.offset, 1)
    with pytest.raises(ProcessorError) as caught:
        bench.accelerator.run(LIMIT)
    assert (caught.value.code, caught.value.unit) == (Error.WRITE, Unit.STORE)
    first, end = compiled.layers[1].instructions[0]
    assert first <= caught.value.number < end
    bench.process.mend()
    bench.accelerator.clear()
    bench.check_good(good, DramModel())


def test_an_error_of_the_program(bench: Bench, good: Good) -> None:
    bench.process.fault_range("read", IMAGE, 1)
    found = bench.run([END])
    assert found is not None
    assert (found.code, found.unit, found.address) == (Error.READ, None, IMAGE)
    bench.accelerator.clear()
    bench.check_good(good, DramModel())


def test_a_range_beyond_the_addresses_is_none(bench: Bench, good: Good) -> None:
    """The upper bits of a base are not dropped, and nothing wraps."""
    registers = bench.accelerator.registers
    for name, base in (
        ("IMAGE_BASE", IMAGE | 1 << 32),
        ("IMAGE_BASE", (1 << 32) - 64),
        ("DATA_BASE", DATA | 1 << 63),
        ("IMAGE_BASE", IMAGE + 4),
        ("DATA_BASE", DATA + 1),
    ):
        bench.process.write_memory(IMAGE, encode("LOAD", **LOAD) + END + bytes(64))
        bench.accelerator.prepare(Range(IMAGE, SIZE), Range(DATA, SIZE), 0)
        registers.write(name, base)
        bench.accelerator.start()
        assert bench.accelerator.wait(LIMIT)
        found = bench.accelerator.error()
        assert found is not None
        assert (found.code, found.unit) == (Error.RANGE, Unit.LOAD if name == "DATA_BASE" else None)
        bench.accelerator.clear()
    with pytest.raises(
        HostError, match=r"image: base=0xffffffc0 and 4096 bytes must end within bus\.address_bits=32"
    ):
        bench.accelerator.prepare(Range((1 << 32) - 64, SIZE), Range(DATA, SIZE), 0)
    with pytest.raises(HostError, match=r"data: base=0x20000081 must be a multiple of bus\.data_bytes=8"):
        bench.accelerator.prepare(Range(IMAGE, SIZE), Range(DATA + 1, SIZE), 0)
    bench.check_good(good, DramModel())
    # Nothing of an error stays after a clear.
    names = ("ERROR_CODE", "ERROR_UNIT", "ERROR_INSTRUCTION", "ERROR_ADDRESS")
    assert [registers.read(name) for name in names] == [0, 0, 0, 0]


def test_stop(bench: Bench, good: Good) -> None:
    found = bench.run([encode("MATMUL", **NOTHING), END], watchdog=1 << 30, meanwhile=bench.accelerator.stop)
    assert found is not None
    assert found.code is Error.STOPPED
    bench.accelerator.clear()
    bench.check_good(good, DramModel())


def test_counters(bench: Bench, good: Good) -> None:
    """Bytes are those of the bus, each unit's cycles are counted once, and a start begins anew."""
    for _ in range(2):
        before = bench.process.counts()
        bench.check_good(good, DramModel(latency=40))
        after, counters = bench.process.counts(), bench.accelerator.counters()
        assert counters.bytes_read == after.read_bytes - before.read_bytes
        assert counters.bytes_written == after.written_bytes - before.written_bytes
        assert counters.instructions == good.compiled.instructions
        for unit, states in counters.units.items():
            assert min(states.values()) >= 0, unit
            assert 0 < sum(states.values()) <= counters.cycles, unit
        assert counters.units[Unit.MATMUL][State.STARVED] > 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rmc__rows": 3, "lvc__lanes": 3}, "rmc.rows=3 must make 6 bytes"),
        ({"memory__output_tiles": 1, "rmc__rows": 2}, "memory.output_tiles=1 must make 4 bytes"),
        (
            {"rmc__cols": 256, "lvc__lanes": 2, "rmc__lanes": 4, "bus__data_bytes": 8},
            "memory.iomem_kib=1 must hold",
        ),
    ],
)
def test_memories_that_do_not_fit_are_refused(change: dict[str, int], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Processor(CONFIG.replace(**change))


def test_presets_can_be_processors() -> None:
    for name in ("tiny", "fpga", "core"):
        assert Processor(preset(name)).config is not None
