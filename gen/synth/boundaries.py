"""Which units stay modules in `sevedo synth`: blocks do, arithmetic goes into the block that uses it."""

from __future__ import annotations

from collections.abc import Sequence

from sevedo.gen.verilog.emitter import EmittedModule
from sevedo.hw.rmc.accumulate import AccumulatorAdder
from sevedo.hw.rmc.dequantize import IntegerDequantizer, ShiftDequantizer
from sevedo.hw.stream.buffer import StreamBuffer
from sevedo.hw.unit import Unit

ARITHMETIC = ("sevedo.hw.float", "sevedo.hw.integer")
"""Packages whose units are flattened into what uses them, so that optimisation crosses their ports."""
SMALL = (AccumulatorAdder, ShiftDequantizer, IntegerDequantizer, StreamBuffer)
"""The same of parts of a processing element, and of buffers of a few words."""


def stays(unit: Unit) -> bool:
    """Whether a unit is a module of its own."""
    return not type(unit).__module__.startswith(ARITHMETIC) and not isinstance(unit, SMALL)


def boundaries(emitted: Sequence[EmittedModule]) -> list[type[Unit]]:
    """The classes of units in a design that stay modules."""
    return sorted({type(m.unit) for m in emitted if stays(m.unit)}, key=lambda one: one.__name__)
