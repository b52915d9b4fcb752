"""An emitted module's RTLIL, the text that its Verilog is made of, as far as the flow of data through it needs it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_TOKEN = re.compile(r"[{}]|(\d+)'\S+|([\\$][^\s{}\[\]]+)(?: \[(\d+)(?::(\d+))?\])?")
_CELL = re.compile(r"^  cell (\S+) (\S+)\n((?:    .*\n)*?)  end$", re.MULTILINE)
_CONNECT = re.compile(r"^    connect \\(\S+) (.*)$", re.MULTILINE)
_WIRE = re.compile(r"^  wire width (\d+) .*?(\S+)$", re.MULTILINE)
_SIGNAL = r"(?:\{[^}]*\}|\S+(?: \[[\d:]+\])?)"
_ASSIGN = re.compile(rf"^ +assign ({_SIGNAL}) (.*)$", re.MULTILINE)
_JOIN = re.compile(rf"^(?: {{0,2}})connect ({_SIGNAL}) (.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Slice:
    """Bits of a wire, the lowest first; a constant has no wire.

    Members
    -------
    wire : its name; empty for a constant
    low, width : the first bit, and how many
    """

    wire: str
    low: int
    width: int

    def part(self, start: int, width: int) -> Slice:
        """Some of its bits, counted from its own first."""
        return Slice(self.wire, self.low + start, width)


@dataclass(frozen=True)
class Cell:
    """A cell: its name, its kind, what its ports are connected to, as text; for a memory's port, the memory."""

    name: str
    kind: str
    ports: dict[str, str]
    memory: str


class Rtlil:
    """A module's text.

    Parameters
    ----------
    text : of one module
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._widths = {name: int(width) for width, name in _WIRE.findall(text)}

    def slices(self, signal: str) -> list[Slice]:
        """A signal as slices of wires, the lowest bits first."""
        found = []
        for constant, wire, high, low in (match.groups() for match in _TOKEN.finditer(signal)):
            if constant:
                found.append(Slice("", 0, int(constant)))
            elif wire and high is None:
                found.append(Slice(wire, 0, self._widths[wire]))
            elif wire:
                first = int(high if low is None else low)
                found.append(Slice(wire, first, int(high) - first + 1))
        return found[::-1]  # RTLIL writes the highest first

    def cells(self) -> Iterator[Cell]:
        """All cells, in the order of the text."""
        for name, kind, body in ((m[2], m[1], m[3]) for m in _CELL.finditer(self._text)):
            memory = re.search(r'^    parameter \\MEMID "\\*(\S+)"$', body, re.MULTILINE)
            yield Cell(
                name.lstrip("\\"),
                kind.lstrip("\\"),
                dict(_CONNECT.findall(body)),
                memory.group(1) if memory else "",
            )

    def assignments(self) -> Iterator[tuple[list[Slice], list[Slice]]]:
        """What is assigned in processes, whatever selects it, and what is connected outside of cells."""
        for pattern in (_ASSIGN, _JOIN):
            for left, right in pattern.findall(self._text):
                yield self.slices(left), self.slices(right)
