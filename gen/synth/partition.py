"""A design cut into modules that are synthesised one by one: what is flattened into each, what are its black boxes."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from sevedo.gen.verilog.emitter import EmittedModule, verilog
from sevedo.hw.unit import Unit


@dataclass(frozen=True)
class Source:
    """A module to synthesise: Verilog of all that goes into it, the modules that are its black boxes."""

    name: str
    text: str
    boxes: tuple[str, ...]


class Partition:
    """A design and which of its modules stay; every other unit goes into the nearest one above it that does.

    Parameters
    ----------
    emitted : modules, children first, the top last
    boundaries : classes of units that stay modules; the top always does
    macros : classes of units that are never synthesised: black boxes for memories
    rewrite : makes other Verilog of the same ports, of the Verilog of the whole

    Members
    -------
    top : name of the top
    rtl : Verilog of the whole
    staying, macros : names of modules
    """

    def __init__(
        self,
        emitted: Sequence[EmittedModule],
        boundaries: Sequence[type[Unit]],
        macros: Sequence[type[Unit]] = (),
        rewrite: Callable[[str, Sequence[EmittedModule]], str] = lambda text, emitted: text,
    ) -> None:
        self.emitted = emitted
        self.top = emitted[-1].name
        self.rtl = rewrite(verilog(list(emitted)), emitted)
        self.macros = frozenset(m.name for m in emitted if isinstance(m.unit, tuple(macros))) - {self.top}
        stay = {m.name for m in emitted if m.name == self.top or isinstance(m.unit, tuple(boundaries))}
        self.staying = frozenset(stay) | self.macros
        self._texts = modules(self.rtl)
        self._by_name = {module.name: module for module in emitted}

    def source(self, name: str) -> Source:
        """A module that stays, with what goes into it."""
        inside, boxes = _reach(name, self._by_name, self.staying)
        text = "\n".join(self._texts[one] for one in inside) + "".join(box(self._texts[one]) for one in boxes)
        return Source(name, text, tuple(boxes))

    def ordered(self, names: Collection[str]) -> list[str]:
        """Names with parents before their children."""
        return [module.name for module in reversed(self.emitted) if module.name in names]


def modules(text: str) -> dict[str, str]:
    """The modules of a generated Verilog file by name."""
    found = re.finditer(r"^module (\S+) .*?^endmodule\n", text, re.MULTILINE | re.DOTALL)
    return {match.group(1): match.group(0) for match in found}


def _reach(
    name: str, by_name: Mapping[str, EmittedModule], staying: Collection[str]
) -> tuple[list[str], list[str]]:
    """A module with all that is flattened into it, and the modules that are its black boxes, in a fixed order."""
    inside: list[str] = []
    boxes: list[str] = []
    waiting = [name]
    while waiting:
        one = waiting.pop()
        inside.append(one)
        for child, _ in by_name[one].children:
            into = boxes if child in staying else waiting
            if child not in into and child not in inside:
                into.append(child)
    return sorted(inside), sorted(boxes)


def box(text: str) -> str:
    """The ports of a module alone."""
    head = text[: text.index(");")]
    return f"\n(* blackbox *) {re.sub(r' = [^,]*?(?=,?$)', '', head, flags=re.MULTILINE)}\n);\nendmodule\n"
