"""What every board has: link, self-test, registers, lights."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib.wiring import In, Out, connect

from sevedo.hw.link.link import Link
from sevedo.hw.unit import Unit

from .bus import BoardBus
from .lights import Lights
from .lite_master import LiteMaster
from .registers import BoardRegisters
from .self_test import Result, SelfTest


class BoardFrame(Unit):
    """Runs its self-test after reset, then does what comes over the serial line. What it reaches is `add`ed.

    Timing: none that a host must know.
    Numerics: docs/numerics.md.

    Parameters
    ----------
    memory : bytes of the memory that stands for DRAM
    clock_hz, baud : rates of the clock and of the serial line
    script : of the self-test

    Members
    -------
    rx : In(1), tx : Out(1), the serial line
    lights : Out(8), see `Lights`
    """

    TARGETS: tuple[str, ...]
    """Of `BoardBus`, but for the board's registers."""

    def __init__(self, memory: int, clock_hz: int, baud: int, script: tuple[int, ...]) -> None:
        self.memory, self.clock_hz, self.baud, self.script = memory, clock_hz, baud, script
        super().__init__({"rx": In(1), "tx": Out(1), "lights": Out(Lights.COUNT)})

    @property
    def module_name(self) -> str:
        return "board"

    def add(self, m: Module, bus: BoardBus, reset: Value) -> tuple[Value, Value]:
        """The units behind the bus, which `reset` resets; whether something runs, and whether it wants to be heard."""
        raise NotImplementedError

    def build(self) -> Module:
        m = Module()
        m.submodules.link = link = Link(self.clock_hz, self.baud)
        m.submodules.self_test = test = SelfTest(self.script)
        m.submodules.bus = bus = BoardBus((*self.TARGETS, "board"))
        m.submodules.board_port = board_port = LiteMaster()
        m.submodules.registers = registers = BoardRegisters()
        m.submodules.lights = lights = Lights(self.clock_hz)
        connect(m, board_port.axi, registers.axi)
        connect(m, link.bus, bus.link)
        connect(m, test.bus, bus.test)
        connect(m, bus.board, board_port.host)
        runs, interrupt = self.add(m, bus, registers.control_reset)
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
            lights.runs.eq(runs),
            lights.interrupt.eq(interrupt),
            lights.good.eq(link.good),
            lights.bad.eq(link.bad | link.full),
            self.lights.eq(lights.lights),
        ]
        return m
