"""Inside cocotb: a board's clock, its PLL, and its serial port as the host library takes it."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable
from typing import Any

from cocotb.clock import Clock
from cocotb.task import bridge, resume
from cocotb.triggers import First, Timer
from cocotb.utils import get_sim_time
from cocotbext.uart import UartSink, UartSource

from .runner import PARAMETERS

GATHER = 24
"""Bits of silence on the line after which what has come is handed on."""


def board_parameters() -> dict[str, Any]:
    """Inside a cocotb test: the `parameters` that `run_board` was given."""
    return json.loads(os.environ[PARAMETERS])


class SimulatedPort:
    """The serial port of a simulated board: the interface `sevedo.gen.host.link.port.Port`.

    Its methods are called in a thread of their own, started by `cocotb.task.bridge`.

    Parameters
    ----------
    rx, tx : pins of the board
    baud : rate of the line
    """

    def __init__(self, rx: Any, tx: Any, baud: int) -> None:
        for pin in (rx, tx):
            logging.getLogger(f"cocotb.{pin._path}").setLevel(logging.WARNING)
        self._source, self._sink = UartSource(rx, baud=baud), UartSink(tx, baud=baud)
        self._bit = 1e9 / baud
        self.damage: Callable[[bytes], bytes] = bytes
        """What happens to bytes on the way to the board."""
        self.damage_back: Callable[[bytes], bytes] = bytes
        """What happens to bytes on the way back."""

    def write(self, data: bytes) -> None:
        """Send bytes; they are on their way when this returns."""

        @resume
        async def send() -> None:
            await self._source.write(self.damage(bytes(data)))

        send()

    def read_some(self, seconds: float) -> bytes:
        """What has come; waits for the first byte, at most so long."""

        @resume
        async def receive() -> bytes:
            if self._sink.empty():
                self._sink.sync.clear()
                await First(self._sink.sync.wait(), Timer(max(round(seconds * 1e9), 1), "ns"))
            seen = -1
            while not self._sink.empty() and seen != self._sink.count():
                seen = self._sink.count()
                await Timer(round(GATHER * self._bit), "ns")
            return b"" if self._sink.empty() else bytes(self._sink.read_nowait())

        return self.damage_back(receive())

    def discard(self) -> None:
        """Forget what has come."""

        @resume
        async def clear() -> None:
            self._sink.clear()

        clear()

    def now(self) -> float:
        """Simulated time in seconds."""

        @resume
        async def time() -> float:
            return get_sim_time("ns") * 1e-9

        return time()

    def close(self) -> None:
        """Nothing to give back."""


def start_clocks(dut: Any, parameters: dict[str, Any]) -> list[Clock]:
    """Drive the oscillator's pin and, where there is a PLL, its oscillator: `clock_hz` of the settings."""
    clocks = [Clock(getattr(dut, parameters["pins"]["clock"]), _period(parameters["oscillator_hz"]), "ps")]
    if parameters.get("pll"):
        inside = dut
        for name in parameters["pll"]:
            inside = getattr(inside, name)
        clocks.append(Clock(inside, _period(parameters["clock_hz"]), "ps"))
    for clock in clocks:
        clock.start()
    return clocks


def _period(hz: int) -> int:
    """In ps, even."""
    return 2 * round(5e11 / hz)


async def in_thread(function: Callable[[], Any]) -> Any:
    """Run what talks to a `SimulatedPort`; time goes on meanwhile."""
    return await bridge(function)()
