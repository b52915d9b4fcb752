"""The host's side of a processor: load, start, wait, read; what went wrong becomes an exception."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sevedo.gen.compile import Compiled
from sevedo.gen.config import Config
from sevedo.gen.config.instructions import ERROR_MEANING, INSTRUCTION_BYTES, Error, Unit
from sevedo.gen.program import disassemble
from sevedo.sim.activity import State

from .registers import RegisterFile, constant, mask
from .transport import Range, Transport

IDENTITY, VERSION = constant("ID"), constant("VERSION", "major")
"""Of a processor, in registers ID and VERSION.major."""

WATCHDOG = 100_000
"""Cycles without progress after which a program is given up: many times what the slowest DRAM takes."""


class HostError(RuntimeError):
    """The processor is not what the program was compiled for, or is used wrongly. The message is one line."""


class ProcessorError(RuntimeError):
    """The processor stopped, or did not.

    Members
    -------
    code : why; None when it did not stop in time
    unit : whose instruction it was; None for the program itself
    number : of the instruction, from 0
    instruction : in words
    address : where
    """

    def __init__(
        self, message: str, code: Error | None, unit: Unit | None = None, number: int = 0, instruction: str = "",
        address: int = 0,
    ) -> None:  # fmt: skip
        super().__init__(message)
        self.code, self.unit, self.number = code, unit, number
        self.instruction, self.address = instruction, address


@dataclass(frozen=True)
class Counters:
    """What the processor counted since the start.

    Members
    -------
    cycles : of the run
    units : of each unit, cycles in each state but idle
    bytes_read, bytes_written : whole bus words
    instructions : decoded
    """

    cycles: int
    units: Mapping[Unit, Mapping[State, int]]
    bytes_read: int
    bytes_written: int
    instructions: int

    def data(self) -> dict[str, Any]:
        """Plain data."""
        units = {
            unit.name.lower(): {state.name.lower(): count for state, count in states.items()}
            for unit, states in self.units.items()
        }
        return {
            "cycles": self.cycles, "units": units, "bytes_read": self.bytes_read,
            "bytes_written": self.bytes_written, "instructions": self.instructions,
        }  # fmt: skip


class Accelerator:
    """A processor that is reached through a transport.

    Parameters
    ----------
    transport : the way to it
    config : what it must have been generated from

    Raises
    ------
    HostError : what answers is no processor, another version, or of another configuration.
    """

    def __init__(self, transport: Transport, config: Config) -> None:
        self.transport, self.config = transport, config
        self.registers = RegisterFile(transport)
        self._image = self._data = Range(0, 0)
        self._check_identity()

    def _check_identity(self) -> None:
        registers = self.registers
        if (found := registers.read("ID")) != IDENTITY:
            raise HostError(f"ID={found:#010x} must be {IDENTITY:#010x}: no SeVeDo processor answers")
        if (major := registers.field("VERSION", "major")) != VERSION:
            raise HostError(f"VERSION.major={major} must be {VERSION}: the processor is of another version")
        wanted = self.config.fingerprint
        if (found := registers.read("CONFIGURATION")) != wanted:
            raise HostError(
                f"CONFIGURATION={found:#010x} must be {wanted:#010x}: the processor was generated from another "
                "configuration than the program was compiled for"
            )

    def load(self, compiled: Compiled, image: Range, data: Range, watchdog: int = WATCHDOG) -> None:
        """Put a program's image into DRAM, and grant both segments to the processor.

        Raises
        ------
        HostError : a program for another configuration, or a range that is too small.
        """
        if compiled.config != self.config:
            raise HostError("the program was compiled for another configuration than the processor's")
        for name, place, size in (("image", image, len(compiled.image)), ("data", data, compiled.data_bytes)):
            if place.size < size:
                raise HostError(f"{name}: {place.size} bytes must be at least the {size} of the program")
        self.transport.write_memory(image.base, compiled.image)
        self.prepare(image, data, compiled.program, watchdog)

    def prepare(self, image: Range, data: Range, program: int, watchdog: int = WATCHDOG) -> None:
        """Grant ranges that already hold what they should; `program` is its offset in the image.

        Raises
        ------
        HostError : a range that leaves the processor's addresses, or begins between bus words.
        """
        word = self.config.bus.data_bytes
        for name, place in (("image", image), ("data", data)):
            if place.base % word:
                raise HostError(f"{name}: base={place.base:#x} must be a multiple of bus.data_bytes={word}")
            if place.base + place.size > 1 << self.config.bus.address_bits:
                raise HostError(
                    f"{name}: base={place.base:#x} and {place.size} bytes must end within "
                    f"bus.address_bits={self.config.bus.address_bits}"
                )
        self._image, self._data = image, data
        self.transport.grant(image, data)
        for name, value in (
            ("IMAGE_BASE", image.base), ("IMAGE_SIZE", image.size), ("DATA_BASE", data.base),
            ("DATA_SIZE", data.size), ("PROGRAM", program), ("WATCHDOG", watchdog), ("INTERRUPT_ENABLE", 3),
        ):  # fmt: skip
            self.registers.write(name, value)

    def write_data(self, data: bytes, offset: int = 0) -> None:
        """Write into the data segment."""
        self.transport.write_memory(self._data.base + offset, data)

    def read_data(self, offset: int = 0, size: int | None = None) -> bytes:
        """Read from it: all that is behind `offset`."""
        return self.transport.read_memory(
            self._data.base + offset, self._data.size - offset if size is None else size
        )

    def start(self) -> None:
        """Let it run; an interrupt that is pending is taken back.

        Raises
        ------
        HostError : a program runs, or one has failed and `clear` was not called.
        """
        status = self.registers.read("STATUS")
        for name, remedy in (("running", "wait for its end, or stop it"), ("failed", "clear it first")):
            if status & mask("STATUS", name):
                raise HostError(f"STATUS.{name}=1 must be 0 to start a program: {remedy}")
        self.registers.write("INTERRUPT", 3)
        self._control("start")

    def stop(self) -> None:
        """Let it start nothing new; it fails as soon as its bursts are over."""
        self._control("stop")

    def clear(self) -> None:
        """After an error: everything but the registers back to its initial state."""
        self._control("clear")
        self.registers.write("INTERRUPT", 3)

    def wait(self, cycles: int) -> bool:
        """Until it is done or has failed, at most so many cycles; whether it is."""
        return self.transport.wait(cycles)

    def run(self, cycles: int) -> None:
        """Start and wait.

        Raises
        ------
        ProcessorError : it failed, or went on for more than `cycles`; it is not cleared.
        """
        self.start()
        if not self.wait(cycles):
            raise ProcessorError(f"the program is not done after {cycles} cycles", None)
        if (error := self.error()) is not None:
            raise error

    @property
    def running(self) -> bool:
        """Whether a program runs."""
        return bool(self.registers.field("STATUS", "running"))

    def error(self) -> ProcessorError | None:
        """What went wrong, None when nothing did."""
        registers = self.registers
        if not registers.field("STATUS", "failed"):
            return None
        code, number = Error(registers.read("ERROR_CODE")), registers.read("ERROR_INSTRUCTION")
        address, named = registers.read("ERROR_ADDRESS"), registers.read("ERROR_UNIT")
        unit = Unit(named) if named in list(Unit) else None
        words = self._instruction(number)
        who = "controller" if unit is None else unit.name
        message = f"{code.name} at instruction {number} ({who}): {ERROR_MEANING[code]}"
        message += f"; address {address:#x}" if code in (Error.RANGE, Error.READ, Error.WRITE) else ""
        message += f"; {words}" if words else ""
        return ProcessorError(message, code, unit, number, words, address)

    def counters(self) -> Counters:
        """What was counted; also while a program runs."""
        read = self.registers.read
        return Counters(
            read("CYCLES"),
            {unit: self._unit(unit) for unit in Unit},
            read("BYTES_READ"), read("BYTES_WRITTEN"), read("INSTRUCTIONS"),
        )  # fmt: skip

    def _unit(self, unit: Unit) -> dict[State, int]:
        # BUSY counts every cycle of an instruction; what it waited for comes after it, so it is never too small.
        starved, blocked, waits, busy = (
            self.registers.read(f"{unit.name}_{name}")
            for name in ("WAIT_INPUT", "WAIT_OUTPUT", "WAIT_TOKEN", "BUSY")
        )
        return {State.BUSY: busy - starved - blocked, State.WAITS: waits, State.STARVED: starved,
                State.BLOCKED: blocked}  # fmt: skip

    def _control(self, field: str) -> None:
        self.registers.write("CONTROL", mask("CONTROL", field))

    def _instruction(self, number: int) -> str:
        """An instruction in words, from DRAM: whatever stands there now."""
        offset = self.registers.read("PROGRAM") + INSTRUCTION_BYTES * number
        if offset + INSTRUCTION_BYTES > self._image.size:
            return ""
        code = self.transport.read_memory(self._image.base + offset, INSTRUCTION_BYTES)
        return " ".join(disassemble(code).split())
