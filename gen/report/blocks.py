"""Block diagrams of a design as it was elaborated: for every module that is put together from others, what it holds."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from sevedo.gen.verilog.emitter import EmittedModule
from sevedo.gen.verilog.manifest import streams
from sevedo.hw.stream.buffer import StreamBuffer

from .connections import OUTSIDE, Wire, instances, wires
from .rtlil import Cell

SHOWN = ("processor", "core", "feed", "rmc", "lvc", "mover", "control")
"""Folders of hw whose modules are drawn; below are arithmetic and buffers."""


_HANDSHAKE = re.compile(r"_ready$|axi_(aw|w|b|ar|r)(valid|ready)$")
"""Ports that tell when, not what."""

_SHORT = {name.capitalize(): name for name in ("RMC", "AXI")}
"""Abbreviations in names of classes."""


@dataclass(frozen=True)
class Block:
    """Instances of one module that do the same in their parent: 256 PEs are one block.

    Members
    -------
    key : its name in the diagram: that of the instances, without their numbers
    module : the module's name; empty for ports of the parent
    title : in words; of ports, the first names
    count : instances
    hint : of ports, all names
    """

    key: str
    module: str
    title: str
    count: int
    hint: str = ""


@dataclass(frozen=True)
class Link:
    """What goes from one block to another.

    Members
    -------
    source, target : keys of blocks
    streams : names with bits of payload: those with valid and ready
    signals : names of other ports
    """

    source: str
    target: str
    streams: tuple[tuple[str, int], ...]
    signals: tuple[str, ...]

    @property
    def label(self) -> str:
        """The first stream or signal in words; ports have a block that names theirs."""
        if self.outer:
            return ""
        return _few([f"{name} {bits:,} b" for name, bits in self.streams], 1) or self.signals[0]

    @property
    def outer(self) -> bool:
        """Whether one end is a port of the module, whose names are told there."""
        return self.source.startswith(">") or self.target.endswith(">")

    @property
    def tooltip(self) -> str:
        """Everything."""
        told = [f"{name} ({bits:,} bits)" for name, bits in self.streams]
        parts = [f"streams: {', '.join(told)}"] if told else []
        return "; ".join(parts + ([f"signals: {', '.join(self.signals)}"] if self.signals else []))


@dataclass(frozen=True)
class Diagram:
    """The content of a module.

    Members
    -------
    module, title : its name, and in words
    count : how often it is in the design
    blocks, links : in the order of the module's text
    hidden : stream buffers, which are drawn as the streams that they hold
    """

    module: str
    title: str
    count: int
    blocks: tuple[Block, ...]
    links: tuple[Link, ...]
    hidden: int


class Hierarchy:
    """The modules of a design.

    Parameters
    ----------
    emitted : as `emit` gives them, the top last
    """

    def __init__(self, emitted: Sequence[EmittedModule]) -> None:
        self.modules = {module.name: module for module in reversed(emitted)}
        self.top = emitted[-1].name

    @cached_property
    def counts(self) -> dict[str, int]:
        """How often each module is in the design, parents before children."""
        counts = dict.fromkeys(self.modules, 0)
        counts[self.top] = 1
        for name, module in self.modules.items():
            for child, number in module.children:
                counts[child] += number * counts[name]
        return counts

    @cached_property
    def _outputs(self) -> dict[str, frozenset[str]]:
        return {
            name: frozenset(port.name for port in module.ports if port.direction == "output")
            for name, module in self.modules.items()
        }

    @cached_property
    def _buffers(self) -> frozenset[str]:
        return frozenset(
            name for name, module in self.modules.items() if isinstance(module.unit, StreamBuffer)
        )

    def diagrams(self) -> list[Diagram]:
        """One for every module that is drawn, from the top down, level by level."""
        order, waiting = [], [self.top]
        while waiting:
            name = waiting.pop(0)
            if name not in order:
                order.append(name)
                waiting += [child for child, _ in self.modules[name].children]
        found = [self.diagram(name) for name in order if folder(self.modules[name]) in SHOWN]
        return [each for each in found if sum(1 for block in each.blocks if block.module) > 1]

    def diagram(self, name: str) -> Diagram:
        """The content of one module."""
        module = self.modules[name]
        here = [each for each in instances(module) if each.kind not in self._buffers]
        keys = {each.name: _role(each) for each in here}
        counts: dict[str, int] = {}
        for key in keys.values():
            counts[key] = counts.get(key, 0) + 1
        kinds = {keys[each.name]: each.kind for each in here}
        blocks = [
            Block(key, kinds[key], title(self.modules[kinds[key]]), count) for key, count in counts.items()
        ]
        links, ports = self._links(module, wires(module, self._outputs, self._buffers), keys, kinds)
        hidden = sum(number for child, number in module.children if child in self._buffers)
        return Diagram(name, title(module), self.counts[name], (*blocks, *ports), tuple(links), hidden)

    def _links(
        self, module: EmittedModule, found: Sequence[Wire], keys: Mapping[str, str], kinds: Mapping[str, str]
    ) -> tuple[list[Link], list[Block]]:
        """Wires by the blocks that they join; the ports of the module become blocks, one for each that they lead to."""
        known = {kinds[key]: _ports(self.modules[kinds[key]]) for key in kinds}
        own = _ports(module)
        gathered: dict[tuple[str, str], tuple[dict[str, int], dict[str, None]]] = {}
        for wire in found:
            if _HANDSHAKE.search(wire.source_port) or wire.target_port.endswith("_ready"):
                continue
            source = keys.get(wire.source, OUTSIDE)
            target = keys.get(wire.target, OUTSIDE)
            if source == target:
                continue
            stream = (own if target == OUTSIDE else known[kinds[target]]).get(wire.target_port)
            if source == OUTSIDE:
                source, stream = f"> {target}", own.get(wire.source_port) or stream
            if target == OUTSIDE:
                target = f"{source} >"
            streams_, signals = gathered.setdefault((source, target), ({}, {}))
            if stream is not None:
                streams_[stream[0]] = stream[1]
            else:
                signals[wire.target_port if source.startswith(">") else wire.source_port] = None
        links, ports = [], []
        for (source, target), (streams_, signals) in gathered.items():
            link = Link(source, target, tuple(streams_.items()), tuple(signals))
            if link.outer and not streams_:
                continue  # pins of state and faults: the register map tells of them
            back = gathered.get((target, source))
            if not streams_ and back is not None and (back[0] or len(back[1]) > len(signals)):
                continue  # an answer or a request beside a stream: drawn once
            links.append(link)
            if link.outer:
                name = source if source.startswith(">") else target
                ports.append(Block(name, "", _few(list(streams_)), 1, link.tooltip))
        return links, ports


def _few(names: Sequence[str], most: int = 3) -> str:
    """The first names, and how many more there are."""
    return ", ".join(names[:most]) + (f" + {len(names) - most} more" if len(names) > most else "")


def folder(module: EmittedModule) -> str:
    """The folder of hw that a module's unit is in."""
    return type(module.unit).__module__.split(".")[2]


