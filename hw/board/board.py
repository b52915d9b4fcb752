"""A board but for its clock and pins: processor, memory, link, self-test, registers."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib.wiring import In, Out, connect

from sevedo.gen.config import Config
from sevedo.hw.control.controller import UNITS
from sevedo.hw.link.link import Link
from sevedo.hw.processor.processor import Processor
from sevedo.hw.unit import Unit

from .bus import BoardBus
from .lights import Lights
from .lite_master import LiteMaster
from .memory import BoardMemory
from .registers import BoardRegisters
from .self_test import Result, SelfTest


class Board(Unit):
    """Runs its self-test after reset, then does what comes over the serial line.

    Timing: none that a host must know.
    Numerics: docs/numerics.md.

    Parameters
    ----------
    config : of the processor
    memory : bytes of the memory that stands for DRAM
    clock_hz, baud : rates of the clock and of the serial line
    script : of the self-test

    Members
    -------
    rx : In(1), tx : Out(1), the serial line
    lights : Out(8), see `Lights`

    Raises
    ------
    ConfigError : a configuration whose memories do not fit its bus.
    ValueError : as `BoardMemory`, `Link` and `SelfTest`.
    """

    def __init__(
        self, config: Config, memory: int, clock_hz: int, baud: int, script: tuple[int, ...]
    ) -> None:
        self.config, self.memory, self.clock_hz, self.baud, self.script = (
            config,
            memory,
            clock_hz,
            baud,
            script,
        )
        super().__init__({"rx": In(1), "tx": Out(1), "lights": Out(Lights.COUNT)})

    @property
    def module_name(self) -> str:
        return "board"

    def build(self) -> Module:
        m = Module()
        m.submodules.processor = processor = Processor(self.config)
        m.submodules.memory = memory = BoardMemory(self.config, self.memory)
        m.submodules.link = link = Link(self.clock_hz, self.baud)
        m.submodules.self_test = test = SelfTest(self.script)
        m.submodules.bus = bus = BoardBus()
        m.submodules.processor_port = processor_port = LiteMaster()
        m.submodules.board_port = board_port = LiteMaster()
        m.submodules.registers = registers = BoardRegisters()
        m.submodules.lights = lights = Lights(self.clock_hz)
        connect(m, processor.m_axi, memory.axi)
        connect(m, processor_port.axi, processor.s_axi)
        connect(m, board_port.axi, registers.axi)
        connect(m, link.bus, bus.link)
        connect(m, test.bus, bus.test)
        connect(m, bus.memory, memory.host)
        connect(m, bus.processor, processor_port.host)
        connect(m, bus.board, board_port.host)
        for unit in (processor, memory, processor_port):
            unit.also_reset = registers.control_reset
        frames = []
        for name in ("good", "bad", "full"):
            count = Signal(32, name=f"frames_{name}")
            m.d.sync += count.eq(count + getattr(link, name))
            frames.append(getattr(registers, f"frames_{name}").eq(count))
        m.d.comb += [
            link.rx.eq(self.rx),
            self.tx.eq(link.tx),
            bus.hold.eq(test.running),
            test.start.eq(registers.control_test),
            registers.clock_hz.eq(self.clock_hz),
            registers.memory_bytes.eq(self.memory),
            registers.baud.eq(self.baud),
            registers.self_test.eq(test.result),
            registers.self_test_address.eq(test.address),
            registers.self_test_found.eq(test.found),
            *frames,
            lights.passed.eq(test.result == Result.PASSED),
            lights.failed.eq((test.result == Result.WRONG) | (test.result == Result.SILENT)),
            lights.runs.eq(Cat(processor.activity[unit].state for unit in range(len(UNITS))).any()),
            lights.interrupt.eq(processor.irq),
            lights.good.eq(link.good),
            lights.bad.eq(link.bad | link.full),
            self.lights.eq(lights.lights),
        ]
        return m
