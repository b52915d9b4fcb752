"""Stream drivers and monitors for cocotb: random stalls on either side, the stream rules checked on every transfer.

The rules: valid does not drop and the payload does not change before the transfer; a producer does not wait for ready.
Beats are words as `sevedo.sim.packing` makes them. Ports change shortly after the rising edge and are looked at on the
falling edge, when everything has settled and before anything can change: what is seen there is what the next rising
edge takes.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, RisingEdge, Timer
from numpy.typing import NDArray

from sevedo.gen.verilog.manifest import StreamPort

Words = NDArray[np.uint32]
PERIOD = 10
"""Clock period in nanoseconds; ports are driven one nanosecond after the rising edge."""


class StreamError(AssertionError):
    """A broken stream rule. The message names the stream and the beat."""


@dataclass(frozen=True)
class Stalls:
    """Probability per cycle that a side holds back; `patient` outputs become ready only after valid was seen."""

    input: float = 0.0
    output: float = 0.0
    patient: bool = False


BATTERY = (
    *(Stalls(i, o) for i in (0.0, 0.25, 0.75) for o in (0.0, 0.25, 0.75)),
    Stalls(0.0, 0.0, patient=True),
    Stalls(0.25, 0.25, patient=True),
)
"""The stalls that every unit meets."""


async def start(dut: Any, clock: str = "clk", reset: str = "rst") -> None:
    """Start the clock and reset for two cycles; returns one nanosecond after a rising edge. Call drivers first."""
    signal = getattr(dut, clock)
    Clock(signal, PERIOD, "ns").start()
    has_reset = hasattr(dut, reset)
    if has_reset:
        getattr(dut, reset).value = 1
    for _ in range(2):
        await RisingEdge(signal)
    await Timer(1, "ns")
    if has_reset:
        getattr(dut, reset).value = 0


class StreamDriver:
    """Sends beats into an input stream of the design. Between beats the payload is noise.

    Members
    -------
    transfers : beats taken so far
    """

    def __init__(
        self, dut: Any, stream: StreamPort, *, stall: float = 0.0, seed: int = 0, clock: str = "clk"
    ):
        self._ports = _Ports(dut, stream)
        self._clock = getattr(dut, clock)
        self._stall = stall
        self._random = random.Random(f"{stream.name} {seed}")
        self.transfers = 0
        self._idle()

    async def send(self, beats: Words) -> None:
        """Offer every beat until it is taken. Starts and ends one nanosecond after a rising edge."""
        for beat in beats:
            while self._random.random() < self._stall:
                self._idle()
                await self._cycle()
            self._ports.payload = beat
            self._ports.valid.value = 1
            while not await self._cycle():
                pass
            self.transfers += 1
        self._idle()

    async def _cycle(self) -> bool:
        """One cycle; whether the design was ready in it."""
        await FallingEdge(self._clock)
        ready = _bit(self._ports.ready)
        await RisingEdge(self._clock)
        await Timer(1, "ns")
        return ready

    def _idle(self) -> None:
        self._ports.valid.value = 0
        noise = [self._random.getrandbits(32) for _ in range(self._ports.words)]
        self._ports.payload = np.array(noise, np.uint32)


class StreamMonitor:
    """Takes beats from an output stream of the design and holds it to the rules.

    Members
    -------
    beats : words of every beat taken so far
    """

    def __init__(
        self, dut: Any, stream: StreamPort, *, stall: float = 0.0, patient: bool = False, seed: int = 0,
        clock: str = "clk", hang: int = 1000,
    ):  # fmt: skip
        self._name = stream.name
        self._ports = _Ports(dut, stream)
        self._clock = getattr(dut, clock)
        self._stall = stall
        self._patient = patient
        self._random = random.Random(f"{stream.name} {seed}")
        self._hang = hang
        self._held: Words | None = None
        self.beats: list[Words] = []
        self._ports.ready.value = 0

    @property
    def transfers(self) -> int:
        """Beats taken so far."""
        return len(self.beats)

    async def receive(self, count: int, drain: int = 16) -> Words:
        """Take `count` beats, then look on for `drain` cycles; the beats as words [count, words].

        Raises
        ------
        StreamError : for a broken rule, no transfer for `hang` cycles, or a surplus beat.
        """
        quiet = 0
        while self.transfers < count:
            quiet = 0 if await self._cycle(self._draw()) else quiet + 1
            if quiet > self._hang:
                raise self._error(f"no transfer for {self._hang} cycles, {count} beats expected")
        for _ in range(drain):
            if await self._cycle(ready=True):
                raise self._error(f"surplus beat: {count} were expected")
        self._ports.ready.value = 0
        return np.array(self.beats, np.uint32).reshape(-1, self._ports.words)

    def _draw(self) -> bool:
        if self._patient and self._held is None:
            return False
        return self._random.random() >= self._stall

    async def _cycle(self, ready: bool) -> bool:
        """One cycle; whether a beat was taken in it."""
        self._ports.ready.value = int(ready)
        await FallingEdge(self._clock)
        taken = self._look(ready)
        await RisingEdge(self._clock)
        await Timer(1, "ns")
        return taken

    def _look(self, ready: bool) -> bool:
        if not _bit(self._ports.valid):
            if self._held is not None:
                raise self._error("valid dropped before the transfer")
            return False
        beat = self._ports.payload
        if self._held is not None and not np.array_equal(beat, self._held):
            raise self._error("payload changed before the transfer")
        self._held = None if ready else beat
        if ready:
            self.beats.append(beat)
        return ready

    def _error(self, what: str) -> StreamError:
        return StreamError(f"stream {self._name}, beat {self.transfers}: {what}")


class _Ports:
    """The ports of one stream."""

    def __init__(self, dut: Any, stream: StreamPort):
        self.valid = getattr(dut, f"{stream.name}_valid")
        self.ready = getattr(dut, f"{stream.name}_ready")
        self.words = stream.words
        self._fields = [(getattr(dut, f.port), f.offset, f.width) for f in stream.fields if f.width]

    @property
    def payload(self) -> Words:
        """The beat at the ports."""
        beat = 0
        for port, offset, _ in self._fields:
            beat |= int(port.value) << offset
        return np.frombuffer(beat.to_bytes(4 * self.words, "little"), np.uint32)

    @payload.setter
    def payload(self, words: Words) -> None:
        beat = int.from_bytes(words.astype("<u4").tobytes(), "little")
        for port, offset, width in self._fields:
            port.value = beat >> offset & ((1 << width) - 1)


def _bit(signal: Any) -> bool:
    return bool(int(signal.value))
