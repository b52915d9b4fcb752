"""The host link as a whole: from a serial line to words."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib.wiring import In, Out, connect, flipped

from sevedo.gen.config.link import FRAME_BYTES, WINDOW
from sevedo.hw.unit import Unit

from .executor import Executor
from .frame_receiver import FrameReceiver
from .frame_sender import FrameSender
from .uart import UartReceiver, UartTransmitter
from .word import word_bus

BUFFER_BYTES = 1 << (WINDOW * FRAME_BYTES - 1).bit_length()
"""Room for as many requests as a host may send ahead, so that none is lost for want of it."""


class LinkCore(Unit):
    """The link between bytes: what comes in is any stream of bytes, what goes out are answers.

    Timing: takes a byte a cycle, whenever it comes; answers as the bus does.
    Numerics: none.

    Parameters
    ----------
    depth : bytes of requests that wait, see `FrameReceiver`

    Members
    -------
    valid, data, error : In, a byte, see `FrameReceiver`
    o : Out(stream of 8 bits)
    bus : Out(word_bus)
    good, bad, full : Out(1), pulses, see `FrameReceiver`
    """

    def __init__(self, depth: int = BUFFER_BYTES) -> None:
        self.depth = depth
        super().__init__(
            {
                "valid": In(1),
                "data": In(8),
                "error": In(1),
                "o": Out(FrameSender().signature.members["o"].signature),
                "bus": Out(word_bus()),
                "good": Out(1),
                "bad": Out(1),
                "full": Out(1),
            }
        )

    @property
    def module_name(self) -> str:
        return f"link_core_{self.depth}"

    def build(self) -> Module:
        m = Module()
        m.submodules.receiver = receiver = FrameReceiver(self.depth)
        m.submodules.executor = executor = Executor()
        m.submodules.sender = sender = FrameSender()
        connect(m, receiver.o, executor.i)
        connect(m, executor.o, sender.i)
        connect(m, sender.o, flipped(self.o))
        connect(m, executor.bus, flipped(self.bus))
        m.d.comb += [
            *(getattr(receiver, name).eq(getattr(self, name)) for name in ("valid", "data", "error")),
            *(getattr(self, name).eq(getattr(receiver, name)) for name in ("good", "bad", "full")),
        ]
        return m


class Link(Unit):
    """The link between a serial line and words.

    Timing: that of the line.
    Numerics: none.

    Parameters
    ----------
    clock_hz, baud : rates of the clock and of the line
    depth : bytes of requests that wait, see `FrameReceiver`

    Members
    -------
    rx : In(1), tx : Out(1), the line, high while idle
    bus : Out(word_bus)
    good, bad, full : Out(1), pulses, see `FrameReceiver`

    Raises
    ------
    ValueError : as `uart.step`.
    """

    def __init__(self, clock_hz: int, baud: int, depth: int = BUFFER_BYTES) -> None:
        self.clock_hz, self.baud, self.depth = clock_hz, baud, depth
        UartReceiver(clock_hz, baud)
        super().__init__(
            {
                "rx": In(1),
                "tx": Out(1),
                "bus": Out(word_bus()),
                "good": Out(1),
                "bad": Out(1),
                "full": Out(1),
            }
        )

    @property
    def module_name(self) -> str:
        return "link"

    def build(self) -> Module:
        m = Module()
        m.submodules.receiver = receiver = UartReceiver(self.clock_hz, self.baud)
        m.submodules.transmitter = transmitter = UartTransmitter(self.clock_hz, self.baud)
        m.submodules.core = core = LinkCore(self.depth)
        connect(m, core.o, transmitter.i)
        connect(m, core.bus, flipped(self.bus))
        m.d.comb += [
            receiver.rx.eq(self.rx),
            self.tx.eq(transmitter.tx),
            *(getattr(core, name).eq(getattr(receiver, name)) for name in ("valid", "data", "error")),
            *(getattr(self, name).eq(getattr(core, name)) for name in ("good", "bad", "full")),
        ]
        return m
