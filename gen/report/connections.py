"""What is wired to what in an emitted module: read from its RTLIL, the text that its Verilog is made of.

Data is followed back from the input ports of an instance through wires, selections (not what selects) and registers to
the outputs of other instances or the ports of the module. Handshakes and arithmetic on the way are not followed: they
would tie everything to everything.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from sevedo.gen.verilog.emitter import EmittedModule

OUTSIDE = ""
"""The instance that stands for the module's own ports."""

_WIRE = re.compile(r"[\\$][^\s{}\[\]]+")
_FOLLOWED = {
    "$mux": ("A", "B"), "$pmux": ("A", "B"), "$dff": ("D",), "$dffe": ("D",), "$sdff": ("D",), "$sdffe": ("D",),
    "$sdffce": ("D",), "$pos": ("A",), "$shift": ("A",), "$shiftx": ("A",), "$and": ("A", "B"), "$or": ("A", "B"),
    "$memrd_v2": ("DATA",),
}  # fmt: skip
"""Inputs of Yosys' cells that data comes from."""


@dataclass(frozen=True)
class Wire:
    """Data from a port of one instance to a port of another.

    Members
    -------
    source, source_port : where it comes from; `OUTSIDE` for an input of the module
    target, target_port : where it goes; `OUTSIDE` for an output of the module
    """

    source: str
    source_port: str
    target: str
    target_port: str


@dataclass(frozen=True)
class Instance:
    """An instance in a module: its name, the module that it is one of, what its ports are wired to."""

    name: str
    module: str
    ports: dict[str, str]


def instances(module: EmittedModule) -> list[Instance]:
    """The instances of other modules in `module`, in the order of its text."""
    children = {name for name, _ in module.children}
    return [each for each in _cells(module.rtlil) if each.module in children]


def wires(module: EmittedModule, outputs: dict[str, frozenset[str]], through: frozenset[str]) -> list[Wire]:
    """Data between the instances of a module, and between them and its ports.

    Parameters
    ----------
    module : with the instances
    outputs : of every module, the names of its output ports
    through : modules that only keep data for a while: what goes in as ``i_...`` comes out as ``o_...``
    """
    behind: dict[str, set[str]] = {}  # wire: the wires that its data comes from
    ends: dict[str, tuple[str, str]] = {}  # wire: the output that drives it
    own = {port.name for port in module.ports if port.direction == "input"}
    ends |= {f"\\{name}": (OUTSIDE, name) for name in own}
    here = instances(module)
    for each in here:
        for port, signal in each.ports.items():
            if port not in outputs[each.module]:
                continue
            for wire in _WIRE.findall(signal):
                ends[wire] = (each.name, port)
                if each.module in through and port.startswith("o_"):
                    del ends[wire]
                    behind.setdefault(wire, set()).update(_WIRE.findall(each.ports.get(f"i{port[1:]}", "")))
    known = {each.name for each in here}
    for cell in _cells(module.rtlil):
        if cell.name in known:
            continue
        for output in ("Y", "Q", "DATA"):
            for wire in _WIRE.findall(cell.ports.get(output, "")):
                for port in _FOLLOWED.get(cell.module, ()):
                    behind.setdefault(wire, set()).update(_WIRE.findall(cell.ports.get(port, "")))
    for left, right in _assignments(module.rtlil):
        sources = set(_WIRE.findall(right))
        for wire in _WIRE.findall(left):
            behind.setdefault(wire, set()).update(sources)
    found: dict[Wire, None] = {}
    targets = [
        (each.name, port, signal)
        for each in here
        for port, signal in each.ports.items()
        if port not in outputs[each.module] and each.module not in through and port not in ("clk", "rst")
    ]
    targets += [(OUTSIDE, port.name, f"\\{port.name}") for port in module.ports if port.direction == "output"]
    for name, port, signal in targets:
        for source in _sources(set(_WIRE.findall(signal)), behind, ends):
            if source[0] != name or name == OUTSIDE:
                found[Wire(*source, name, port)] = None
    return list(found)


def _sources(
    start: set[str], behind: dict[str, set[str]], ends: dict[str, tuple[str, str]]
) -> Iterator[tuple[str, str]]:
    """The outputs and module inputs that some wires' data comes from, sorted."""
    seen, waiting, found = set(start), list(start), set()
    while waiting:
        wire = waiting.pop()
        if wire in ends:
            found.add(ends[wire])
            continue
        new = behind.get(wire, set()) - seen
        seen |= new
        waiting += new
    yield from sorted(found)


def _cells(rtlil: str) -> Iterator[Instance]:
    """Every cell of a module's text."""
    for match in re.finditer(r"^  cell (\S+) (\S+)\n((?:    .*\n)*?)  end$", rtlil, re.MULTILINE):
        kind, name, body = match.groups()
        ports = dict(re.findall(r"^    connect \\(\S+) (.*)$", body, re.MULTILINE))
        yield Instance(name.lstrip("\\"), kind.lstrip("\\"), ports)


def _assignments(rtlil: str) -> Iterator[tuple[str, str]]:
    """What is assigned in processes, and connected outside of cells."""
    yield from re.findall(r"^ +assign ((?:\{[^}]*\}|\S+)(?: \[[\d:]+\])?) (.*)$", rtlil, re.MULTILINE)
    yield from re.findall(r"^ {0,2}connect ((?:\{[^}]*\}|\S+)(?: \[[\d:]+\])?) (.*)$", rtlil, re.MULTILINE)
