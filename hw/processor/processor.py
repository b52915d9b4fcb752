"""The processor: the top of what a chip or a board gets."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import *
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.utils import exact_log2

from sevedo.gen.config import Config
from sevedo.hw.bus.axi import attach, axi4, axi4_lite
from sevedo.hw.bus.registers import ADDRESS_BITS, Registers
from sevedo.hw.control.controller import NAMES
from sevedo.hw.unit import Unit

from .program_core import ProgramCore


class Processor(Unit):
    """A core that runs a program by itself: AXI4-Lite registers for the host, an AXI4 master to DRAM, an interrupt.

    Timing: none that a host must know.
    Numerics: docs/numerics.md.

    Parameters
    ----------
    config : sizes and formats

    Members
    -------
    m_axi : Out(axi4), to DRAM
    s_axi : In(axi4_lite), registers: docs/registers.md
    irq : Out(1), high while an enabled interrupt is pending
    activity : Out, of each unit in the order of the instruction set {state, number of its instruction}, for waveforms
        and timelines; states: 0 idle, 1 busy, 2 waits for tokens, 3 for input, 4 for room for its output

    Raises
    ------
    ConfigError : a configuration whose memories do not fit its bus.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        core = ProgramCore(config)
        super().__init__(
            {
                "m_axi": Out(axi4(config)),
                "s_axi": In(axi4_lite(ADDRESS_BITS)),
                "irq": Out(1),
                "activity": core.signature.members["activity"],
            }
        )

    @property
    def module_name(self) -> str:
        return "processor"

    def build(self) -> Module:
        m = Module()
        m.submodules.registers = registers = Registers()
        m.submodules.program_core = core = ProgramCore(self.config)
        connect(m, flipped(self.s_axi), registers.axi)
        attach(m, self.m_axi, core.axi)
        size = self.config.bus.data_bytes
        m.d.comb += [
            self.irq.eq(registers.irq),
            self.activity.eq(core.activity),
            registers.configuration.eq(self.config.fingerprint),
            registers.running.eq(core.running),
            registers.restart.eq(core.begun),
            core.start.eq(registers.control_start),
            core.stop.eq(registers.control_stop),
            core.clear.eq(registers.control_clear),
            core.entry.eq(registers.program_offset),
            core.watchdog.eq(registers.watchdog),
            *_grant(core.image, registers.image_base, registers.image_size, size),
            *_grant(core.data, registers.data_base, registers.data_size, size),
            registers.status_running.eq(core.running),
            registers.status_done.eq(core.done),
            registers.status_failed.eq(core.failed),
            registers.status_bus_idle.eq(core.bus_idle),
            registers.interrupt_done.eq(core.ended[0]),
            registers.interrupt_failed.eq(core.ended[1]),
            registers.error_code.eq(core.error),
            registers.error_unit.eq(core.error_unit),
            registers.error_instruction.eq(core.error_number),
            registers.error_address.eq(core.error_address),
            registers.instructions.eq(core.instructions),
            registers.cycles.eq(core.running),
            registers.bytes_read.eq(Mux(core.words_read, size, 0)),
            registers.bytes_written.eq(Mux(core.words_written, size, 0)),
        ]
        for unit, name in enumerate(NAMES):
            for what, bits in (
                ("busy", core.busy),
                ("wait_token", core.waits & ~core.busy),
                ("wait_input", core.starved),
                ("wait_output", core.blocked),
            ):
                m.d.comb += getattr(registers, f"status_{name}_{what}").eq(bits[unit])
                m.d.comb += getattr(registers, f"{name}_{what}").eq(bits[unit] & core.running)
        return m


def _grant(window: Any, base: Value, size: Value, word: int) -> list[Any]:
    """A range of DRAM for the buses: nothing where it leaves the addresses, or begins between bus words."""
    bits = len(window.base)
    end = base[:bits] + size
    refused = base[bits:].any() | (end > 1 << bits) | base[: exact_log2(word)].any()
    return [window.base.eq(base), window.size.eq(Mux(refused, 0, size))]
