"""The controller: from a start to an interrupt."""

from __future__ import annotations

from functools import partial
from typing import Any

from amaranth.hdl import *
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out, connect, flipped

from sevedo.gen.config import Config
from sevedo.gen.config.instructions import BY_NAME, INSTRUCTION_BYTES, INSTRUCTIONS, NO_UNIT, Error
from sevedo.gen.config.instructions import Unit as UnitNumber
from sevedo.hw.bus.payloads import NUMBER_BITS, fault, read_request
from sevedo.hw.unit import Unit

from .fetch import ProgramFetcher
from .instruction import fields, is_legal, slices
from .queue import InstructionQueue
from .tokens import TokenCounters

UNITS = tuple(UnitNumber)
NAMES = tuple(each.name.lower() for each in UNITS)


class Controller(Unit):
    """Fetches, checks and dispatches instructions, keeps the tokens, and watches.

    States: idle; preparing (everything but this and the buses is reset, for two cycles); running; halting (nothing new
    is asked of the buses, everything else is reset) until the buses are idle. A program that ended raises `done`; one
    that failed `failed`, with what, who, which and where, until `clear`.

    Parameters
    ----------
    config : sizes and formats

    Members
    -------
    start, stop, clear : In(1), pulses of the host
    image_base : In(address_bits), image_size, entry, watchdog : In(32), entry: byte offset of the program in the image
    request, data : the bus client of the program
    <unit> : Out(stream of its instruction's fields), <unit>_done : In(1), for each unit
    starved, blocked : In(5), a unit waits for input, for output
    stream_fault : In(1), the words of a STREAM end within a bundle
    operand_fault : In(1), a MATMUL reads a beat that a section does not have
    reader_fault, writer_fault : In(fault)
    bus_idle, engine_idle, progress : In(1): nothing is under way on the buses, nothing is left, something moved
    halt, reset : Out(1), for the buses; for all else
    begun : Out(1), a pulse: a start was accepted
    running, done, failed : Out(1), `done` and `failed` stay until the next start or clear
    ended : Out(2), pulses: done, failed is being raised
    error, error_unit, error_number, error_address : Out
    instructions : Out(32), decoded so far
    busy, waits : Out(5), a unit has an instruction; the first in its queue waits for tokens
    activity : Out, of each unit {state, number}; states: 0 idle, 1 busy, 2 waits for tokens, 3 starved, 4 blocked
    """

    QUIET = 64
    """Cycles without progress after which tokens that are missing count as missing."""

    def __init__(self, config: Config) -> None:
        self.config = config
        members: dict[str, Any] = {
            "start": In(1),
            "stop": In(1),
            "clear": In(1),
            "entry": In(32),
            "image_base": In(config.bus.address_bits),
            "image_size": In(32),
            "watchdog": In(32),
            "request": Out(stream.Signature(read_request(config))),
            "data": In(stream.Signature(unsigned(8 * config.bus.data_bytes))),
            "starved": In(len(UNITS)),
            "blocked": In(len(UNITS)),
            "stream_fault": In(1),
            "operand_fault": In(1),
            "reader_fault": In(fault(config)),
            "writer_fault": In(fault(config)),
            "bus_idle": In(1),
            "engine_idle": In(1),
            "progress": In(1),
            "halt": Out(1),
            "reset": Out(1),
            "begun": Out(1),
            "running": Out(1),
            "done": Out(1),
            "failed": Out(1),
            "ended": Out(2),
            "error": Out(4),
            "error_unit": Out(3),
            "error_number": Out(NUMBER_BITS),
            "error_address": Out(config.bus.address_bits),
            "instructions": Out(32),
            "busy": Out(len(UNITS)),
            "waits": Out(len(UNITS)),
            "activity": Out(
                data.ArrayLayout(data.StructLayout({"state": 3, "number": NUMBER_BITS}), len(UNITS))
            ),
        }
        for name in NAMES:
            members[name] = Out(stream.Signature(fields(name.upper())))
            members[f"{name}_done"] = In(1)
        super().__init__(members)

    @property
    def module_name(self) -> str:
        return "controller"

    def build(self) -> Module:
        m = Module()
        state = Signal(2)
        idle, preparing, active, halting = (state == value for value in range(4))
        begin = Signal()
        second = Signal()
        failing = Signal()
        m.d.comb += [
            begin.eq(idle & self.start & ~self.failed),
            self.begun.eq(begin),
            self.halt.eq(halting | idle),
            self.reset.eq(~active),
            self.running.eq(~idle),
        ]
        over = self._work(m, begin, active)
        cause = self._watch(m, active, over["numbers"], over)
        m.d.comb += failing.eq(active & cause)
        settled = Signal()
        m.d.sync += settled.eq(active & over["ended"] & over["empty"] & self.engine_idle & self.bus_idle)
        finished = active & settled & ~failing
        with m.If(begin):
            m.d.sync += [state.eq(1), self.done.eq(0)]
        with m.Elif(preparing):
            m.d.sync += second.eq(~second)
            with m.If(second):
                m.d.sync += state.eq(2)
        with m.Elif(failing):
            m.d.sync += state.eq(3)
        with m.Elif(finished):
            m.d.sync += [state.eq(0), self.done.eq(1)]
            m.d.comb += self.ended[0].eq(1)
        with m.Elif(halting & self.bus_idle):
            m.d.sync += [state.eq(0), self.failed.eq(1)]
            m.d.comb += self.ended[1].eq(1)
        with m.If(idle & self.clear):
            told = self.error, self.error_unit, self.error_number, self.error_address
            m.d.sync += [self.failed.eq(0), self.done.eq(0), *(each.eq(0) for each in told)]
        return m

    def _work(self, m: Module, begin: Value, active: Value) -> dict[str, Any]:
        """From the program to the units."""
        config = self.config
        m.submodules.fetcher = fetcher = ProgramFetcher(config)
        m.submodules.tokens = tokens = TokenCounters(len(UNITS))
        fetcher.also_reset = tokens.also_reset = self.reset
        connect(m, fetcher.request, flipped(self.request))
        connect(m, flipped(self.data), fetcher.data)
        ended = Signal()
        code = fetcher.instruction.p
        # An instruction is judged in its first cycle here, and goes in a later one.
        legal = {each.name: Signal(name=f"legal_{each.name.lower()}") for each in INSTRUCTIONS}
        m.d.sync += [legal[each.name].eq(is_legal(m, config, code, each)) for each in INSTRUCTIONS]
        judged = Signal()
        m.d.sync += judged.eq(fetcher.instruction.valid & ~fetcher.instruction.ready)
        known = fetcher.instruction.valid & judged & ~ended & active
        sync_unit = slices(code, BY_NAME["SYNC"])["unit"]
        queues, taken = [], []
        for unit in UNITS:
            name = unit.name
            m.submodules[f"queue_{name.lower()}"] = queue = InstructionQueue(unit)
            queue.also_reset = self.reset
            queues.append(queue)
            sync = legal["SYNC"] & (sync_unit == unit)
            values = slices(code, BY_NAME[name])
            m.d.comb += [
                queue.i.valid.eq(known & (legal[name] | sync)),
                queue.i.p.wait.eq(values["wait"]),
                queue.i.p.give.eq(values["give"]),
                queue.i.p.fields.number.eq(self.instructions),
                queue.i.p.sync.eq(sync),
                *(queue.i.p.fields[each.name].eq(values[each.name]) for each in BY_NAME[name].fields),
                queue.done.eq(getattr(self, f"{name.lower()}_done")),
                tokens.wants[unit].eq(queue.wants),
                tokens.wanted[unit].eq(queue.wanted),
                tokens.given[unit].eq(queue.given),
                queue.granted.eq(tokens.granted[unit]),
                self.busy[unit].eq(queue.running),
                self.waits[unit].eq(queue.waiting),
            ]
            connect(m, queue.instruction, flipped(getattr(self, name.lower())))
            taken.append(queue.i.valid & queue.i.ready)
            activity = self.activity[unit]
            m.d.comb += [
                activity.number.eq(queue.number),
                activity.state.eq(
                    Mux(
                        queue.running,
                        Mux(self.starved[unit], 3, Mux(self.blocked[unit], 4, 1)),
                        Mux(queue.waiting, 2, 0),
                    )
                ),
            ]
        dispatched = Cat(*taken).any()
        end = known & legal["END"]
        m.d.comb += [
            fetcher.instruction.ready.eq(dispatched | end),
            fetcher.entry.eq(self.entry),
            fetcher.size.eq(self.image_size),
            fetcher.stop.eq(end),
        ]
        was_active = Signal()
        m.d.sync += was_active.eq(active)
        m.d.comb += fetcher.start.eq(active & ~was_active)
        with m.If(dispatched | end):
            m.d.sync += self.instructions.eq(self.instructions + 1)
        with m.If(end):
            m.d.sync += ended.eq(1)
        with m.If(begin):
            m.d.sync += [self.instructions.eq(0), ended.eq(0)]
        return {
            "ended": ended,
            "empty": Cat(*(queue.empty for queue in queues)).all(),
            "illegal": known & ~Cat(*legal.values()).any(),
            "stuck": fetcher.instruction.valid & ~dispatched,
            "exhausted": fetcher.exhausted & active & was_active,
            "overflow": tokens.overflow,
            "dispatched": dispatched | end,
            "granted": Cat(tokens.granted).any(),
            "numbers": [queue.number for queue in queues],
        }

    def _watch(self, m: Module, active: Value, numbers: list[Value], work: dict[str, Any]) -> Value:
        """Whether something is wrong; what, who, which and where is kept."""
        # All is looked at a cycle later than it happens: where it comes from is far away.
        quiet = Signal(32)
        moved = Signal()
        m.d.sync += [
            moved.eq(self.progress | work["dispatched"] | work["granted"]),
            quiet.eq(Mux(active & ~moved, quiet + 1, 0)),
        ]
        nothing_runs = (self.busy == 0) & self.bus_idle & (work["ended"] | work["stuck"])
        # A STREAM with nowhere to go and a STORE without outputs wait for what waits for tokens.
        behind = (self.waits != 0) & ((self.busy & ~_mask(UnitNumber.STREAM, UnitNumber.STORE)) == 0)
        later = partial(_later, m)
        missing = later("missing", (quiet >= self.QUIET) & nothing_runs & (self.waits != 0))
        stalled = later("stalled", (quiet >= self.watchdog) & (self.watchdog != 0))
        behind, busy, waits = later("behind", behind), later("busy", self.busy), later("waits", self.waits)
        instructions = later("instructions", self.instructions)
        numbers = [later(f"number_{name}", number) for name, number in zip(NAMES, numbers, strict=True)]
        overflow = later("overflow", work["overflow"])
        here = self.image_base + self.entry + INSTRUCTION_BYTES * instructions
        # What was read ahead of the program's end is not needed.
        unread = later("unread", self.reader_fault.valid & ~(work["ended"] & (self.reader_fault.client == 0)))
        reader, writer = later("reader", self.reader_fault), later("writer", self.writer_fault)
        # Clients of the reader in the order of the processor: the program, LOAD, STREAM.
        client = Array(
            [Const(NO_UNIT, 3), Const(UnitNumber.LOAD, 3), Const(UnitNumber.STREAM, 3), Const(NO_UNIT, 3)]
        )
        causes = (
            (unread, reader.error, client[reader.client], reader.address),
            (writer.valid, writer.error, Const(UnitNumber.STORE), writer.address),
            (later("stream_fault", self.stream_fault), Error.STREAM, UnitNumber.STREAM, 0),
            (later("operand_fault", self.operand_fault), Error.STREAM, UnitNumber.MATMUL, 0),
            (later("illegal", work["illegal"]), Error.ILLEGAL, NO_UNIT, here),
            (later("exhausted", work["exhausted"]), Error.RANGE, NO_UNIT, here),
            (overflow.any(), Error.TOKEN_OVERFLOW, _first(overflow), 0),
            (later("stop", self.stop), Error.STOPPED, NO_UNIT, 0),
            (missing | (stalled & behind), Error.TOKEN_MISSING, _first(waits), 0),
            (stalled, Error.STALL, _first(Mux(busy != 0, busy, waits)), 0),
        )
        failing = Const(0, 1)
        every = Array([*numbers, *([instructions] * (8 - len(UNITS)))])
        # A request tells its own instruction, which need not be the oldest that its unit has.
        told = {0: Mux(client[reader.client] == NO_UNIT, instructions, reader.number), 1: writer.number}
        for position, (happens, error, unit, address) in enumerate(causes):
            number = Signal(3, name=f"unit_{position}")
            m.d.comb += number.eq(unit)
            with m.If(active & happens & ~failing):
                m.d.sync += [
                    self.error.eq(error),
                    self.error_unit.eq(number),
                    self.error_number.eq(told.get(position, every[number])),
                    self.error_address.eq(address),
                ]
            failing = failing | happens
        return failing


def _later(m: Module, name: str, value: Any) -> Any:
    """`value` a cycle later, of its own layout."""
    held = Signal(value.shape(), name=f"seen_{name}")
    m.d.sync += held.eq(value)
    return held


def _mask(*units: UnitNumber) -> int:
    return sum(1 << unit for unit in units)


def _first(mask: Value) -> Value:
    """The lowest unit of a mask, `NO_UNIT` for none."""
    found: Value = Const(NO_UNIT, 3)
    for unit in reversed(UNITS):
        found = Mux(mask[unit], unit, found)
    return found
