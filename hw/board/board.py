"""A board but for its clock and pins: processor, memory, link, self-test, registers."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib.wiring import connect

from sevedo.gen.config import Config
from sevedo.hw.control.controller import UNITS
from sevedo.hw.processor.processor import Processor

from .bus import BoardBus
from .frame import BoardFrame
from .lite_master import LiteMaster
from .memory import BoardMemory


class Board(BoardFrame):
    """A `BoardFrame` with a processor and its memory.

    Timing: none that a host must know.
    Numerics: docs/numerics.md.

    Parameters
    ----------
    config : of the processor
    memory, clock_hz, baud, script : as `BoardFrame`

    Members
    -------
    rx, tx, lights : as `BoardFrame`

    Raises
    ------
    ConfigError : a configuration whose memories do not fit its bus.
    ValueError : as `BoardMemory`, `Link` and `SelfTest`.
    """

    TARGETS = ("memory", "processor")

    def __init__(
        self, config: Config, memory: int, clock_hz: int, baud: int, script: tuple[int, ...]
    ) -> None:
        self.config = config
        super().__init__(memory, clock_hz, baud, script)

    def add(self, m: Module, bus: BoardBus, reset: Value) -> tuple[Value, Value]:
        m.submodules.processor = processor = Processor(self.config)
        m.submodules.memory = memory = BoardMemory(self.config, self.memory)
        m.submodules.processor_port = port = LiteMaster()
        connect(m, processor.m_axi, memory.axi)
        connect(m, port.axi, processor.s_axi)
        connect(m, bus.memory, memory.host)
        connect(m, bus.processor, port.host)
        for unit in (processor, memory, port):
            unit.also_reset = reset
        return Cat(processor.activity[unit].state for unit in range(len(UNITS))).any(), processor.irq
