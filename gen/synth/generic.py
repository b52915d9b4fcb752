"""Yosys' own gates, in gate equivalents by fixed weights: areas that can be compared anywhere, without a library."""

from __future__ import annotations

import re
from collections.abc import Mapping

from sevedo.gen.synth import memories
from sevedo.gen.synth.report import Figures

WEIGHTS = {
    "BUF": 1.0,
    "NOT": 1.0,
    "NAND": 1.0,
    "NOR": 1.0,
    "AND": 1.67,
    "OR": 1.33,
    "ANDNOT": 1.67,
    "ORNOT": 1.67,
    "XOR": 2.33,
    "XNOR": 2.33,
    "MUX": 3.0,
    "NMUX": 2.67,
    "AOI3": 1.33,
    "OAI3": 1.33,
    "AOI4": 2.33,
    "OAI4": 2.33,
}
"""Gate equivalents: area of the smallest such cell of sky130_fd_sc_hd over that of its NAND2, 3.75 um2."""
ADDERS = {"full_adder": 5.33, "fast_full_adder": 7.66}
"""The same of full adders, which stay black boxes: a cell; two exclusive ors and three NANDs (see `fulladder`)."""
FLIP_FLOP, ENABLE, RESET = 5.33, 3.0, 1.67
"""The same of a flip-flop, of a multiplexer before it, of the gate of a synchronous reset."""

_FLIP_FLOP = re.compile(r"\$_S?DFF(C?E)?_")


def gate_equivalents(cells: Mapping[str, int]) -> float:
    """What Yosys' gates by name come to; anything else counts nothing."""
    found = 0.0
    for name, count in cells.items():
        if _FLIP_FLOP.match(name):
            weight = FLIP_FLOP + ("E_" in name[:9]) * ENABLE + name.startswith("$_SDFF") * RESET
        else:
            weight = ADDERS.get(name) or WEIGHTS.get(name.strip("$_"), 0.0)
        found += count * weight
    return found


def figures(cells: Mapping[str, int]) -> Figures:
    """What gates by name come to."""
    return Figures(
        cells=sum(cells.values()),
        gate_equivalents=round(gate_equivalents(cells), 2),
        flip_flops=sum(count for name, count in cells.items() if _FLIP_FLOP.match(name)),
    )


def script(top: str, macro_bits: int, read: str = "unit.v") -> list[str]:
    """The lines of a Yosys script; memories of so many bits or more become black boxes (needs `memories`' files)."""
    return [
        f"read_verilog {read}",
        "read_verilog memory.v",
        f"synth -flatten -top {top} -run begin:fine",
        "techmap -map macros.v t:$mem_v2",
        f"synth -flatten -top {top} -run fine:check",
        "opt_clean -purge",
        "tee -q -o stat.json stat -json",
        "write_json netlist.json",
    ]


FILES = {"memory.v": memories.BOX}
"""What the script reads besides the design and ``macros.v``, which is `memories.techmap`'s."""
