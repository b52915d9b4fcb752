"""Mapped modules as Yosys' JSON tells them: a graph of cells, and its Verilog with the ports left as vectors."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sevedo.gen.synth import memories

Bit = int | str
"""A net's number in its module, or "0", "1", "x"."""


@dataclass(frozen=True)
class CellInstance:
    """A cell or child module: its name in the parent, what it is, the bits at its ports, lowest first."""

    name: str
    kind: str
    pins: Mapping[str, tuple[Bit, ...]]


@dataclass(frozen=True)
class Netlist:
    """A mapped module.

    Members
    -------
    name : of the module
    ports : name to (direction, bits), lowest first
    cells : gates and children; a child keeps the name it has in the unit
    """

    name: str
    ports: Mapping[str, tuple[str, tuple[Bit, ...]]]
    cells: tuple[CellInstance, ...] = field(repr=False)

    @classmethod
    def read(cls, text: str, name: str) -> Netlist:
        """The module `name` of the output of ``write_json``; gates are numbered u0, u1, ..."""
        return cls._of(name, json.loads(text)["modules"][name])

    @classmethod
    def _of(cls, name: str, content: Mapping[str, Any]) -> Netlist:
        ports = {port: (entry["direction"], tuple(entry["bits"])) for port, entry in content["ports"].items()}
        cells, number = [], 0
        for instance, entry in content["cells"].items():
            own = instance
            if instance.startswith("$") or "." in instance or "\\" in instance:
                own, number = f"u{number}", number + 1
            kind, connections = entry["type"].lstrip("\\"), entry["connections"]
            if kind == memories.CELL:
                shape, connections = memories.of_cell(entry)
                kind = shape.kind
            cells.append(CellInstance(own, kind, {pin: tuple(bits) for pin, bits in connections.items()}))
        return cls(name, ports, tuple(cells))

    @classmethod
    def of_data(cls, data: Mapping[str, Any]) -> Netlist:
        """As `data` gave it."""
        ports = {port: (direction, tuple(bits)) for port, (direction, bits) in data["ports"].items()}
        cells = tuple(
            CellInstance(name, kind, {pin: tuple(bits) for pin, bits in pins.items()})
            for name, kind, pins in data["cells"]
        )
        return cls(data["name"], ports, cells)

    def data(self) -> dict[str, Any]:
        """The netlist as plain data."""
        cells = [[cell.name, cell.kind, dict(cell.pins)] for cell in self.cells]
        return {"name": self.name, "ports": dict(self.ports), "cells": cells}

    def children(self, modules: Mapping[str, Any]) -> dict[str, int]:
        """How often each of `modules` is in this one."""
        counts: dict[str, int] = {}
        for cell in self.cells:
            if cell.kind in modules:
                counts[cell.kind] = counts.get(cell.kind, 0) + 1
        return counts

    def verilog(self, modules: Mapping[str, Netlist]) -> str:
        """The module in Verilog that any reader takes: nets of single bits, no concatenation on the left.

        Parameters
        ----------
        modules : the child modules, whose ports are vectors; what is not among them is a gate with pins of one bit
        """
        names: dict[Bit, str] = {"0": "1'b0", "1": "1'b1", "x": "1'b0"}
        lines, assigned = [], []
        for port, (direction, bits) in self.ports.items():
            width = f"[{len(bits) - 1}:0] " if len(bits) > 1 else ""
            lines.append(f"  {direction} {width}{_written(port)};")
            for place, bit in enumerate(bits):
                own = f"{_written(port)}[{place}]" if len(bits) > 1 else _written(port)
                if direction == "input":
                    names[bit] = own
                elif isinstance(bit, str) or bit in names:
                    assigned.append((own, bit))
                else:
                    names[bit] = own
        inner = sorted(self._nets() - names.keys(), key=str)
        lines += [f"  wire n{bit};" for bit in inner]
        names |= {bit: f"n{bit}" for bit in inner}
        lines += [f"  assign {own} = {names[bit]};" for own, bit in assigned]
        for cell in self.cells:
            pins = []
            for pin, bits in cell.pins.items():
                joined = ", ".join(names[bit] for bit in reversed(bits))
                pins.append(
                    f".{_written(pin)}({joined})" if len(bits) == 1 else f".{_written(pin)}({{{joined}}})"
                )
            lines.append(f"  {cell.kind} {_written(cell.name)} ({', '.join(pins)});")
        heads = ", ".join(map(_written, self.ports))
        return f"module {self.name} ({heads});\n" + "\n".join(lines) + "\nendmodule\n"

    def _nets(self) -> set[Bit]:
        return {bit for cell in self.cells for bits in cell.pins.values() for bit in bits}


