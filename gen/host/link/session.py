"""Requests and answers: numbered, sent ahead, sent again when they are lost, carried out once."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from sevedo.gen.config.link import HEADER_BYTES, MAX_WORDS, PROTOCOL, WINDOW, Operation, Status

from .errors import BoardResetError, LinkError, SilentError
from .frames import FLAG, FrameReader, encode
from .port import Port

TIMEOUT = 0.5
"""Seconds without an answer after which a request is sent again."""
TRIES = 4
"""Times that it is sent."""


@dataclass(frozen=True)
class Request:
    """A read or a write of words.

    Members
    -------
    operation : what it wants
    address : of the first word
    words : how many
    data : of a write, 4 bytes a word
    """

    operation: Operation
    address: int
    words: int
    data: bytes = b""

    def content(self, number: int) -> bytes:
        """The bytes of its frame."""
        return struct.pack("<BBHI", number, self.operation, self.words, self.address) + self.data


class Session:
    """What is said over a port to one board; it begins anew after every error.

    Parameters
    ----------
    port : the way to the board
    timeout : seconds without an answer after which a request is sent again
    tries : times that it is sent, at most: after timeout x tries the board counts as silent
    """

    def __init__(self, port: Port, timeout: float = TIMEOUT, tries: int = TRIES) -> None:
        self.port, self.timeout, self.tries = port, timeout, tries
        self.resent = 0
        self._reader = FrameReader()
        self._number = 0
        self._open = False
        self._window, self._words = WINDOW, MAX_WORDS

    @property
    def damaged(self) -> int:
        """Frames from the board that came damaged."""
        return self._reader.damaged

    def open(self) -> None:
        """Say hello, unless that was done: the board forgets what it was asked before.

        Raises
        ------
        SilentError : no answer. LinkError : a board with another protocol.
        """
        if self._open:
            return
        self.port.discard()
        self._reader.clear()
        # Whatever was being sent when a session before this one ended is cut off here.
        self.port.write(bytes([FLAG]))
        (answer,) = self._exchange([Request(Operation.HELLO, 0, 0)])
        if len(answer) != 4:
            raise LinkError(f"the board says hello in {len(answer)} bytes; it must be 4")
        version, window, words = struct.unpack("<BBH", answer)
        if version != PROTOCOL:
            raise LinkError(f"the board's protocol is {version}; it must be {PROTOCOL}")
        self._window, self._words = min(window, WINDOW), min(words, MAX_WORDS)
        self._open = True

    def read(self, address: int, words: int) -> bytes:
        """Words from an address on, 4 bytes each, the lowest first.

        Raises
        ------
        SilentError, BoardResetError, LinkError : one line.
        """
        self.open()
        pieces = _pieces(address, words, self._words)
        answers = self._exchange([Request(Operation.READ, at, count) for at, count in pieces])
        for (at, count), answer in zip(pieces, answers, strict=True):
            if len(answer) != 4 * count:
                self._open = False
                raise LinkError(
                    f"the board answers a read of {count} words at {at:#x} with {len(answer)} bytes"
                )
        return b"".join(answers)

    def write(self, address: int, data: bytes) -> None:
        """Words to an address and what follows it, 4 bytes each.

        Raises
        ------
        SilentError, BoardResetError, LinkError : one line.
        """
        self.write_all([(address, data)])

    def write_all(self, writes: Sequence[tuple[int, bytes]]) -> None:
        """Several of these, in order, with as many under way as the board has room for.

        Raises
        ------
        SilentError, BoardResetError, LinkError : one line.
        """
        self.open()
        self._exchange(
            [
                Request(Operation.WRITE, at, count, data[at - address : at - address + 4 * count])
                for address, data in writes
                for at, count in _pieces(address, len(data) // 4, self._words)
            ]
        )

    def _exchange(self, requests: Sequence[Request]) -> list[bytes]:
        try:
            return self._go(requests)
        except BaseException:
            self._open = False
            raise

    def _go(self, requests: Sequence[Request]) -> list[bytes]:
        """Answers of requests, in order: go-back-N, since answers come in the order of requests."""
        answers: list[bytes] = []
        first, sent, tries, rewound = self._number, 0, 1, False
        deadline = self.port.now() + self.timeout
        while len(answers) < len(requests):
            batch = b""
            while sent < min(len(requests), len(answers) + self._window):
                batch += encode(requests[sent].content((first + sent) & 0xFF))
                sent += 1
            if batch:
                self.port.write(batch)
            left = deadline - self.port.now()
            received = self.port.read_some(max(left, 0.0)) if left > 0 else b""
            for content in self._reader.feed(received):
                number, status = content[0], content[-1]
                due = (first + len(answers)) & 0xFF
                if len(content) < 3 or len(answers) == len(requests):
                    continue
                if status == Status.SESSION and self._in_flight(number, first, answers, sent):
                    raise BoardResetError("the board was reset since it was spoken to last: load it again")
                if status == Status.ORDER and self._in_flight(number, first, answers, sent):
                    # One was lost; those after it are all answered so: they go once more.
                    if not rewound:
                        self.resent += sent - len(answers)
                        sent, rewound = len(answers), True
                elif number == due and content[1] == requests[len(answers)].operation:
                    self._check(Status(status) if status in list(Status) else None, requests[len(answers)])
                    answers.append(content[2:-1])
                    self._number = (self._number + 1) & 0xFF
                    deadline, tries, rewound = self.port.now() + self.timeout, 1, False
            if len(answers) < len(requests) and self.port.now() >= deadline:
                if tries == self.tries:
                    raise SilentError(
                        f"the board is silent: no answer in {self.tries} tries of {self.timeout:g} s; "
                        "is it programmed, and are port and baud right?"
                    )
                self.resent += sent - len(answers)
                sent, tries, rewound = len(answers), tries + 1, False
                deadline = self.port.now() + self.timeout
        return answers

    @staticmethod
    def _in_flight(number: int, first: int, answers: Sequence[bytes], sent: int) -> bool:
        """Whether a number is that of a request that has not been answered."""
        return (number - first - len(answers)) & 0xFF < sent - len(answers)

    @staticmethod
    def _check(status: Status | None, request: Request) -> None:
        if status is Status.OK:
            return
        what = f"{request.operation.name.lower()} of {request.words} words at {request.address:#010x}"
        why = {
            Status.BUS: "nothing is there, or it cannot be done now",
            Status.LENGTH: "its frame has another length than it says",
            Status.OPERATION: "no such operation",
        }.get(status, "an unknown status") if status is not None else "an unknown status"  # fmt: skip
        raise LinkError(f"the board refuses a {what}: {why}")


def _pieces(address: int, words: int, most: int) -> list[tuple[int, int]]:
    """Addresses and sizes of requests of at most `most` words."""
    return [(address + 4 * at, min(most, words - at)) for at in range(0, words, most)]


assert struct.calcsize("<BBHI") == HEADER_BYTES
