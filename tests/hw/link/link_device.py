"""What a device on the host link must answer, in Python; written apart from the gates."""

from __future__ import annotations

import struct
import zlib

from sevedo.gen.config.link import MAX_WORDS, PROTOCOL, WINDOW, Operation, Status

FLAG, ESCAPE = 0x7E, 0x7D


def frame(content: bytes) -> bytes:
    """A frame, by the letter of RFC 1662."""
    out = bytearray([FLAG])
    for byte in content + struct.pack("<I", zlib.crc32(content)):
        out += bytes([ESCAPE, byte ^ 0x20]) if byte in (FLAG, ESCAPE) else bytes([byte])
    return bytes(out + bytes([FLAG]))


def request(number: int, operation: int, address: int = 0, words: int = 0, data: bytes = b"") -> bytes:
    """The content of a request."""
    return struct.pack("<BBHI", number & 0xFF, operation, words, address) + data


class Device:
    """Frames in, answers out, a memory of words.

    Members
    -------
    memory : what was written
    size : bytes of it
    good, bad : frames that were taken, damaged ones
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.memory: dict[int, int] = {}
        self.good = self.bad = 0
        self._open, self._due = False, 0
        self._ended: dict[int, int] = {}

    def feed(self, data: list[tuple[int, bool]]) -> bytes:
        """Bytes, each with whether it is known to be wrong; what is answered."""
        out, piece = bytearray(), []
        for byte, error in data:
            if byte != FLAG or error:
                piece.append((byte, error))
                continue
            if piece:
                content = self._content(piece)
                if content is None:
                    self.bad += 1
                else:
                    self.good += 1
                    out += self._answer(content)
            piece = []
        return bytes(out)

    @staticmethod
    def _content(piece: list[tuple[int, bool]]) -> bytes | None:
        if any(error for _, error in piece):
            return None
        body, escaped = bytearray(), False
        for byte, _ in piece:
            if byte == ESCAPE:
                escaped = True
            else:
                body.append(byte ^ 0x20 if escaped else byte)
                escaped = False
        if escaped or len(body) < 5 or zlib.crc32(body[:-4]) != struct.unpack("<I", body[-4:])[0]:
            return None
        return bytes(body[:-4])

    def _answer(self, content: bytes) -> bytes:
        if len(content) < 8:
            return b""
        number, operation, words, address = struct.unpack("<BBHI", content[:8])
        payload = content[8:]
        data, status, fresh = b"", Status.OK, False
        if operation == Operation.HELLO:
            self._open, self._due = True, number + 1 & 0xFF
            data = struct.pack("<BBH", PROTOCOL, WINDOW, MAX_WORDS)
        elif not self._open:
            status = Status.SESSION
        elif number == self._due:
            fresh, self._due = True, self._due + 1 & 0xFF
            if operation not in (Operation.READ, Operation.WRITE):
                status = Status.OPERATION
            elif words > MAX_WORDS or (operation == Operation.READ and payload):
                status = Status.LENGTH
        elif (self._due - 1 - number) & 0xFF < WINDOW:
            status = Status(self._ended.get(number % WINDOW, 0))
        else:
            status = Status.ORDER
        if status == Status.OK and operation == Operation.READ:
            data, status = self._read(address, words)
        elif status == Status.OK and operation == Operation.WRITE and fresh:
            status = self._write(address, words, payload)
        if fresh:
            self._ended[number % WINDOW] = status
        return frame(bytes([number, operation]) + data + bytes([status]))

    def load(self, at: int) -> int | None:
        """The word at an address; None where there is nothing."""
        return self.memory.get(at & ~3, 0) if 0 <= at < self.size else None

    def store(self, at: int, word: int) -> bool:
        """Set it; False where that cannot be."""
        if not 0 <= at < self.size:
            return False
        self.memory[at & ~3] = word
        return True

    def _read(self, address: int, words: int) -> tuple[bytes, Status]:
        data = b""
        for at in range(address, address + 4 * words, 4):
            word = self.load(at)
            if word is None:
                return data, Status.BUS
            data += struct.pack("<I", word)
        return data, Status.OK

    def _write(self, address: int, words: int, payload: bytes) -> Status:
        for index in range(words):
            piece = payload[4 * index : 4 * index + 4]
            if len(piece) < 4:
                return Status.LENGTH
            if not self.store(address + 4 * index, struct.unpack("<I", piece)[0]):
                return Status.BUS
        return Status.LENGTH if len(payload) > 4 * words else Status.OK
