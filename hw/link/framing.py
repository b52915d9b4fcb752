"""What a frame is, for gates and hosts: RFC 1662 (PPP in HDLC-like framing) with its 32-bit check sequence.

A frame is a flag, bytes, their CRC-32 (lowest byte first), and a flag. Within, a flag or an escape is an escape and the
byte with bit 5 inverted. An escape before a flag, too few bytes, or a CRC that does not match make no frame. So after
any garbage the next flag begins anew.
"""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib import data
from amaranth.lib.crc import Parameters
from amaranth.lib.crc.catalog import CRC32_ISO_HDLC

FLAG = 0x7E
ESCAPE = 0x7D
INVERTED = 0x20
"""What an escaped byte is combined with, exclusive or."""

CHECK_BYTES = 4


def check() -> Parameters:
    """The CRC of a frame; `zlib.crc32` is the same."""
    return CRC32_ISO_HDLC(data_width=8)


def frame_byte() -> data.StructLayout:
    """A byte of a frame, and whether it is the last."""
    return data.StructLayout({"data": unsigned(8), "last": unsigned(1)})
