"""cocotb tests of whole boards, through their serial pins, by the host library that speaks to real ones."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import cocotb
from cocotb.triggers import Timer

from sevedo.gen.compile import load_compiled
from sevedo.gen.config.link import OPERANDS, array_window
from sevedo.gen.host.accelerator import Accelerator, ProcessorError
from sevedo.gen.host.link import BoardArray, BoardResetError, BoardTransport, LinkError, Session, SilentError
from sevedo.gen.host.transport import Range
from sevedo.ref.machine import run as run_machine
from sevedo.sim.board.bench import SimulatedPort, board_parameters, in_thread, start_clocks

MOST = 20_000_000


class Side:
    """The board, its host's port, what the test was given."""

    def __init__(self, dut: Any) -> None:
        self.dut, self.given = dut, board_parameters()
        pins = self.given["pins"]
        self.button = getattr(dut, pins["button"])
        self.pressed = pins["pressed"]
        self.button.value = 1 - self.pressed
        self.port = SimulatedPort(getattr(dut, pins["rx"]), getattr(dut, pins["tx"]), self.given["baud"])
        self.leds = [(getattr(dut, name), on) for name, on in pins["leds"]]
        self.clocks = start_clocks(dut, self.given)

    def session(self) -> Session:
        """Speak to it, with a time-out that simulation can afford."""
        return Session(self.port, timeout=self.given["timeout"], tries=3)

    def lit(self, number: int) -> bool:
        """Whether an LED is on."""
        pin, on = self.leds[number]
        return int(pin.value) == on

    async def press(self) -> None:
        """Reset, by the button."""
        self.button.value = self.pressed
        await Timer(5, "us")
        self.button.value = 1 - self.pressed
        await Timer(5, "us")

    async def self_test(self) -> BoardTransport:
        """Until the self-test has ended; the LED says so too."""
        await Timer(round(self.given["self_test_us"]), "us")
        transport = await in_thread(lambda: BoardTransport(self.session()))
        await in_thread(transport.require_self_test)
        assert self.lit(0)
        return transport


