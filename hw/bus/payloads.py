"""What the streams and ports between the buses and the units of the processor carry.

Offsets count in bytes from the start of a segment, words are those of the bus. A window is a range of DRAM that the
host granted; a multiple of the bus width in both fields, lower bits are ignored.
"""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib import data

from sevedo.gen.config import Config
from sevedo.gen.config.instructions import Error

NUMBER_BITS = 16
"""Bits of an instruction's number, counted from the start of the program."""


def read_request(config: Config) -> data.StructLayout:
    """Words from DRAM: `segment` (0 image, 1 data), byte `offset` in it, number of `words`, at least 1; the `number` of
    the instruction that asks."""
    return data.StructLayout(
        {
            "segment": unsigned(1),
            "offset": unsigned(32),
            "words": unsigned(32),
            "number": unsigned(NUMBER_BITS),
        }
    )


def write_request(config: Config) -> data.StructLayout:
    """Words to the data segment of DRAM: byte `offset` in it, number of `words`, at least 1; the `number` of the
    instruction that asks."""
    return data.StructLayout({"offset": unsigned(32), "words": unsigned(16), "number": unsigned(NUMBER_BITS)})


def write_data(config: Config) -> data.StructLayout:
    """A word to DRAM: its bits, the lowest byte first, and which of its bytes are written."""
    size = config.bus.data_bytes
    return data.StructLayout({"data": unsigned(8 * size), "strobe": unsigned(size)})


def window(config: Config) -> data.StructLayout:
    """A range of DRAM: address of its first byte, and bytes. It must not go beyond the last address."""
    return data.StructLayout({"base": unsigned(config.bus.address_bits), "size": unsigned(32)})


def fault(config: Config) -> data.StructLayout:
    """What went wrong in a bus unit, in the cycle in which `valid` is 1.

    error : RANGE, READ or WRITE of `instructions.Error`
    client : place of the client among those of the unit
    address : of the request that leaves its window, or of the burst that DRAM refused
    number : of the request
    """
    return data.StructLayout(
        {
            "valid": unsigned(1),
            "error": unsigned(max(Error).bit_length()),
            "client": unsigned(2),
            "address": unsigned(config.bus.address_bits),
            "number": unsigned(NUMBER_BITS),
        }
    )


def beats_of_burst(config: Config) -> int:
    """The most beats of a burst: as configured, but never more than 4 KiB, which no burst may cross."""
    return min(config.bus.burst, 4096 // config.bus.data_bytes)


def burst(config: Config) -> data.StructLayout:
    """A burst: byte `address`, number of `beats`, whether it is the `last` of its request."""
    return data.StructLayout(
        {
            "address": unsigned(config.bus.address_bits),
            "beats": unsigned(beats_of_burst(config).bit_length()),
            "last": unsigned(1),
        }
    )
