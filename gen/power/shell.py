"""A mapped module alone: its own gates, with the pins of the modules in it as ports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sevedo.gen.synth.netlist import Bit, Flat, FlatCell, Netlist

Pin = tuple[str, str]
"""A module in it ("" for itself) and the port."""

_CONSTANTS: dict[Bit, int] = {"0": -1, "x": -1, "1": -2}


@dataclass(frozen=True)
class Shell:
    """A module's own gates.

    Members
    -------
    name : of the module
    flat : its gates; input ports are its own, then outputs of the modules in it, called `child.port`
    clock : its clock port, None without one
    children : what each module in it is
    sources : pins that bring something, with their nets: own inputs, outputs of children
    targets : pins that take something, with their nets: own outputs, inputs of children
    """

    name: str
    flat: Flat = field(repr=False)
    clock: str | None
    children: Mapping[str, str]
    sources: Mapping[Pin, list[int]] = field(repr=False)
    targets: Mapping[Pin, list[int]] = field(repr=False)

    @classmethod
    def of(
        cls, netlist: Netlist, ports: Mapping[str, Mapping[str, str]], clocks: Mapping[str, str | None]
    ) -> Shell:
        """The shell of a netlist.

        Parameters
        ----------
        netlist : the module
        ports : for every module that can be in it, its ports' directions
        clocks : for every module its clock port
        """
        numbers: dict[Bit, int] = dict(_CONSTANTS)

        def net(bit: Bit) -> int:
            return numbers.setdefault(bit, len(numbers) - len(_CONSTANTS))

        clock = clocks[netlist.name] if clocks[netlist.name] in netlist.ports else None
        sources: dict[Pin, list[int]] = {}
        targets: dict[Pin, list[int]] = {}
        flat_ports: dict[str, tuple[str, list[int]]] = {}
        for port, (direction, bits) in netlist.ports.items():
            nets = [net(bit) for bit in bits]
            if direction == "input":
                flat_ports[port] = ("input", nets)
                if port != clock:
                    sources["", port] = nets
            else:
                targets["", port] = nets
        cells, children = [], {}
        for cell in netlist.cells:
            if cell.kind not in ports:
                pins = {pin: net(bits[0]) for pin, bits in cell.pins.items() if bits}
                cells.append(FlatCell(cell.name, cell.kind, pins))
                continue
            children[cell.name] = cell.kind
            for port, direction in ports[cell.kind].items():
                if port == clocks[cell.kind] or port not in cell.pins:
                    continue
                nets = [net(bit) for bit in cell.pins[port]]
                if direction == "input":
                    targets[cell.name, port] = nets
                else:
                    sources[cell.name, port] = nets
                    flat_ports[f"{cell.name}.{port}"] = ("input", nets)
        count = len(numbers) - len(_CONSTANTS)
        return cls(netlist.name, Flat(cells, flat_ports, count), clock, children, sources, targets)

    @property
    def source_bits(self) -> int:
        """How many bits its sources have."""
        return sum(len(nets) for nets in self.sources.values())
