"""Deliberate faults in the bus units: each turns the test that it is named with red.

A few run always, all of them with `make exact`: each is a simulation to compile.
"""

from __future__ import annotations

import importlib
import inspect
from typing import Any, NamedTuple

import pytest
import test_reader
import test_writer
from bus_configs import config_of

import sevedo.hw.bus.reader
import sevedo.hw.bus.registers
import sevedo.hw.bus.writer
from sevedo.sim.bench import BenchError, run_bench


class Fault(NamedTuple):
    """What is replaced in module `place` of hw/bus by what, and the cocotb test that sees it."""

    place: str
    old: str
    new: str
    seen_by: str


READER = {
    "4 KiB crossed": Fault("splitter", "longest - place[:inside]", "longest", "traffic"),
    "one word beyond": Fault("splitter", "request.words > size)", "request.words > size + 1)", "ranges"),
    "sum overflows": Fault("splitter", "(first + request.words >", "((first + request.words)[: len(size)] >", "ranges"),
    "no words": Fault("splitter", " | (request.words == 0)", "", "ranges"),
    "refused, yet read": Fault("splitter", "eq(~self.refused)", "eq(1)", "ranges"),
    "room not waited for": Fault("reader", "splitter.burst.p.beats <= free", "Const(1)", "traffic"),
    "room counted twice": Fault("reader", "+ given)", "+ 2 * given)", "traffic"),
    "room lost by a clear": Fault("reader", "m.d.sync += free.eq(depth)", "pass", "halts"),
    "words kept by a clear": Fault("landing", "with m.If(self.clear)", "with m.If(0)", "halts"),
    "bursts kept by a clear": Fault("splitter", "with m.If(self.clear)", "with m.If(0)", "halts"),
    "halt ignored": Fault("reader", "owners.i.ready & ~self.halt)", "owners.i.ready)", "halts"),
    "idle too soon": Fault("reader", "~axi.arvalid & ~owners.o.valid", "~axi.arvalid", "halts"),
    "valid drops": Fault("reader", "with m.If(axi.arready):", "with m.If(1):", "traffic"),
    "address moves": Fault("reader", "go.eq((~axi.arvalid | axi.arready) &", "go.eq(", "traffic"),
    "owner changes with every beat": Fault("reader", "axi.rvalid & axi.rlast)", "axi.rvalid)", "traffic"),
    "segments swapped": Fault("reader", "self.data, self.image)", "self.image, self.data)", "traffic"),
    "error not told": Fault("reader", "landed & (axi.rresp != OKAY)", "landed & (axi.rresp == 1)", "errors"),
    "error without its burst": Fault("reader", "client, owners.o.p.address", "client, axi.araddr", "errors"),
    "number of the next request": Fault("reader", "owners.o.p.number)", "numbers[0])", "errors"),
    "priority turned": Fault("reader", "~wants[:index].any()", "~wants[index + 1 :].any()", "priority"),
    "a bubble after every word": Fault("landing", "(~self.o.valid | self.o.ready)", "~self.o.valid", "throughput"),
}  # fmt: skip
WRITER = {
    "one word beyond": Fault("splitter", "request.words > size)", "request.words > size + 1)", "ranges"),
    "strobes while halted": Fault("writer", "Mux(self.halt, 0, words.p.strobe)", "words.p.strobe", "halts"),
    "words waited for while halted": Fault("writer", "(words.valid | self.halt)", "words.valid", "halts"),
    "words lost while halted": Fault("writer", "beats.i.ready & ~self.halt)", "beats.i.ready)", "halts"),
    "halt ignored": Fault("writer", "unanswered.i.ready & ~self.halt", "unanswered.i.ready", "halts"),
    "last too late": Fault("writer", "count == ahead.o.payload", "count == ahead.o.payload + 1", "traffic"),
    "done with every burst": Fault("writer", "answered & asked.last &", "answered &", "traffic"),
    "done though refused": Fault("writer", " & (axi.bresp == OKAY) & ~self.halt", "", "errors"),
    "error not told": Fault(
        "writer", "answered & (axi.bresp != OKAY)", "answered & (axi.bresp == 1)", "errors"
    ),
    "number of the next request": Fault(
        "writer", "fault.number.eq(asked.number)", "fault.number.eq(self.request.p.number)", "errors"
    ),
    "idle too soon": Fault("writer", "~axi.awvalid & ~unanswered.o.valid", "~axi.awvalid", "halts"),
    "valid drops": Fault("writer", "with m.Elif(axi.awready):", "with m.Else():", "traffic"),
}
REGISTERS = {
    "strobes ignored": Fault("registers", "member[part] & ~bits | word", "word", "anything"),
    "anything may be written": Fault(
        "registers", "[port.write_error.eq(1), ", "[port.write_error.eq(0), ", "every_write"
    ),
    "written while running": Fault("registers", "self.running if locked else 0", "0", "every_write"),
    "written though refused": Fault(
        "registers", "m.If(port.write & ~port.write_error)", "m.If(port.write)", "every_write"
    ),
    "flag lost by a clear": Fault(
        "registers", "flags[name] & ~word | member", "(flags[name] | member) & ~word", "interrupts"
    ),
    "interrupts not enabled": Fault("registers", "flag & getattr(self, enable)", "flag", "interrupts"),
    "upper half not kept": Fault("registers", "with m.If(port.read):", "with m.If(1):", "counters"),
    "restart ignored": Fault("registers", "Mux(self.restart, 0, counter", "Mux(0, 0, counter", "counters"),
    "data not waited for": Fault(
        "lite", "address & word & ~axi.bvalid", "address & ~axi.bvalid", "any_order"
    ),
    "answer not waited for": Fault("lite", "address & word & ~axi.bvalid", "address & word", "a_slow_host"),
    "answer moves": Fault("lite", "asked & ~axi.rvalid", "asked", "a_slow_host"),
    "no address unknown": Fault(
        "registers", "port.read_error.eq(1)]", "port.read_error.eq(0)]", "every_address"
    ),
}
ALWAYS = {
    "one word beyond",
    "halt ignored",
    "room not waited for",
    "strobes while halted",
    "written while running",
}
USERS = (sevedo.hw.bus.reader, sevedo.hw.bus.writer, sevedo.hw.bus.registers)


