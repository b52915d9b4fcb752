"""Asynchronous serial bytes, 8N1, at any rate: a receiver and a transmitter.

A bit is a fraction of the clock: an accumulator of `FRACTION` bits adds `step` in each cycle and a bit ends when it
overflows, so that the rate is off by less than 2^-8 however clock and baud divide, and its edges by one cycle.
"""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib import stream
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

from sevedo.hw.unit import Unit

FRACTION = 16
"""Bits of the accumulator."""

LEAST = 4
"""Cycles of a bit, at least: fewer, and the middle of a bit cannot be told from its edges."""

BITS = 8
"""Data bits of a byte, the lowest first."""


def step(clock_hz: int, baud: int) -> int:
    """What the accumulator grows by in a cycle.

    Raises
    ------
    ValueError : when a bit has fewer than `LEAST` cycles, or the rate is off by more than 1 %.
    """
    if baud < 1 or clock_hz < LEAST * baud:
        raise ValueError(
            f"baud={baud} must be at least 1 and at most clock_hz / {LEAST} = {clock_hz // LEAST}"
        )
    grows = round(baud * (1 << FRACTION) / clock_hz)
    if abs(grows * clock_hz / (baud << FRACTION) - 1) > 0.01:
        raise ValueError(f"baud={baud} must be at least {clock_hz // 1000}: it is off by more than 1 % below")
    return grows


class UartReceiver(Unit):
    """Bytes from a serial line.

    Timing: `valid` is 1 for one cycle, in the middle of the stop bit. A byte is found by the falling edge of its start
    bit, which must still be low in its middle; each bit is what the line says in its middle.
    Numerics: none.

    Parameters
    ----------
    clock_hz, baud : rates of the clock and of the line

    Members
    -------
    rx : In(1), the line, high while idle; synchronised here
    valid : Out(1), a byte is there
    data : Out(8), the byte
    error : Out(1), with `valid`: the stop bit is low, so the byte is wrong

    Raises
    ------
    ValueError : as `step`.
    """

    def __init__(self, clock_hz: int, baud: int) -> None:
        self.clock_hz, self.baud = clock_hz, baud
        self.step = step(clock_hz, baud)
        super().__init__({"rx": In(1), "valid": Out(1), "data": Out(BITS), "error": Out(1)})

    @property
    def module_name(self) -> str:
        return f"uart_receiver_{self.step}"

    def build(self) -> Module:
        m = Module()
        line = Signal(init=1)
        before = Signal(init=1)
        m.submodules.synchronizer = FFSynchronizer(self.rx, line, init=1)
        m.d.sync += before.eq(line)
        phase = Signal(FRACTION)
        place = Signal(range(BITS + 2))  # 0: start bit, then the data bits, then the stop bit
        busy = Signal()
        following = phase + self.step
        middle = following[FRACTION]
        with m.If(~busy):
            # Half a bit from here is the middle of the start bit; the edge was seen a cycle after it was there.
            m.d.sync += [phase.eq((1 << FRACTION - 1) + self.step), place.eq(0)]
            with m.If(before & ~line):
                m.d.sync += busy.eq(1)
        with m.Else():
            m.d.sync += phase.eq(following)
            with m.If(middle):
                m.d.sync += place.eq(place + 1)
                with m.If(place == 0):
                    m.d.sync += busy.eq(~line)
                with m.Elif(place <= BITS):
                    m.d.sync += self.data.eq(Cat(self.data[1:], line))
                with m.Else():
                    m.d.sync += busy.eq(0)
        m.d.sync += [
            self.valid.eq(busy & middle & (place == BITS + 1)),
            self.error.eq(~line),
        ]
        return m


class UartTransmitter(Unit):
    """Bytes to a serial line.

    Timing: a byte takes ten bits of the line, then the next is taken; `tx` is a register.
    Numerics: none.

    Parameters
    ----------
    clock_hz, baud : rates of the clock and of the line

    Members
    -------
    i : In(stream of 8 bits)
    tx : Out(1), the line, high while idle

    Raises
    ------
    ValueError : as `step`.
    """

    def __init__(self, clock_hz: int, baud: int) -> None:
        self.clock_hz, self.baud = clock_hz, baud
        self.step = step(clock_hz, baud)
        super().__init__({"i": In(stream.Signature(unsigned(BITS))), "tx": Out(1, init=1)})

    @property
    def module_name(self) -> str:
        return f"uart_transmitter_{self.step}"

    def build(self) -> Module:
        m = Module()
        phase = Signal(FRACTION)
        following = phase + self.step
        bits = Signal(BITS + 2)  # what is still to be sent: start bit, data, stop bit
        left = Signal(range(BITS + 3))
        m.d.comb += self.i.ready.eq(left == 0)
        with m.If(left == 0):
            m.d.sync += phase.eq(0)
            with m.If(self.i.valid):
                m.d.sync += [bits.eq(Cat(self.i.payload, 1)), left.eq(BITS + 2), self.tx.eq(0)]
        with m.Else():
            m.d.sync += phase.eq(following)
            with m.If(following[FRACTION]):
                m.d.sync += [left.eq(left - 1), bits.eq(bits[1:]), self.tx.eq(Mux(left == 1, 1, bits[0]))]
        return m
