"""A buffer between two streams that cuts every path between them."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import *
from amaranth.lib import data, stream
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from sevedo.hw.unit import Unit


class StreamBuffer(Unit):
    """A first-in first-out buffer: lossless, in order, one transfer per cycle on both sides at once.

    Timing: LATENCY cycles from a transfer at `i` to valid at `o` when empty. No combinational path from `o.ready` to
    `i.ready` nor from `i` to `o`.
    Numerics: the payload is not touched.

    Parameters
    ----------
    shape : shape of the payload
    depth : number of payloads held, at least 2 (with one, a transfer per cycle would need a path through `ready`)

    Members
    -------
    i : In(stream.Signature(shape))
    o : Out(stream.Signature(shape))

    Raises
    ------
    ValueError : when depth is below 2.
    """

    LATENCY = 1

    def __init__(self, shape: Any, depth: int = 2):
        if depth < 2:
            raise ValueError(f"depth={depth} must be at least 2")
        self._shape = shape
        self._depth = depth
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

    @property
    def module_name(self) -> str:
        return f"stream_buffer_{self._depth}x{_tag(self._shape)}"

    @property
    def latency(self) -> int:
        """Cycles from a transfer in to valid out, when empty and not stalled."""
        return self.LATENCY

    def build(self) -> Module:
        m = Module()
        m.submodules.storage = storage = Memory(shape=self._shape, depth=self._depth, init=[])
        write = storage.write_port()
        read = storage.read_port(domain="comb")
        level = Signal(range(self._depth + 1))
        transfer_in = Signal()
        transfer_out = Signal()
        m.d.comb += [
            self.i.ready.eq(level != self._depth),
            self.o.valid.eq(level != 0),
            transfer_in.eq(self.i.valid & self.i.ready),
            transfer_out.eq(self.o.valid & self.o.ready),
            write.en.eq(transfer_in),
            write.data.eq(self.i.payload),
            self.o.payload.eq(read.data),
        ]
        m.d.sync += level.eq(level + transfer_in - transfer_out)
        with m.If(transfer_in):
            m.d.sync += write.addr.eq(self._after(write.addr))
        with m.If(transfer_out):
            m.d.sync += read.addr.eq(self._after(read.addr))
        return m

    def _after(self, address: Value) -> Value:
        return Mux(address == self._depth - 1, 0, address + 1)


def _tag(shape: Any) -> str:
    """A short name of a payload's shape, distinct for distinct fields: part of the module's name."""
    if isinstance(shape, data.ArrayLayout):
        return f"{shape.length}x{_tag(shape.elem_shape)}"
    if isinstance(shape, data.StructLayout):
        return "_".join(f"{name}_{_tag(field)}" for name, field in shape.members.items())
    cast = Shape.cast(shape)
    return f"{'s' if cast.signed else 'u'}{cast.width}"