def faulty(monkeypatch: pytest.MonkeyPatch, fault: Fault) -> None:
    """Have the bus units use the faulty source."""
    module = importlib.import_module(f"sevedo.hw.bus.{fault.place}")
    source = inspect.getsource(module)
    assert source.count(fault.old) == 1, fault.old
    space: dict[str, Any] = dict(vars(module))
    exec(compile(source.replace(fault.old, fault.new), str(module.__file__), "exec"), space)
    for name in ("BurstSplitter", "LandingBuffer", "LitePort", "AxiReader", "AxiWriter", "Registers"):
        if getattr(space.get(name), "__module__", "") == module.__name__:
            for user in USERS:
                if hasattr(user, name):
                    monkeypatch.setattr(user, name, space[name])


def cases(faults: dict[str, Fault]) -> list[Any]:
    """A test for each; most are for `make exact`."""
    return [
        pytest.param(fault, id=name, marks=() if name in ALWAYS else pytest.mark.exact)
        for name, fault in faults.items()
    ]


@pytest.mark.parametrize("fault", cases(READER))
def test_reader_fault_is_seen(monkeypatch: pytest.MonkeyPatch, fault: Fault) -> None:
    faulty(monkeypatch, fault)
    config = config_of(16 if fault.seen_by == "throughput" else 4)
    unit = sevedo.hw.bus.reader.AxiReader(config, test_reader.clients_of(config))
    with pytest.raises(BenchError, match="1 of 1 tests failed"):
        run_bench(
            unit, test_reader.BENCH, testcase=fault.seen_by, parameters=test_reader.parameters_of(config, 1.0)
        )


@pytest.mark.parametrize("fault", cases(WRITER))
def test_writer_fault_is_seen(monkeypatch: pytest.MonkeyPatch, fault: Fault) -> None:
    faulty(monkeypatch, fault)
    config = config_of(4)
    unit = sevedo.hw.bus.writer.AxiWriter(config)
    with pytest.raises(BenchError, match="1 of 1 tests failed"):
        run_bench(
            unit, test_writer.BENCH, testcase=fault.seen_by, parameters=test_writer.parameters_of(config)
        )


@pytest.mark.parametrize("fault", cases(REGISTERS))
def test_registers_fault_is_seen(monkeypatch: pytest.MonkeyPatch, fault: Fault) -> None:
    faulty(monkeypatch, fault)
    with pytest.raises(BenchError, match="1 of 1 tests failed"):
        run_bench(sevedo.hw.bus.registers.Registers(), "registers_bench", testcase=fault.seen_by)
