"""Memories that are read without a clock: what flip-flops and multiplexers take, from a slice mapped to the library.

No memory compiler makes a macro with such a port, so that an ASIC builds these of flip-flops or latches. A slice of the
full depth and `BITS` bits is mapped like any module, and a memory takes as many slices as its width needs; each slice
decodes the addresses itself.
"""

from __future__ import annotations

import math
import re
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from sevedo.gen.synth import measure as flow
from sevedo.gen.synth.hierarchy import constraints, map_source, store_of
from sevedo.gen.synth.library import Library
from sevedo.gen.synth.memories import MemoryShape
from sevedo.gen.synth.partition import Source
from sevedo.gen.synth.recipe import Recipe

BITS = 32
"""Width of a slice."""


@dataclass(frozen=True)
class Slice:
    """A slice as mapped.

    Members
    -------
    area : in the library's unit
    through_ns : from the address to the word read
    access_ns : from the clock to the word read
    setup_ns : of what is written
    """

    area: float
    through_ns: float
    access_ns: float
    setup_ns: float

    @property
    def known(self) -> bool:
        """Whether times were measured."""
        return math.isfinite(self.through_ns)


def verilog(shape: MemoryShape, bits: int) -> str:
    """A slice of a memory."""
    address = max((shape.depth - 1).bit_length(), 1)
    return f"""module {name(shape, bits)} (clk, wr_en, wr_addr, wr_data, rd_addr, rd_data);
  input clk, wr_en;
  input [{address - 1}:0] wr_addr, rd_addr;
  input [{bits - 1}:0] wr_data;
  output [{bits - 1}:0] rd_data;
  reg [{bits - 1}:0] words [0:{shape.depth - 1}];
  always @(posedge clk) if (wr_en) words[wr_addr] <= wr_data;
  assign rd_data = words[rd_addr];
endmodule
"""


def name(shape: MemoryShape, bits: int) -> str:
    """What the slice's module is called."""
    return f"memory_slice_{shape.depth}x{bits}"


def measure(shape: MemoryShape, cells: Library, recipe: Recipe, folder: Path, timing: bool) -> Slice:
    """A slice of a memory in a library.

    Raises
    ------
    HierarchyError, SynthesisError : a tool failed.
    """
    bits = min(BITS, shape.width)
    top = name(shape, bits)
    plain = Recipe(recipe.target_ps, recipe.sized)
    mapped = map_source(Source(top, verilog(shape, bits), ()), cells, folder, plain)
    if not timing:
        return Slice(mapped.area, math.nan, math.nan, math.nan)
    store = store_of(cells, folder, plain)
    text = mapped.netlist.verilog({})
    key = ("slice", text, Path(__file__).read_text())
    told = store.get(*key)
    if told is None:
        told = asdict(Slice(mapped.area, *_times(top, text, cells)))
        store.put(told, *key)
    return Slice(**told)


def _times(top: str, text: str, cells: Library) -> tuple[float, float, float]:
    period = 1000.0
    with tempfile.TemporaryDirectory(prefix="sevedo-slice-") as folder:
        work = Path(folder)
        names = flow.prepare(work, text, cells.paths, adder_cells=False)
        said = flow.run_sta(
            work,
            [
                *constraints(names, top, text, period),
                "puts FROM_ADDRESS",
                "report_checks -from [get_ports rd_addr*] -to [get_ports rd_data*] -digits 5",
                "puts FROM_CLOCK",
                "report_checks -from [all_registers -clock_pins] -to [get_ports rd_data*] -digits 5",
                "puts TO_CLOCK",
                "report_checks -from [get_ports wr_*] -to [all_registers -data_pins] -digits 5",
            ],
        )
    parts = re.split(r"FROM_ADDRESS|FROM_CLOCK|TO_CLOCK", said)[1:]
    slacks = [re.search(r"^\s+(-?[\d.]+)\s+slack \(", part, re.MULTILINE) for part in parts]
    times = [period - float(slack.group(1)) if slack else 0.0 for slack in slacks]
    return (round(times[0], 5), round(times[1], 5), round(times[2], 5))
