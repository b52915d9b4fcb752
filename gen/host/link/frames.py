"""Frames of the host link: RFC 1662 with CRC-32, as `sevedo.hw.link.framing` in gates."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

FLAG, ESCAPE, INVERTED = 0x7E, 0x7D, 0x20
CHECK_BYTES = 4


def encode(content: bytes) -> bytes:
    """A frame: flag, content and CRC with escapes, flag."""
    body = content + zlib.crc32(content).to_bytes(CHECK_BYTES, "little")
    for special in (ESCAPE, FLAG):
        body = body.replace(bytes([special]), bytes([ESCAPE, special ^ INVERTED]))
    return bytes([FLAG]) + body + bytes([FLAG])


class FrameReader:
    """Finds frames in bytes that may hold anything.

    Members
    -------
    damaged : pieces between flags that were no frames
    """

    MOST = 1 << 12
    """Bytes without a flag after which they are garbage."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self.damaged = 0

    def clear(self) -> None:
        """Forget what has begun."""
        self._rest.clear()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The contents of the frames that end in `data`."""
        self._rest += data
        *pieces, rest = bytes(self._rest).split(bytes([FLAG]))
        if len(rest) > self.MOST:
            rest, self.damaged = b"", self.damaged + 1
        self._rest = bytearray(rest)
        for piece in pieces:
            if piece:
                content = decode(piece)
                if content is None:
                    self.damaged += 1
                else:
                    yield content


def decode(piece: bytes) -> bytes | None:
    """The content of what stood between two flags; None when it is no frame."""
    body = bytearray()
    bytes_in = iter(piece)
    for byte in bytes_in:
        if byte == ESCAPE:
            following = next(bytes_in, None)
            if following is None:
                return None
            byte = following ^ INVERTED
        body.append(byte)
    if len(body) <= CHECK_BYTES:
        return None
    content, check = bytes(body[:-CHECK_BYTES]), body[-CHECK_BYTES:]
    return content if zlib.crc32(content).to_bytes(CHECK_BYTES, "little") == check else None
