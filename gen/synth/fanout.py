"""Trees of buffers where a net drives more than a gate should: enables of registers, operands of many child modules.

ABC buffers between gates, and sees neither registers nor child modules as loads. What is critical inside a module, its
gates, stays near the driver; registers and child modules come behind the buffers.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import replace

from sevedo.gen.synth.netlist import Bit, CellInstance, Netlist
from sevedo.gen.synth.sizing import FANOUT, Buffer

Sink = tuple[int, str, int]
"""A cell, one of its pins, a place in it."""


def buffered(
    netlist: Netlist,
    buffer: Buffer,
    outputs: Collection[str],
    near: Collection[str],
    boxes: str,
    clock: str = "clk",
) -> tuple[Netlist, int]:
    """The netlist with no net that drives more than `FANOUT` pins, the clock's but for; and how many buffers that took.

    Parameters
    ----------
    netlist : a mapped module
    buffer : what the trees are made of
    outputs : output pins of gates, as ``kind/pin``
    near : kinds of gates that stay near the driver of a net
    boxes : Verilog in which the ports of child modules can be read
    clock : port whose net is left alone
    """
    directions = _directions(boxes)
    cells = [replace(cell, pins=dict(cell.pins)) for cell in netlist.cells]
    loads: dict[Bit, list[Sink]] = {}
    for index, cell in enumerate(cells):
        for pin, bits in cell.pins.items():
            if (
                f"{cell.kind}/{pin}" in outputs
                or directions.get((cell.kind, pin)) == "output"
                or pin == "rd_data"
            ):
                continue
            for place, bit in enumerate(bits):
                if isinstance(bit, int):
                    loads.setdefault(bit, []).append((index, pin, place))
    spared = set(netlist.ports[clock][1]) if clock in netlist.ports else set()
    fresh = _Fresh(netlist)
    pins: dict[Sink, Bit] = {}
    trees: list[CellInstance] = []
    for net in sorted(loads.keys() - spared):
        sinks = loads[net]
        if len(sinks) > FANOUT:
            _tree(net, sinks, [cells[sink[0]].kind in near for sink in sinks], buffer, fresh, pins, trees)
    changed = []
    for index, cell in enumerate(cells):
        told = {
            pin: tuple(pins.get((index, pin, place), bit) for place, bit in enumerate(bits))
            for pin, bits in cell.pins.items()
        }
        changed.append(replace(cell, pins=told))
    return replace(netlist, cells=(*changed, *trees)), len(trees)


class _Fresh:
    """Nets and names that a netlist does not have."""

    def __init__(self, netlist: Netlist) -> None:
        used = [
            bit
            for cell in netlist.cells
            for bits in cell.pins.values()
            for bit in bits
            if isinstance(bit, int)
        ]
        used += [bit for _, bits in netlist.ports.values() for bit in bits if isinstance(bit, int)]
        self._net = max(used, default=0)
        self._name = 0

    def net(self) -> int:
        self._net += 1
        return self._net

    def name(self) -> str:
        self._name += 1
        return f"fanout_{self._name}"


def _tree(
    net: Bit,
    sinks: Sequence[Sink],
    is_near: Sequence[bool],
    buffer: Buffer,
    fresh: _Fresh,
    pins: dict[Sink, Bit],
    trees: list[CellInstance],
) -> None:
    """Buffers below `net`, level by level, until it drives few enough pins."""
    close = [sink for sink, near in zip(sinks, is_near, strict=True) if near]
    away = [sink for sink, near in zip(sinks, is_near, strict=True) if not near]
    if len(close) >= FANOUT:  # ABC keeps these few; where it could not, they take their turn
        close, away = [], list(sinks)
    waiting: list[Sink | CellInstance] = list(away)
    while len(close) + len(waiting) > FANOUT:
        level: list[Sink | CellInstance] = []
        count = -(-len(waiting) // FANOUT)
        for group in range(count):
            own = fresh.net()
            for load in waiting[group::count]:
                if isinstance(load, CellInstance):
                    trees.append(replace(load, pins={**load.pins, buffer.input: (own,)}))
                else:
                    pins[load] = own
            level.append(CellInstance(fresh.name(), buffer.name, {buffer.output: (own,)}))
        waiting = level
    for load in waiting:
        if isinstance(load, CellInstance):
            trees.append(replace(load, pins={**load.pins, buffer.input: (net,)}))


def _directions(text: str) -> dict[tuple[str, str], str]:
    """Directions of the ports of the modules in a Verilog text, by module and port."""
    found = {}
    for head in re.finditer(r"\bmodule (\S+) \((.*?)\);", text, re.DOTALL):
        for port in re.finditer(r"\b(input|output)\b[^,\n]*?(\w+)\s*(?:,|$|\n)", head.group(2)):
            found[head.group(1), port.group(2)] = port.group(1)
    return found