def title(module: EmittedModule) -> str:
    """The class of a module's unit in words: ``Processing element``."""
    return words(type(module.unit).__name__)


def words(unit_class: str) -> str:
    """The name of a class in words."""
    parts = [_SHORT.get(part, part) for part in re.findall(r"[A-Z][a-z0-9]*", unit_class)]
    lower = [part if part.isupper() else part.lower() for part in parts[1:]]
    return " ".join([*parts[:1], *lower])


def _role(instance: Cell) -> str:
    """The name of an instance without its numbers, of those that have a name."""
    return re.sub(r"(_\d+)+$", "", instance.name) or instance.name


def _ports(module: EmittedModule) -> dict[str, tuple[str, int]]:
    """Streams of a module, name and bits, by the ports of their payloads and valids; AXI channels as one bus."""
    found: dict[str, tuple[str, int]] = {}
    for stream in streams(module.unit):
        ports = [*(field.port for field in stream.fields), f"{stream.name}_valid"]
        found |= dict.fromkeys(ports, (stream.name, stream.width))
    for bus, members in _buses(module).items():
        found |= dict.fromkeys(members, (bus, sum(members.values())))
    return found


def _buses(module: EmittedModule) -> dict[str, dict[str, int]]:
    """Ports of the AXI interfaces of a module, with their widths, by interface and direction."""
    found: dict[str, dict[str, int]] = {}
    for port in module.ports:
        if bus := re.match(r"((?:\w+_)?axi)_(?:aw|w|b|ar|r)", port.name):
            found.setdefault(f"{bus.group(1)} {port.direction}", {})[port.name] = port.width
    return found
