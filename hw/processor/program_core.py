"""A core that runs programs: controller, engine and buses, with plain ports for what the host says."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import *
from amaranth.lib.wiring import In, Out, connect

from sevedo.gen.config import Config
from sevedo.hw.bus.axi import attach, axi4
from sevedo.hw.bus.payloads import window
from sevedo.hw.bus.reader import AxiReader
from sevedo.hw.bus.writer import AxiWriter
from sevedo.hw.control.controller import NAMES, UNITS, Controller
from sevedo.hw.unit import Unit

from .engine import Engine

STATUS = (
    "begun", "running", "done", "failed", "ended", "error", "error_unit", "error_number", "error_address",
    "instructions", "busy", "waits", "activity",
)  # fmt: skip
"""What the controller says to the host."""


def bus_clients(config: Config) -> tuple[tuple[str, int], ...]:
    """Who reads DRAM, by priority, and how many of the longest bursts it reads ahead."""
    return ("fetch", 2), ("load", 4), ("stream", config.bus.outstanding)


class ProgramCore(Unit):
    """See docs/processor.md.

    Parameters
    ----------
    config : sizes and formats

    Members
    -------
    axi : Out(axi4), to DRAM
    start, stop, clear, entry, watchdog : In, see `Controller`
    image, data : In(window), the granted ranges of DRAM
    begun .. activity : Out, see `Controller`; `waits` only of units that have no instruction
    starved, blocked : Out(5), a unit that has an instruction waits for input, for output
    bus_idle : Out(1); words_read, words_written : Out(1), a bus word moves

    Raises
    ------
    ConfigError : a configuration whose memories do not fit its bus.
    """

    def __init__(self, config: Config) -> None:
        config.check_processor()
        self.config = config
        members: dict[str, Any] = {
            "axi": Out(axi4(config)),
            "start": In(1),
            "stop": In(1),
            "clear": In(1),
            "entry": In(32),
            "watchdog": In(32),
            "image": In(window(config)),
            "data": In(window(config)),
            "starved": Out(len(UNITS)),
            "blocked": Out(len(UNITS)),
            "bus_idle": Out(1),
            "words_read": Out(1),
            "words_written": Out(1),
        }
        controller = Controller(config)
        members |= {name: controller.signature.members[name] for name in STATUS}
        super().__init__(members)

    @property
    def module_name(self) -> str:
        return "program_core"

    def build(self) -> Module:
        m = Module()
        config = self.config
        m.submodules.controller = control = Controller(config)
        m.submodules.engine = engine = Engine(config)
        m.submodules.reader = reader = AxiReader(config, bus_clients(config))
        m.submodules.writer = writer = AxiWriter(config)
        engine.also_reset = control.reset
        attach(m, self.axi, reader.axi)
        attach(m, self.axi, writer.axi)
        clear = control.reset & ~control.halt
        m.d.comb += [
            reader.image.eq(self.image),
            reader.data.eq(self.data),
            writer.data.eq(self.data),
            self.bus_idle.eq(reader.idle & writer.idle),
            self.words_read.eq(self.axi.rvalid & self.axi.rready),
            self.words_written.eq(self.axi.wvalid & self.axi.wready),
        ]
        for bus in (reader, writer):
            m.d.comb += [bus.halt.eq(control.halt | clear), bus.clear.eq(clear)]
        m.d.comb += [
            *(
                getattr(control, name).eq(getattr(self, name))
                for name in ("start", "stop", "clear", "entry", "watchdog")
            ),
            *(getattr(self, name).eq(getattr(control, name)) for name in STATUS if name != "waits"),
            self.waits.eq(control.waits & ~control.busy),  # each cycle of a unit counts once
            control.image_base.eq(self.image.base),
            control.image_size.eq(self.image.size),
            control.bus_idle.eq(self.bus_idle),
            control.engine_idle.eq(engine.idle),
            control.progress.eq(engine.progress | self.words_read | self.words_written),
            control.reader_fault.eq(reader.fault),
            control.writer_fault.eq(writer.fault),
            control.stream_fault.eq(engine.stream_fault),
            control.operand_fault.eq(engine.operand_fault),
            engine.written.eq(writer.done),
            control.starved.eq(engine.starved),
            control.blocked.eq(engine.blocked),
            self.starved.eq(engine.starved & control.busy),
            self.blocked.eq(engine.blocked & ~engine.starved & control.busy),
        ]
        for name in NAMES:
            connect(m, getattr(control, name), getattr(engine, name))
            m.d.comb += getattr(control, f"{name}_done").eq(getattr(engine, f"{name}_done"))
        connect(m, control.request, reader.fetch_request)
        connect(m, reader.fetch_data, control.data)
        connect(m, engine.load_request, reader.load_request)
        connect(m, reader.load_data, engine.load_data)
        connect(m, engine.stream_request, reader.stream_request)
        connect(m, reader.stream_data, engine.stream_data)
        connect(m, engine.write_request, writer.request)
        connect(m, engine.words, writer.words)
        return m
