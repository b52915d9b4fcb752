"""Registers behind an AXI4-Lite port, from their description."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from amaranth.hdl import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from sevedo.gen.config.register_map import REGISTERS
from sevedo.gen.config.registers import Field, Kind, Register, stem
from sevedo.hw.unit import Unit

from .axi import axi4_lite
from .lite import LitePort

ADDRESS_BITS = 12
"""Of the port: 4 KiB, the least that systems map."""


class Registers(Unit):
    """A file of registers: what the host writes, for the hardware; what the hardware knows, for the host.

    Timing: that of `LitePort`. What is written stands at its member in the cycle after the write, a pulse for that
    cycle alone. A counter has grown in the cycle after its input; `irq` follows its cause by one cycle.
    Numerics: counters have 64 bits and wrap.

    Parameters
    ----------
    registers : all registers; the processor's by default

    Members
    -------
    axi : In(axi4_lite)
    <register>_<field>, or <register> for the field `value`; LOW and HIGH of a value of 64 bits are one member :
        VALUE: In(width); PULSE, STORED, LOCKED: Out(width); STICKY: In(width), set what is 1; COUNTER: In(increment),
        by how much it grows in this cycle. CONSTANT has none. Names in lower case: ``image_base``: Out(64),
        ``control_start``: Out(1), ``load_wait_token``: In(1)
    running : In(1), refuse writes of LOCKED fields
    restart : In(1), counters become 0
    irq : Out(1), a bit of INTERRUPT is set that is set in INTERRUPT_ENABLE; without these registers, 0

    Raises
    ------
    ValueError : for a register whose offset is not a multiple of 4 within the port's addresses.
    """

    def __init__(self, registers: tuple[Register, ...] = REGISTERS):
        for register in registers:
            if register.offset % 4 or not 0 <= register.offset < 1 << ADDRESS_BITS:
                raise ValueError(
                    f"{register.name}.offset={register.offset} must be a multiple of 4 below {1 << ADDRESS_BITS}"
                )
        self.registers = registers
        self.values = _values(registers)
        super().__init__(
            {"axi": In(axi4_lite(ADDRESS_BITS))}
            | {name: value.member for name, value in self.values.items()}
            | {"running": In(1), "restart": In(1), "irq": Out(1)}
        )

    @property
    def module_name(self) -> str:
        return "registers"

    def build(self) -> Module:
        m = Module()
        m.submodules.port = port = LitePort(ADDRESS_BITS)
        wiring.connect(m, wiring.flipped(self.axi), port.axi)
        counters, flags = self._counters(m), self._flags(m)
        for name, value in self.values.items():
            if value.kind is Kind.PULSE:
                m.d.sync += getattr(self, name).eq(0)
        m.d.comb += [port.write_error.eq(1), port.read_error.eq(1)]
        with m.Switch(port.write_address):
            for register in (each for each in self.registers if each.written):
                with m.Case(register.offset >> 2):
                    locked = any(field.kind is Kind.LOCKED for field in register.fields)
                    m.d.comb += port.write_error.eq(self.running if locked else 0)
                    with m.If(port.write & ~port.write_error):
                        m.d.sync += self._written(register, port, flags)
        kept = Signal(32)  # the upper half of the counter that was read last
        with m.Switch(port.read_address):
            for register in self.registers:
                with m.Case(register.offset >> 2):
                    m.d.comb += [
                        port.read_error.eq(0),
                        port.read_data.eq(self._word(register, flags, counters, kept)),
                    ]
                    for name, field, _ in _parts(register):
                        if field.kind is Kind.COUNTER:
                            with m.If(port.read):
                                m.d.sync += kept.eq(counters[name][32:])
        return m

    def _word(
        self, register: Register, flags: dict[str, Signal], counters: dict[str, Signal], kept: Signal
    ) -> Value:
        """What `register` reads as. It is put together here, so that the selection is one of words, not of fields."""
        word: list[Value] = []
        for name, field, part in _parts(register):
            word.append(Const(0, field.low - len(Cat(word))))
            match field.kind:
                case Kind.CONSTANT | Kind.PULSE:
                    word.append(Const(field.reset, field.width))
                case Kind.STICKY:
                    word.append(flags[name])
                case Kind.COUNTER:
                    word.append(counters[name][:32])
                case Kind.LATCH:
                    word.append(kept)
                case Kind.VALUE | Kind.STORED | Kind.LOCKED:
                    word.append(getattr(self, name)[part])
        return Cat(word)

    def _written(self, register: Register, port: LitePort, flags: dict[str, Signal]) -> Iterator[Any]:
        """What a write to `register` does."""
        strobe = Cat(each.replicate(8) for each in port.write_strobe)
        for name, field, part in _parts(register):
            bits = strobe[field.low : field.low + field.width]
            word = port.write_data[field.low : field.low + field.width] & bits
            member: Any = getattr(self, name, None)
            match field.kind:
                case Kind.STICKY:
                    yield flags[name].eq(flags[name] & ~word | member)
                case Kind.PULSE:
                    yield member.eq(word)
                case Kind.STORED | Kind.LOCKED:
                    yield member[part].eq(member[part] & ~bits | word)

    def _counters(self, m: Module) -> dict[str, Signal]:
        counters = {}
        for name, value in self.values.items():
            if value.kind is Kind.COUNTER:
                counters[name] = counter = Signal(64, name=f"{name}_counter")
                m.d.sync += counter.eq(Mux(self.restart, 0, counter + getattr(self, name)))
        return counters

    def _flags(self, m: Module) -> dict[str, Signal]:
        """What the hardware sets, and whether any of it is raised. A flag that is set while it is cleared stays set."""
        flags, raised = {}, []
        for name, value in self.values.items():
            if value.kind is Kind.STICKY:
                flags[name] = flag = Signal(value.width, name=f"{name}_flag")
                m.d.sync += flag.eq(flag | getattr(self, name))
                enable = name.replace("interrupt_", "interrupt_enable_", 1)
                if enable in self.values:
                    raised.append(flag & getattr(self, enable))
        m.d.comb += self.irq.eq(Cat(raised).any())
        return flags


class _Value(NamedTuple):
    """What a member stands for: a field, or the two halves of a value of 64 bits."""

    kind: Kind
    width: int
    reset: int

    @property
    def member(self) -> wiring.Member:
        """How the hardware sees it."""
        if self.kind in (Kind.PULSE, Kind.STORED, Kind.LOCKED):
            return Out(self.width, init=self.reset)
        return In(self.width)


def _values(registers: tuple[Register, ...]) -> dict[str, _Value]:
    """The members, by name."""
    found: dict[str, _Value] = {}
    for register in registers:
        for name, field, part in _parts(register):
            if field.kind is Kind.COUNTER:
                found[name] = _Value(field.kind, field.increment, 0)
            elif field.kind not in (Kind.CONSTANT, Kind.LATCH):
                before = found.get(name, _Value(field.kind, 0, 0))
                found[name] = _Value(field.kind, part.stop, before.reset | field.reset << part.start)
    return found


def _parts(register: Register) -> Iterator[tuple[str, Field, slice]]:
    """For each field: its member, the field, and its place in the member."""
    for field in register.fields:
        name, place = stem(register.name) if field.name == "value" else (f"{register.name}_{field.name}", 0)
        yield name.lower(), field, slice(place, place + field.width)
