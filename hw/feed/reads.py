"""How a feeder reads an operand buffer: the ports, seen from the feeder."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from sevedo.gen.config.operands import Operand


def offset_bits(operand: Operand) -> int:
    """Bits of a beat's place within a window, and of a step."""
    return max(operand.depth.bit_length(), 1)


def reads(operand: Operand) -> wiring.Signature:
    """Ports of the side that reads; see `OperandBuffer`."""
    return wiring.Signature(
        {
            "offset": Out(offset_bits(operand)),
            "available": In(1),
            "enable": Out(1),
            "beat": In(operand.width),
            "advance": Out(1),
            "step": Out(offset_bits(operand)),
            "last": Out(1),
        }
    )


def held_valid(m: Module, valid: Value, ready: Value, go: Value) -> Value:
    """Offer a beat that `go` reads from the next cycle on until it is taken; whether another may be read."""
    m.d.sync += valid.eq(go | (valid & ~ready))
    return ~valid | ready
