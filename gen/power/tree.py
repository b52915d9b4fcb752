"""A mapped core as a tree of module instances, and their shells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sevedo.gen.synth.hierarchy import Mapped

from .outline import MemoryMacro
from .shell import Shell


@dataclass(frozen=True)
class Tree:
    """Instances of a design.

    Members
    -------
    top : name of the top
    shells : by module, parents before their children
    paths : for every module, memories too, the paths of its instances; "" is the top
    memories : by module, what is not gates
    directions : of every module's ports
    """

    top: str
    shells: Mapping[str, Shell] = field(repr=False)
    paths: Mapping[str, list[str]] = field(repr=False)
    memories: Mapping[str, MemoryMacro] = field(repr=False)
    directions: Mapping[str, Mapping[str, str]] = field(repr=False)

    @classmethod
    def of(cls, mapped: Mapped) -> Tree:
        """The tree of a design that was mapped with `MemoryMacro` as macros."""
        memories = {m.name: m.unit for m in mapped.emitted if isinstance(m.unit, MemoryMacro)}
        clocks = {m.name: m.clock for m in mapped.emitted}
        directions: dict[str, Mapping[str, str]] = {
            name: {port: direction for port, (direction, _) in netlist.ports.items()}
            for name, netlist in mapped.netlists.items()
        }
        for module in mapped.emitted:
            if module.name in memories:
                directions[module.name] = {port.name: port.direction for port in module.ports}
        shells = {name: Shell.of(netlist, directions, clocks) for name, netlist in mapped.netlists.items()}
        paths: dict[str, list[str]] = {name: [] for name in (*shells, *memories)}
        paths[mapped.top].append("")
        for name, shell in shells.items():
            for path in paths[name]:
                for child, kind in shell.children.items():
                    paths[kind].append(f"{path}/{child}" if path else child)
        used = {name: unit for name, unit in memories.items() if paths[name]}
        return cls(mapped.top, shells, paths, used, directions)
