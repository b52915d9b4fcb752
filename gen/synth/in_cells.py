"""A unit in the primitives of an FPGA or in Yosys' own gates: counts by module."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sevedo.gen.boards.operators import with_operators
from sevedo.gen.synth import counted
from sevedo.gen.synth.boundaries import boundaries
from sevedo.gen.synth.in_library import MACRO_BITS
from sevedo.gen.synth.partition import Partition
from sevedo.gen.synth.report import MemoryFigures, rows
from sevedo.gen.verilog.emitter import EmittedModule
from sevedo.hw.integer.adder import FullAdder
from sevedo.hw.memory.block import BlockMemory


def in_cells(
    emitted: Sequence[EmittedModule], target: str, folder: Path, jobs: int, advance: Callable[[str], None]
) -> dict[str, Any]:
    """Parts of a `SynthReport`: modules and memories. An FPGA's memories are in its modules' figures too.

    Raises
    ------
    HierarchyError : a tool failed.
    """
    generic = target == "generic"
    if generic:
        partition = Partition(emitted, boundaries(emitted), [BlockMemory, FullAdder])
    else:
        partition = Partition(emitted, boundaries(emitted), rewrite=with_operators)
    done = counted.count(partition, target, folder, macro_bits=MACRO_BITS, jobs=jobs, advance=advance)
    counts = counted.counts(partition, done)
    children = {name: {c: n for c, n in one.children.items() if c in done} for name, one in done.items()}
    figures = {name: counted.figures(one, target) for name, one in done.items()}
    memories = [
        MemoryFigures(m.name, m.unit.width, m.unit.depth, n, n * m.unit.width * m.unit.depth, None, None)
        for m in reversed(emitted)
        if isinstance(m.unit, BlockMemory) and (n := counts.get(m.name, 0))
    ]
    for name, one in done.items():
        for shape, number in counted.shapes(one):
            n = number * counts[name]
            memories.append(MemoryFigures(name, shape.width, shape.depth, n, n * shape.bits, None, None))
    return {"modules": rows(emitted, counts, children, figures), "memories": tuple(memories)}