def ranges(compiled: Any) -> tuple[Range, Range]:
    """Image and data one after the other, from address 0."""
    image = Range(0, len(compiled.image))
    return image, Range(-(-image.size // 128) * 128, compiled.data_bytes)


def run_program(transport: BoardTransport, compiled: Any, data: bytes) -> bytes:
    """Load, run, read back."""
    accelerator = Accelerator(transport, compiled.config)
    accelerator.load(compiled, *ranges(compiled))
    accelerator.write_data(data)
    accelerator.run(MOST)
    counters = accelerator.counters()
    assert counters.instructions == compiled.instructions
    assert 0 < counters.cycles < MOST
    return accelerator.read_data()


@cocotb.test()
async def runs_a_layer(dut: Any) -> None:
    """A compiled folder, through the pins, bit for bit as the golden machine."""
    side = Side(dut)
    folder = Path(side.given["folder"])
    compiled, data = load_compiled(folder / "program"), (folder / "data.bin").read_bytes()
    transport = await side.self_test()
    assert transport.info.clock_hz == side.given["clock_hz"]
    assert transport.info.memory_bytes == side.given["memory_bytes"]
    assert transport.info.bad == transport.info.full == 0
    found = await in_thread(lambda: run_program(transport, compiled, data))
    assert found == (folder / "wanted.bin").read_bytes()
    assert found != data
    assert transport.session.resent == 0


@cocotb.test()
async def gives_residual_sums(dut: Any) -> None:
    """A compiled folder on a board with an array alone: the golden machine with the board's sums, bit for bit."""
    side = Side(dut)
    folder = Path(side.given["folder"])
    compiled, data = load_compiled(folder / "program"), bytearray((folder / "data.bin").read_bytes())
    transport = await side.self_test()
    array = await in_thread(lambda: BoardArray(transport, compiled.config))

    def run() -> Any:
        return run_machine(compiled.config, compiled.image, data, compiled.program, array.residual)

    assert (await in_thread(run)).done
    assert bytes(data) == (folder / "wanted.bin").read_bytes()
    assert array.tiles == side.given["tiles"]

    # A word that nobody waits for; reset of the array makes the next layer right again.
    await in_thread(lambda: transport.session.write(array_window(OPERANDS.index("x")), bytes(4)))
    await in_thread(transport.reset_processor)
    assert (await in_thread(run)).done
    assert bytes(data) == (folder / "wanted.bin").read_bytes()
    assert transport.session.resent == 0


@cocotb.test()
async def survives_what_comes(dut: Any) -> None:
    """Damaged bytes both ways, a silent board, a reset in the middle of a run: an error each, then it works again."""
    side = Side(dut)
    rng = random.Random(7)
    folder = Path(side.given["folder"])
    compiled, data = load_compiled(folder / "program"), (folder / "data.bin").read_bytes()
    wanted = (folder / "wanted.bin").read_bytes()
    transport = await side.self_test()

    # Every so many bytes one is wrong, one is lost, one is too many, on both ways.
    def damaged(content: bytes) -> bytes:
        out = bytearray()
        for byte in content:
            kind = rng.random() * side.given["bytes_per_fault"]
            if kind >= 1:
                out.append(byte)
            elif kind < 0.4:
                out.append(byte ^ 1 << rng.randrange(8))
            elif kind < 0.7:
                out += bytes([byte, rng.getrandbits(8)])
        return bytes(out)

    side.port.damage = side.port.damage_back = damaged
    session = transport.session
    session.tries = 12
    await in_thread(lambda: transport.write_memory(0, data))
    found = await in_thread(lambda: transport.read_memory(0, len(data)))
    side.port.damage = side.port.damage_back = bytes
    assert found == data
    info = await in_thread(transport.look)
    assert info.bad > 0
    assert session.resent > 0

    # Nothing comes back.
    side.port.damage_back = lambda content: b""
    began = await in_thread(side.port.now)
    session.tries = 2
    error = await in_thread(lambda: caught(SilentError, lambda: transport.read_register(0)))
    assert "silent" in str(error)
    assert await in_thread(side.port.now) - began < 3 * session.timeout
    side.port.damage_back = bytes
    assert await in_thread(lambda: run_program(transport, compiled, data)) == wanted

    # Nothing is at that address; what is there still is.
    error = await in_thread(lambda: caught(LinkError, lambda: transport.session.read(0x8000_0000, 1)))
    assert "nothing is there" in str(error)
    error = await in_thread(
        lambda: caught(LinkError, lambda: transport.grant(Range(0, 1 << 30), Range(0, 0)))
    )
    assert "memory" in str(error)

    # A program that does not end: reset of the processor alone, from the host.
    accelerator = await in_thread(lambda: Accelerator(transport, compiled.config))
    image, area = ranges(compiled)
    await in_thread(lambda: accelerator.prepare(image, area, compiled.program))
    await in_thread(accelerator.start)
    await in_thread(transport.reset_processor)
    assert not await in_thread(lambda: accelerator.running)
    assert await in_thread(lambda: run_program(transport, compiled, data)) == wanted

    # The button, in the middle of a run.
    await in_thread(lambda: accelerator.prepare(image, area, compiled.program))
    await in_thread(accelerator.start)
    await side.press()
    error = await in_thread(lambda: caught(BoardResetError, lambda: accelerator.wait(1000)))
    assert "was reset" in str(error)
    transport = await side.self_test()
    assert await in_thread(lambda: run_program(transport, compiled, data)) == wanted

    # A range that it does not have: the processor's own error comes through.
    accelerator = await in_thread(lambda: Accelerator(transport, compiled.config))
    short = Range(area.base, area.size - 4 * compiled.config.bus.data_bytes)
    await in_thread(lambda: accelerator.prepare(image, short, compiled.program))
    error = await in_thread(lambda: caught(ProcessorError, lambda: accelerator.run(MOST)))
    assert "RANGE" in str(error)
    await in_thread(accelerator.clear)
    assert await in_thread(lambda: run_program(transport, compiled, data)) == wanted


def caught(kind: type[Exception], function: Any) -> Exception:
    """The exception that it raises."""
    try:
        function()
    except kind as error:
        return error
    raise AssertionError(f"{kind.__name__} was not raised")
