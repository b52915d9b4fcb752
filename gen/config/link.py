"""What hosts and boards say to each other: numbers of the link's protocol, for both (docs/boards.md)."""

from __future__ import annotations

from enum import IntEnum

PROTOCOL = 1
"""Version of the protocol."""

HEADER_BYTES = 8
"""Of a request: sequence number, operation, words (2 bytes), address (4 bytes); the lowest byte first."""

WINDOW = 8
"""Requests that a host may send ahead of their answers; a power of two."""

MAX_WORDS = 64
"""Words of a request, at most."""

FRAME_BYTES = HEADER_BYTES + 4 * MAX_WORDS
"""Of the longest request."""


class Operation(IntEnum):
    """What a request wants."""

    HELLO = 0
    """Begin anew: the next request has the following number. Answered with a word: version, window, words."""
    READ = 1
    WRITE = 2


class Status(IntEnum):
    """How a request ended: the last byte of its answer."""

    OK = 0
    BUS = 1
    """Nothing is at that address, or it cannot be written now; the words before it were read or written."""
    LENGTH = 2
    """The frame has more words, or fewer, than it says, or too many."""
    OPERATION = 3
    """No such operation."""
    ORDER = 4
    """Another number is due: a request before it was lost."""
    SESSION = 5
    """There was no HELLO since the board's reset."""


MEMORY_BASE = 0x0000_0000
"""Of the memory that the processor sees as its DRAM, in the addresses of the link."""

PROCESSOR_BASE = 0xF000_0000
"""Of the processor's registers (docs/registers.md)."""

BOARD_BASE = 0xF100_0000
"""Of the board's own registers."""

ARRAY_BASE = 0xF200_0000
"""Of the windows of a board with an array alone; see `array_window`."""

WINDOW_WORDS = 64
"""Words of a window."""

OPERANDS = ("command", "x", "x_scale", "w", "w_scale")
"""Streams of the residual matrix core that are written, in the order of their windows."""

SUMS_WINDOW, STATUS_WINDOW = 14, 15
"""Numbers of the windows of what comes out, and of what is known of the port."""


class ArrayStatus(IntEnum):
    """Words of the window of the status."""

    THERE = 0
    """Bit 0: a beat of sums is there. Bit 1 + n: a beat of the n-th operand waits to be taken."""
    CONFIGURATION = 1
    """The fingerprint of the configuration."""


def array_window(number: int) -> int:
    """The address of a window of a board with an array alone."""
    return ARRAY_BASE + 4 * WINDOW_WORDS * number
