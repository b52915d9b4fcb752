"""Large memories of a design as modules of their own, so that a macro, and not flip-flops, can stand for each.

Units write their memories inline. For power these are taken out of the RTLIL: what was a memory with its ports becomes
an instance of a module that holds it, which the simulation of the Verilog runs as it is and which is never mapped.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from amaranth.hdl import Module
from amaranth.lib.wiring import In, Out

from sevedo.gen.synth.in_library import MACRO_BITS
from sevedo.gen.verilog.emitter import EmittedModule, Port
from sevedo.hw.unit import Unit

LEAST_BITS = MACRO_BITS
"""A memory with fewer bits stays what it is, flip-flops, as in `sevedo synth`."""

_MEMORY = re.compile(r"^  memory width (\d+) size (\d+) \\(\S+)\n", re.MULTILINE)
_CELL = re.compile(r"^  cell \$mem(init|wr|rd)_v2 \S+\n(.*?)^  end\n", re.MULTILINE | re.DOTALL)
_CONNECT = re.compile(r"^    connect \\(\w+) (.*)$", re.MULTILINE)


class MemoryMacro(Unit):
    """A memory with one write port and one read port, in the place of an SRAM macro.

    Timing: a write and a read a cycle; `r_data` follows `r_addr` in the same cycle, or with `synchronous` shows what
    was read last with `r_en`.
    Numerics: none.

    Parameters
    ----------
    width, depth : bits of a word, words
    synchronous : whether the read port has a register
    enables : independent write enables, each of as many bits
    owner : module that it was taken from, and its name there

    Members
    -------
    w_en : In(enables)
    w_addr, w_data, r_addr, r_en : In
    r_data : Out(width)
    """

    def __init__(self, width: int, depth: int, synchronous: bool, enables: int, owner: str) -> None:
        self.width = width
        self.depth = depth
        self.synchronous = synchronous
        self.enables = enables
        self.owner = owner
        address = max((depth - 1).bit_length(), 1)
        super().__init__(
            {
                "w_en": In(enables),
                "w_addr": In(address),
                "w_data": In(width),
                "r_en": In(1),
                "r_addr": In(address),
                "r_data": Out(width),
            }
        )

    @property
    def module_name(self) -> str:
        return f"memory_{self.width}x{self.depth}_of_{self.owner}"

    def build(self) -> Module:
        raise NotImplementedError("its text comes from the module that it was taken from")


def outline(emitted: Sequence[EmittedModule], least_bits: int = LEAST_BITS) -> list[EmittedModule]:
    """The same modules, children first, with memories of at least `least_bits` as modules of their own."""
    found: list[EmittedModule] = []
    for module in emitted:
        memories: list[EmittedModule] = []
        text = module.rtlil
        for width, depth, name in _MEMORY.findall(module.rtlil):
            if int(width) * int(depth) >= least_bits:
                text, memory = _taken(module, text, name)
                memories.append(memory)
        children = (*module.children, *((memory.name, 1) for memory in memories))
        found += [*memories, replace(module, rtlil=text, children=children) if memories else module]
    return found


def _taken(module: EmittedModule, text: str, name: str) -> tuple[str, EmittedModule]:
    """A module's text with the memory `name` as an instance, and that instance's module."""
    head = next(match for match in _MEMORY.finditer(text) if match.group(3) == name)
    width, depth = int(head.group(1)), int(head.group(2))
    cells = [m for m in _CELL.finditer(text) if f'parameter \\MEMID "\\\\{name}"' in m.group(2)]
    reads = [m for m in cells if m.group(1) == "rd"]
    writes = [m for m in cells if m.group(1) == "wr"]
    if len(reads) != 1 or len(writes) != 1:
        raise ValueError(f"{module.name}.{name} must have one read port and one write port to be a macro")
    read, write = (dict(_CONNECT.findall(m.group(2))) for m in (reads[0], writes[0]))
    enables, bits = _enables(write["EN"], width)
    synchronous = "parameter \\CLK_ENABLE 1" in reads[0].group(2)
    unit = MemoryMacro(width, depth, synchronous, max(bits) + 1, f"{module.name}_{name}")
    clock = str(module.clock)
    outer = {
        clock: f"\\{clock} [0]",
        "w_en": enables,
        **{f"w_{port.lower()}": write[port.upper()] for port in ("addr", "data")},
        **{f"r_{port.lower()}": read[port.upper()] for port in ("en", "addr", "data")},
    }
    connected = "".join(f"    connect \\{port} {value}\n" for port, value in outer.items())
    instance = f"  cell \\{unit.module_name} \\{name}_memory\n{connected}  end\n"
    for cell in sorted(cells, key=lambda m: m.start(), reverse=True):
        text = text[: cell.start()] + (instance if cell is reads[0] else "") + text[cell.end() :]
    text = text.replace(head.group(0), "", 1)
    return text, _module(unit, clock, cells, head.group(0), bits)


def _enables(text: str, width: int) -> tuple[str, list[int]]:
    """The distinct enables of a write port as RTLIL, and which of them each bit has, lowest first.

    Enables that are not single bits, or not all of as many bits, stay one for each bit.
    """
    items = re.findall(r"\S+ \[\d+\]", text)[::-1]
    often = Counter(items)
    if len(items) != width or len(set(often.values())) > 1:
        return text, list(range(width))
    places = {one: place for place, one in enumerate(often)}
    return _joined(list(often)), [places[one] for one in items]


def _joined(items: Sequence[str]) -> str:
    """Signals, lowest first, as RTLIL writes several."""
    return items[0] if len(items) == 1 else f"{{ {' '.join(reversed(items))} }}"


def _module(
    unit: MemoryMacro, clock: str, cells: Sequence[re.Match[str]], head: str, bits: Sequence[int]
) -> EmittedModule:
    """The module of a memory: its old cells, connected to ports. `bits`: the enable of each bit."""
    members = unit.signature.members
    ports = [Port(name, f"{m.flow.name.lower()}put", int(m.shape), "") for name, m in members.items()]
    lines = [f"attribute \\keep_hierarchy 1\nmodule \\{unit.module_name}\n"]
    lines.append(f"  wire width 1 input 0 \\{clock}\n")
    for index, port in enumerate(ports, 1):
        lines.append(f"  wire width {port.width} {port.direction} {index} \\{port.name}\n")
    lines.append(head)
    names: Mapping[str, str] = {"init": "", "wr": "w_", "rd": "r_"}
    for cell in cells:
        prefix = names[cell.group(1)]

        def inside(match: re.Match[str], prefix: str = prefix) -> str:
            port = match.group(1)
            if not prefix or port in ("ARST", "SRST"):
                return match.group(0)
            if match.group(2) in ("1'0", "1'1"):  # clock and enable of an asynchronous port
                return match.group(0)
            if port == "CLK":
                return f"    connect \\CLK \\{clock}"
            if port == "EN" and prefix == "w_":
                return f"    connect \\EN {_joined([f'{chr(92)}w_en [{place}]' for place in bits])}"
            return f"    connect \\{port} \\{prefix}{port.lower()}"

        lines.append(_CONNECT.sub(inside, cell.group(0)))
    lines.append("end\n")
    return EmittedModule(unit.module_name, unit, tuple(ports), "".join(lines), (), clock, None)