_WORDS = {
    "input",
    "output",
    "inout",
    "wire",
    "reg",
    "module",
    "assign",
    "begin",
    "end",
    "table",
    "force",
    "release",
}


def _written(name: str) -> str:
    """A name as Verilog takes it: escaped where it is a word of the language."""
    return f"\\{name} " if name in _WORDS else name


@dataclass(frozen=True)
class FlatCell:
    """A gate of the whole design: its path, what it is, the net at each pin; nets "0" and "1" are -1 and -2."""

    path: str
    kind: str
    pins: dict[str, int]


@dataclass
class Flat:
    """A design without hierarchy: gates with their paths, nets numbered from 0.

    Members
    -------
    cells : gates
    ports : top-level ports: (direction, nets), lowest bit first
    nets : number of nets
    """

    cells: list[FlatCell]
    ports: dict[str, tuple[str, list[int]]]
    nets: int


def flatten(top: str, modules: Mapping[str, Netlist]) -> Flat:
    """The whole design below `top`."""
    walk = _Walk(modules)
    ports: dict[str, tuple[str, list[int]]] = {}
    local: dict[Bit, int] = dict(_CONSTANTS)
    for port, (direction, bits) in modules[top].ports.items():
        ports[port] = (direction, [walk.net(local, bit) for bit in bits])
    cells = list(walk.gates(top, "", local))
    root = walk.root
    cells = [FlatCell(c.path, c.kind, {pin: root(net) for pin, net in c.pins.items()}) for c in cells]
    return Flat(cells, {p: (d, [root(n) for n in nets]) for p, (d, nets) in ports.items()}, walk.count)


_CONSTANTS: dict[Bit, int] = {"0": -1, "x": -1, "1": -2}


class _Walk:
    def __init__(self, modules: Mapping[str, Netlist]) -> None:
        self._modules = modules
        self._same: dict[int, int] = {}
        self.count = 0

    def net(self, local: dict[Bit, int], bit: Bit) -> int:
        if bit not in local:
            local[bit] = self.count
            self.count += 1
        return local[bit]

    def root(self, net: int) -> int:
        while net in self._same:
            net = self._same[net]
        return net

    def gates(self, module: str, prefix: str, local: dict[Bit, int]) -> Iterator[FlatCell]:
        for cell in self._modules[module].cells:
            child = self._modules.get(cell.kind)
            if child is None:
                pins = {pin: self.net(local, bits[0]) for pin, bits in cell.pins.items() if bits}
                yield FlatCell(prefix + cell.name, cell.kind, pins)
                continue
            inner: dict[Bit, int] = dict(_CONSTANTS)
            for port, (_, bits) in child.ports.items():
                for bit, outer in zip(bits, cell.pins.get(port, ()), strict=False):
                    number = self.net(local, outer)
                    if bit in inner:  # one net of the child at two of its ports, or a constant
                        self._join(number, inner[bit])
                    else:
                        inner[bit] = number
            yield from self.gates(cell.kind, f"{prefix}{cell.name}/", inner)

    def _join(self, one: int, other: int) -> None:
        one, other = self.root(one), self.root(other)
        if one == other or one < 0:
            return
        self._same[one] = other
