"""How a host reaches a processor: registers, memory, interrupt. The simulation is one way, a board another."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from sevedo.sim.dram import DramProcess

SLICE = 20_000
"""Cycles that a simulation goes on before it tells how far it is."""


class Range(NamedTuple):
    """Bytes of DRAM."""

    base: int
    size: int


class Transport(Protocol):
    """What `Accelerator` needs."""

    def read_register(self, address: int) -> int:
        """The 32 bits of a register."""

    def write_register(self, address: int, value: int) -> None:
        """Set a register."""

    def read_memory(self, address: int, size: int) -> bytes:
        """Bytes of DRAM, as the processor sees them."""

    def write_memory(self, address: int, data: bytes) -> None:
        """Set bytes of DRAM."""

    def grant(self, image: Range, data: Range) -> None:
        """What the processor may touch, `image` by reading only; a way that can, holds it to that."""

    def wait(self, cycles: int) -> bool:
        """Until the interrupt, at most about so many cycles of the processor; whether it came."""


class SimulationTransport:
    """A processor in Verilator.

    Parameters
    ----------
    process : the running simulation
    progress : called with the cycles so far while it waits
    """

    def __init__(self, process: DramProcess, progress: Callable[[int], None] | None = None) -> None:
        self.process, self._progress = process, progress
        self.read_register = process.read_register
        self.write_register = process.write_register
        self.read_memory = process.read_memory
        self.write_memory = process.write_memory

    def grant(self, image: Range, data: Range) -> None:
        """From now on any other access ends the simulation."""
        self.process.grant([image, data], [data])

    def wait(self, cycles: int) -> bool:
        """Run until the interrupt, at most so many cycles."""
        for done in range(0, cycles, SLICE):
            if self.process.run(min(SLICE, cycles - done)):
                return True
            if self._progress is not None:
                self._progress(min(done + SLICE, cycles))
        return False
