"""A small board but for its clock and pins: the residual matrix core alone, link, self-test, registers."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib.wiring import connect

from sevedo.gen.config import Config
from sevedo.gen.config.link import OPERANDS
from sevedo.hw.rmc.rmc import ResidualMatrixCore

from .array_port import ArrayPort
from .bus import BoardBus
from .frame import BoardFrame


class ArrayBoard(BoardFrame):
    """A `BoardFrame` with a residual matrix core, whose operands a host writes and whose sums it reads.

    For FPGAs that are too small for a processor: quantization and the low-rank path are the host's.

    Timing: none that a host must know.
    Numerics: docs/numerics.md, residual path.

    Parameters
    ----------
    config : of the array
    clock_hz, baud, script : as `BoardFrame`

    Members
    -------
    rx, tx, lights : as `BoardFrame`

    Raises
    ------
    ValueError : as `ArrayPort`, `Link` and `SelfTest`.
    """

    TARGETS = ("array",)

    def __init__(self, config: Config, clock_hz: int, baud: int, script: tuple[int, ...]) -> None:
        self.config = config
        super().__init__(0, clock_hz, baud, script)

    def add(self, m: Module, bus: BoardBus, reset: Value) -> tuple[Value, Value]:
        m.submodules.array = array = ResidualMatrixCore(self.config)
        m.submodules.port = port = ArrayPort(self.config)
        for name in OPERANDS:
            connect(m, getattr(port, name), getattr(array, name))
        connect(m, array.sums, port.sums)
        connect(m, bus.array, port.host)
        for unit in (array, port):
            unit.also_reset = reset
        return Cat(getattr(port, name).valid for name in OPERANDS).any(), array.sums.valid
