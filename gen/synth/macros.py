"""Memory macros of a design: what they are estimated to take, and how timing sees them.

Memories that are read with a clock: a model fitted to macros with one read and one write port that OpenRAM 1.2.48 made
in FreePDK45, scaled to a library by the area of its smallest NAND of two inputs and by the delay of its inverters; or
flip-flops, where they are smaller. Memories that are read without one: flip-flops, see `slices` and docs/synthesis.md.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sevedo.gen.synth import slices
from sevedo.gen.synth.fo4 import fo4_ns
from sevedo.gen.synth.hierarchy import Mapped
from sevedo.gen.synth.library import Library
from sevedo.gen.synth.memories import MemoryShape, shape_of
from sevedo.gen.synth.recipe import Recipe
from sevedo.gen.synth.report import MemoryFigures
from sevedo.hw.memory.block import BlockMemory

NAND_UM2 = 0.798
"""Area of NAND2_X1 of the NanGate library for FreePDK45: what a library's NAND is held against."""
FO4_NS = 0.0144
"""An inverter that drives four in OpenRAM's own delay model of FreePDK45: tau 2.25 ps, parasitic delay 2.4."""
SETUP_NS = 0.009
"""Set-up of its inputs in all those macros."""
PER_BIT, PER_COLUMN = 1.132, 264.0
"""um2 for each bit and each bit of a word: least squares over macros with one port of 16 x 8 (words x bits; 2,310 um2),
64 x 16 (5,029), 128 x 32 (14,054) and 512 x 32 (26,684), each met within 7 %."""
PORTS = 1.984
"""A macro with a read and a write port against one with one port for both: 64 x 16, 9,979 and 5,029 um2."""
ACCESS, ACCESS_DOUBLED = 0.100, 0.0159
"""ns from the clock to the word, and for each doubling of the bits: OpenRAM's analytical delays of the first three."""
SHALLOW = 64
"""Up to so many words a memory may be smaller as flip-flops: what each bit of a word takes outweighs its cells."""
OPENRAM = "OpenRAM 1.2.48 in FreePDK45, fitted and scaled"
FLIP_FLOPS = "flip-flops, from a slice mapped to the library"


@dataclass(frozen=True)
class Macro:
    """A macro of a design: the name of its cell, its shape, and what its ports (see `MemoryShape`) are called."""

    name: str
    shape: MemoryShape
    ports: Mapping[str, str]

    @classmethod
    def of_block(cls, name: str, unit: BlockMemory) -> Macro:
        """Of a module that is a block memory."""
        roles = {"rd": "r", "wr": "w"}
        ports = {
            f"{role}_{port}": f"{short}_{port}"
            for role, short in roles.items()
            for port in ("en", "addr", "data")
        }
        return cls(name, MemoryShape(unit.depth, unit.width), {"clk": "clk", **ports})

    @classmethod
    def of_shape(cls, shape: MemoryShape) -> Macro:
        """Of a memory that was found in a module."""
        return cls(shape.kind, shape, {port: port for port in shape.ports})


@dataclass(frozen=True)
class MacroFigures:
    """Estimates of one macro: area in the library's unit (None without a scale), times in ns (None without OpenSTA)."""

    area: float | None
    access_ns: float | None
    through_ns: float | None
    setup_ns: float | None
    model: str


def found(mapped: Mapped) -> list[tuple[str, Macro, int]]:
    """The macros of a design: the module that has it, the macro, its instances in the whole; in order of modules."""
    units = {module.name: module.unit for module in mapped.emitted}
    counts, rows = mapped.counts(), []
    for name, module in mapped.modules.items():
        kinds: dict[str, int] = {}
        for cell in module.netlist.cells:
            kinds[cell.kind] = kinds.get(cell.kind, 0) + 1
        for kind, number in kinds.items():
            unit, shape = units.get(kind), shape_of(kind)
            if isinstance(unit, BlockMemory) and kind not in mapped.modules:
                rows.append((name, Macro.of_block(kind, unit), number * counts[name]))
            elif shape is not None:
                rows.append((name, Macro.of_shape(shape), number * counts[name]))
    return rows


def estimate(
    shape: MemoryShape, cells: Library, recipe: Recipe, folder: Path, fo4: float | None
) -> MacroFigures:
    """What a memory takes in a library.

    Parameters
    ----------
    fo4 : see `fo4_ns`; None without OpenSTA

    Raises
    ------
    HierarchyError, SynthesisError : a tool failed on a slice.
    """
    known = []
    if shape.clocked and cells.facts.nand_area is not None:
        area = freepdk45_um2(shape) * cells.facts.nand_area / NAND_UM2
        scale = None if fo4 is None else fo4 / FO4_NS
        access = None if scale is None else freepdk45_ns(shape) * scale
        known.append(MacroFigures(area, access, None, None if scale is None else SETUP_NS * scale, OPENRAM))
    if not shape.clocked or shape.depth <= SHALLOW:
        known.append(_flip_flops(shape, cells, recipe, folder, fo4))
    return min(
        known, key=lambda one: one.area or math.inf, default=MacroFigures(None, None, None, None, OPENRAM)
    )


