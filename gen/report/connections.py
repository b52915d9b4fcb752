"""What is wired to what in an emitted module, bit by bit.

Data is followed back from the input ports of an instance through wires, selections (not what selects), registers and
memories to the outputs of other instances or the ports of the module. What selects, addresses and arithmetic on the way
are not followed: they would tie everything to everything.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sevedo.gen.verilog.emitter import EmittedModule

from .rtlil import Cell, Rtlil, Slice

OUTSIDE = ""
"""The instance that stands for the module's own ports."""

_FOLLOWED = {
    "$mux": ("A", "B"), "$pmux": ("A", "B"), "$dff": ("D",), "$dffe": ("D",), "$sdff": ("D",), "$sdffe": ("D",),
    "$sdffce": ("D",), "$adff": ("D",), "$pos": ("A",), "$and": ("A", "B"), "$or": ("A", "B"),
}  # fmt: skip
"""Inputs of Yosys' cells whose bits are those of the output, or nothing."""
_MIXED = {"$shift": ("A",), "$shiftx": ("A",), "$shr": ("A",), "$shl": ("A",)}
"""Inputs any bit of which may be any bit of the output."""


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


def instances(module: EmittedModule) -> list[Cell]:
    """The instances of other modules in `module`, in the order of its text."""
    children = {name for name, _ in module.children}
    return [cell for cell in Rtlil(module.rtlil).cells() if cell.kind in children]


def wires(module: EmittedModule, outputs: dict[str, frozenset[str]], through: frozenset[str]) -> list[Wire]:
    """Data between the instances of a module, and between them and its ports.

    Parameters
    ----------
    module : with the instances
    outputs : of every module, the names of its output ports
    through : modules that only keep data for a while: what goes in as ``i_...`` comes out as ``o_...``
    """
    text, flow = Rtlil(module.rtlil), _Flow()
    children = {name for name, _ in module.children}
    targets: list[tuple[str, str, list[Slice]]] = []
    for port in module.ports:
        if port.direction == "input":
            flow.end([Slice(f"\\{port.name}", 0, port.width)], (OUTSIDE, port.name))
        else:
            targets.append((OUTSIDE, port.name, [Slice(f"\\{port.name}", 0, port.width)]))
    inner = []
    for cell in text.cells():
        ports = {name: text.slices(signal) for name, signal in cell.ports.items()}
        if cell.kind not in children:
            flow.cell(cell, ports)
            continue
        for name, signal in ports.items():
            if name not in outputs[cell.kind]:
                if cell.kind not in through and name not in ("clk", "rst"):
                    inner.append((cell.name, name, signal))
            elif cell.kind in through and name.startswith("o_") and f"i{name[1:]}" in ports:
                flow.join(signal, ports[f"i{name[1:]}"])
            else:
                flow.end(signal, (cell.name, name))
    for left, right in text.assignments():
        flow.join(left, right)
    found: dict[Wire, None] = {}
    for instance, name, signal in inner + targets:
        for source in flow.sources(signal):
            if source[0] != instance or instance == OUTSIDE:
                found[Wire(*source, instance, name)] = None
    return list(found)


class _Flow:
    """Where the bits of every wire come from."""

    def __init__(self) -> None:
        self._behind: dict[str, list[tuple[Slice, Slice]]] = {}  # slices of equal widths
        self._mixed: dict[str, list[tuple[Slice, Slice]]] = {}
        self._ends: dict[str, list[tuple[Slice, tuple[str, str]]]] = {}

    def end(self, signal: Sequence[Slice], port: tuple[str, str]) -> None:
        """A signal that a port drives."""
        for each in signal:
            self._ends.setdefault(each.wire, []).append((each, port))

    def cell(self, cell: Cell, ports: dict[str, list[Slice]]) -> None:
        """What a cell that is no instance hands on; a memory hands on what is written to it."""
        output = ports.get("Y") or ports.get("Q") or []
        for name in _FOLLOWED.get(cell.kind, ()):
            width = sum(each.width for each in output)
            data = ports[name]
            while data:  # the inputs of $pmux stand one after the other
                self.join(output, data)
                data = _from(data, width)
        for name in _MIXED.get(cell.kind, ()):
            for left in output:
                self._mixed.setdefault(left.wire, []).extend((left, right) for right in ports[name])
        if cell.memory and "DATA" in ports:
            data = ports["DATA"]
            memory = [Slice(f"memory {cell.memory}", 0, sum(each.width for each in data))]
            self.join(*((data, memory) if "$memrd" in cell.kind else (memory, data)))

    def join(self, left: Sequence[Slice], right: Sequence[Slice]) -> None:
        """`left` is driven by `right`, bit by bit."""
        ours, theirs = list(left), list(right)
        while ours and theirs:
            width = min(ours[0].width, theirs[0].width)
            one, other = ours[0].part(0, width), theirs[0].part(0, width)
            if one.wire and other.wire:
                self._behind.setdefault(one.wire, []).append((one, other))
            ours, theirs = _from(ours, width), _from(theirs, width)

    def sources(self, signal: Sequence[Slice]) -> Iterator[tuple[str, str]]:
        """The ports that some bits come from, sorted."""
        seen: set[Slice] = set()
        waiting, found = [each for each in signal if each.wire], set()
        while waiting:
            each = waiting.pop()
            if each in seen:
                continue
            seen.add(each)
            if each.wire in self._ends:
                found |= {port for driven, port in self._ends[each.wire] if _overlap(each, driven)}
                continue
            for left, right in self._behind.get(each.wire, ()):
                if (both := _overlap(each, left)) is not None:
                    waiting.append(right.part(both.low - left.low, both.width))
            waiting += [
                right for left, right in self._mixed.get(each.wire, ()) if right.wire and _overlap(each, left)
            ]
        yield from sorted(found)


def _overlap(one: Slice, other: Slice) -> Slice | None:
    """The bits that two slices of one wire share."""
    low = max(one.low, other.low)
    width = min(one.low + one.width, other.low + other.width) - low
    return Slice(one.wire, low, width) if width > 0 else None


def _from(signal: Sequence[Slice], start: int) -> list[Slice]:
    """A signal without its first bits."""
    found = []
    for each in signal:
        if start < each.width:
            found.append(each.part(start, each.width - start))
        start = max(start - each.width, 0)
    return found
