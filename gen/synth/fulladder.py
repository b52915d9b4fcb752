"""A library's own cells in place of the full adders that a netlist names.

``full_adder`` becomes the library's full-adder cell, the smallest. ``fast_full_adder`` is there where a path is
critical: it becomes exclusive ors and NANDs, which have the shortest way from the late input; left to itself, ABC takes
cells for it that are both larger and slower. A library without such cells leaves the modules as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from sevedo.gen.synth import liberty

_MODULE = r"^module {name}\b.*?^endmodule\n"


def use_cells(text: str, libraries: Iterable[str]) -> str:
    """A Verilog text, with the modules ``full_adder`` and ``fast_full_adder`` made of cells of `libraries`' texts."""
    found: dict[str, str] = {}
    for library in libraries:
        adder = liberty.full_adder(library)
        if adder is not None:
            found.setdefault("full_adder", adder.verilog())
        fast = _fast(library)
        if fast is not None:
            found.setdefault("fast_full_adder", fast)
    for name, module in found.items():
        pattern = re.compile(_MODULE.format(name=name), re.MULTILINE | re.DOTALL)
        text = pattern.sub(module.replace("\\", r"\\"), text)
    return text


def _fast(library: str) -> str | None:
    """The fast full adder of a library, or None where it lacks a gate."""
    either = liberty.gate(library, (0, 1, 1, 0))
    nand = liberty.gate(library, (1, 1, 1, 0))
    if either is None or nand is None:
        return None
    return (
        "module fast_full_adder(input a, input b, input c, output sum, output carry);\n  wire half, g, p;\n"
        f"{either.verilog('half_', 'a', 'b', 'half')}{either.verilog('sum_', 'half', 'c', 'sum')}"
        f"{nand.verilog('generate_', 'a', 'b', 'g')}{nand.verilog('propagate_', 'half', 'c', 'p')}"
        f"{nand.verilog('carry_', 'g', 'p', 'carry')}endmodule\n"
    )