def _flip_flops(
    shape: MemoryShape, cells: Library, recipe: Recipe, folder: Path, fo4: float | None
) -> MacroFigures:
    """The same of a memory of flip-flops; one that is read with a clock has a register behind its multiplexers."""
    one = slices.measure(shape, cells, recipe, folder, timing=fo4 is not None)
    number = shape.width / min(slices.BITS, shape.width)
    register = (
        shape.width * min(cells.facts.areas[cell] for cell in cells.facts.flip_flops)
        if shape.clocked
        else 0.0
    )
    area = one.area * number * shape.reads + register
    if fo4 is None:
        return MacroFigures(area, None, None, None, FLIP_FLOPS)
    # a tree of buffers, each driving four, brings addresses and enables to the slices
    tree = math.ceil(math.log(number, 4)) * fo4 if number > 1 else 0.0
    through = one.through_ns + tree
    setup = max(one.setup_ns + tree, through) if shape.clocked else one.setup_ns + tree
    return MacroFigures(area, one.access_ns, through, setup, FLIP_FLOPS)


def figures(
    mapped: Mapped, cells: Library, recipe: Recipe, folder: Path, timing: bool
) -> tuple[tuple[MemoryFigures, ...], str]:
    """Rows of the report, and the Liberty text by which timing knows the macros ("" without macros or timing).

    Raises
    ------
    HierarchyError, SynthesisError : a tool failed.
    """
    rows = found(mapped)
    if not rows:
        return (), ""
    fo4 = fo4_ns(cells) if timing else None
    by_name = {macro.name: macro for _, macro, _ in rows}
    told = {name: estimate(macro.shape, cells, recipe, folder, fo4) for name, macro in by_name.items()}
    memories = []
    for module, macro, count in rows:
        one = told[macro.name]
        area = None if one.area is None else count * one.area
        shape = macro.shape
        memories.append(
            MemoryFigures(module, shape.width, shape.depth, count, count * shape.bits, area, one.model)
        )
    text = liberty([(by_name[name], one) for name, one in told.items()]) if timing else ""
    return tuple(memories), text


def freepdk45_um2(shape: MemoryShape) -> float:
    """The fitted area of a macro in FreePDK45 with one read and one write port."""
    return PORTS * (PER_BIT * shape.bits + PER_COLUMN * shape.width)


def freepdk45_ns(shape: MemoryShape) -> float:
    """The fitted time from the clock to the word."""
    return ACCESS + ACCESS_DOUBLED * math.log2(shape.bits)


def liberty(macros: Sequence[tuple[Macro, MacroFigures]]) -> str:
    """A Liberty text of the macros' times, for OpenSTA; every input is a load of 2 fF."""
    widths = sorted({bits for macro, _ in macros for _, bits in macro.shape.ports.values() if bits > 1})
    types = "".join(
        f"  type (bits{n}) {{ base_type : array; data_type : bit; bit_width : {n}; bit_from : {n - 1}; "
        "bit_to : 0; downto : true; }\n"
        for n in widths
    )
    return (
        'library (sevedo_macros) {\n  delay_model : table_lookup;\n  time_unit : "1ns";\n  voltage_unit : "1V";\n'
        '  current_unit : "1mA";\n  capacitive_load_unit (1, ff);\n  nom_voltage : 1;\n'
        f"{types}{''.join(_cell(macro, figures) for macro, figures in macros)}}}\n"
    )


def _cell(macro: Macro, figures: MacroFigures) -> str:
    groups = []
    for port, (direction, bits) in macro.shape.ports.items():
        name = macro.ports[port]
        content = [f"direction : {direction};"]
        if port == "clk":
            content += ["clock : true;", "capacitance : 2;"]
        elif direction == "output":
            content.append(_arc("clk", "rising_edge", figures.access_ns))
            if not macro.shape.clocked:
                content.append(_arc(macro.ports["rd_addr"], "combinational", figures.through_ns))
        else:
            content.append("capacitance : 2;")
            if macro.shape.clocked or port.startswith("wr"):
                content.append(_setup(figures.setup_ns))
        if bits > 1:
            groups.append(f"    bus ({name}) {{ bus_type : bits{bits}; {' '.join(content)} }}\n")
        else:
            groups.append(f"    pin ({name}) {{ {' '.join(content)} }}\n")
    return f"  cell ({macro.name}) {{\n    area : {figures.area or 0:g};\n{''.join(groups)}  }}\n"


def _arc(related: str, kind: str, time: float | None) -> str:
    tables = "".join(
        f'{table} (scalar) {{ values ("{value:g}"); }} '
        for table, value in (
            ("cell_rise", time or 0.0),
            ("cell_fall", time or 0.0),
            ("rise_transition", 0.0),
            ("fall_transition", 0.0),
        )
    )
    return (
        f'timing () {{ related_pin : "{related}"; timing_type : {kind}; timing_sense : non_unate; {tables}}}'
    )


def _setup(time: float | None) -> str:
    tables = "".join(
        f'{table} (scalar) {{ values ("{time or 0.0:g}"); }} '
        for table in ("rise_constraint", "fall_constraint")
    )
    return f'timing () {{ related_pin : "clk"; timing_type : setup_rising; {tables}}}'
