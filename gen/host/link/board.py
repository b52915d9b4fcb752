"""A board as a transport: what `Accelerator` needs, over a link."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sevedo.gen.compile import Compiled
from sevedo.gen.config.board_map import BY_NAME
from sevedo.gen.config.link import BOARD_BASE, MEMORY_BASE, PROCESSOR_BASE
from sevedo.gen.config.register_map import BY_NAME as PROCESSOR
from sevedo.gen.host.transport import Range

from .errors import LinkError
from .session import Session

ALIGNMENT = 128
"""Of the data segment: that of the widest bus."""

GRACE = 2.0
"""Seconds that a run may take longer than its cycles."""


def placed(compiled: Compiled) -> tuple[Range, Range]:
    """Ranges of the board's memory for image and data, from its start."""
    image = Range(0, -(-len(compiled.image) // ALIGNMENT) * ALIGNMENT)
    return image, Range(image.size, compiled.data_bytes)


class SelfTestError(LinkError):
    """The board's self-test has not passed."""


@dataclass(frozen=True)
class BoardInfo:
    """What a board tells of itself.

    Members
    -------
    clock_hz, baud : rates of processor and serial line
    memory_bytes : of the memory that stands for DRAM, from address 0
    self_test : name of what the self-test has found
    self_test_address, self_test_found : where it looked last, and what was there
    good, bad, full : frames that were taken, damaged, dropped for want of room
    """

    clock_hz: int
    baud: int
    memory_bytes: int
    self_test: str
    self_test_address: int
    self_test_found: int
    good: int
    bad: int
    full: int


class BoardTransport:
    """The way to the processor of a board.

    Parameters
    ----------
    session : what is said to it
    progress : called with the cycles so far, about, while it waits

    Raises
    ------
    LinkError : what answers is no board of ours, or of another version.
    """

    def __init__(self, session: Session, progress: Callable[[int], None] | None = None) -> None:
        self.session, self._progress = session, progress
        self._check_identity()
        self.info = self.look()

    def _check_identity(self) -> None:
        for name, field in (("ID", "value"), ("VERSION", "major")):
            place = BY_NAME[name].field(field)
            found = (self.board_register(name) & place.mask) >> place.low
            if found != place.reset:
                raise LinkError(
                    f"{name}={found:#x} must be {place.reset:#x}: no SeVeDo board of this version answers"
                )

    def board_register(self, name: str) -> int:
        """A register of the board itself."""
        return int.from_bytes(self.session.read(BOARD_BASE + BY_NAME[name].offset, 1), "little")

    def write_board_register(self, name: str, value: int) -> None:
        """Set one."""
        self.session.write(BOARD_BASE + BY_NAME[name].offset, value.to_bytes(4, "little"))

    def look(self) -> BoardInfo:
        """What the board tells now."""
        names = {each.value: each.name for each in BY_NAME["SELF_TEST"].fields[0].meanings}
        read = self.board_register
        return BoardInfo(
            read("CLOCK_HZ"), read("BAUD"), read("MEMORY_BYTES"), names[read("SELF_TEST") & 3],
            read("SELF_TEST_ADDRESS"), read("SELF_TEST_FOUND"),
            read("FRAMES_GOOD"), read("FRAMES_BAD"), read("FRAMES_FULL"),
        )  # fmt: skip

    def require_self_test(self) -> None:
        """Refuse a board whose self-test has not passed.

        Raises
        ------
        SelfTestError : one line that says what it found, and where.
        """
        self.info = self.look()
        if self.info.self_test != "PASSED":
            meaning = next(
                m for m in BY_NAME["SELF_TEST"].fields[0].meanings if m.name == self.info.self_test
            )
            raise SelfTestError(
                f"SELF_TEST={self.info.self_test} must be PASSED: {meaning.description}; at "
                f"{self.info.self_test_address:#010x} it found {self.info.self_test_found:#010x}"
            )

    def reset_processor(self) -> None:
        """Back to the initial state, whatever runs; the memory keeps its bytes."""
        self.write_board_register("CONTROL", BY_NAME["CONTROL"].field("reset").mask)

    def read_register(self, address: int) -> int:
        """The 32 bits of a register of the processor."""
        return int.from_bytes(self.session.read(PROCESSOR_BASE + address, 1), "little")

    def write_register(self, address: int, value: int) -> None:
        """Set one."""
        self.session.write(PROCESSOR_BASE + address, value.to_bytes(4, "little"))

    def read_memory(self, address: int, size: int) -> bytes:
        """Bytes of the memory."""
        if not size:
            return b""
        first, end = address // 4, -(-(address + size) // 4)
        data = self.session.read(MEMORY_BASE + 4 * first, end - first)
        return data[address - 4 * first :][:size]

    def write_memory(self, address: int, data: bytes) -> None:
        """Set bytes of the memory."""
        if not data:
            return
        before, after = address % 4, -(address + len(data)) % 4
        head = self.read_memory(address - before, before)
        tail = self.read_memory(address + len(data), after)
        self.session.write(MEMORY_BASE + address - before, head + data + tail)

    def grant(self, image: Range, data: Range) -> None:
        """Refuse what the board has no memory for; the processor's own range check does the rest.

        Raises
        ------
        LinkError : naming the range and the board's memory.
        """
        for name, place in (("image", image), ("data", data)):
            if place.base + place.size > self.info.memory_bytes:
                raise LinkError(
                    f"{name}: {place.size} bytes from {place.base:#x} must end within the board's memory of "
                    f"{self.info.memory_bytes} bytes"
                )

    def wait(self, cycles: int) -> bool:
        """Ask until there is an interrupt, at most for so many cycles and `GRACE` seconds."""
        port, began = self.session.port, self.session.port.now()
        limit = cycles / self.info.clock_hz + GRACE
        while True:
            spent = port.now() - began
            if self.read_register(PROCESSOR["INTERRUPT"].offset):
                return True
            if spent > limit:
                return False
            if self._progress is not None:
                self._progress(min(int(spent * self.info.clock_hz), cycles))
