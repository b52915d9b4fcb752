"""Memories that become macros: found in a module while it is synthesised, and told by their shape.

`BlockMemory` modules are black boxes as they stand. Other memories of many words, such as the buffers of z, are found
by Yosys: those of `macro_bits` or more leave the logic, smaller ones become flip-flops.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

CELL = "sevedo_memory"
"""What a memory is while Yosys runs."""

BOX = f"""(* blackbox *)
module {CELL} #(parameter WIDTH = 1, parameter ABITS = 1, parameter DEPTH = 1, parameter READS = 1,
    parameter WRITES = 1, parameter CLOCKED = 0) (
  input clk,
  input [READS-1:0] rd_en, input [READS*ABITS-1:0] rd_addr, output [READS*WIDTH-1:0] rd_data,
  input [WRITES*WIDTH-1:0] wr_en, input [WRITES*ABITS-1:0] wr_addr, input [WRITES*WIDTH-1:0] wr_data
);
endmodule
"""
"""Its ports."""


def techmap(bits: int) -> str:
    """A file for Yosys' ``techmap`` that makes a black box of every written memory of so many bits or more."""
    sized = (
        "MEMID", "SIZE", "OFFSET", "ABITS", "WIDTH", "INIT", "RD_PORTS", "RD_CLK_ENABLE", "RD_CLK_POLARITY",
        "RD_TRANSPARENCY_MASK", "RD_COLLISION_X_MASK", "RD_WIDE_CONTINUATION", "RD_CE_OVER_SRST",
        "RD_ARST_VALUE", "RD_SRST_VALUE", "RD_INIT_VALUE", "WR_PORTS", "WR_CLK_ENABLE", "WR_CLK_POLARITY",
        "WR_PRIORITY_MASK", "WR_WIDE_CONTINUATION",
    )  # fmt: skip
    parameters = "\n".join(f"  parameter {name} = {1 if name.endswith('PORTS') else 0};" for name in sized)
    return f"""(* techmap_celltype = "$mem_v2" *)
module _sevedo_memory (RD_CLK, RD_EN, RD_ARST, RD_SRST, RD_ADDR, RD_DATA, WR_CLK, WR_EN, WR_ADDR, WR_DATA);
{parameters}
  input [RD_PORTS-1:0] RD_CLK, RD_EN, RD_ARST, RD_SRST;
  input [RD_PORTS*ABITS-1:0] RD_ADDR;
  output [RD_PORTS*WIDTH-1:0] RD_DATA;
  input [WR_PORTS-1:0] WR_CLK;
  input [WR_PORTS*WIDTH-1:0] WR_EN, WR_DATA;
  input [WR_PORTS*ABITS-1:0] WR_ADDR;
  wire _TECHMAP_FAIL_ = SIZE * WIDTH < {bits} || WR_PORTS == 0;
  {CELL} #(.WIDTH(WIDTH), .ABITS(ABITS), .DEPTH(SIZE), .READS(RD_PORTS), .WRITES(WR_PORTS),
      .CLOCKED(RD_CLK_ENABLE != 0)) _TECHMAP_REPLACE_ (
    .clk(WR_CLK[0]), .rd_en(RD_EN), .rd_addr(RD_ADDR), .rd_data(RD_DATA),
    .wr_en(WR_EN), .wr_addr(WR_ADDR), .wr_data(WR_DATA));
endmodule
"""


@dataclass(frozen=True)
class MemoryShape:
    """A memory.

    Members
    -------
    depth, width : words, bits of a word
    reads, writes : ports
    clocked : whether a word is there a cycle after its address; else at once
    enables : independent write enables of a port (masks)
    """

    depth: int
    width: int
    reads: int = 1
    writes: int = 1
    clocked: bool = True
    enables: int = 1

    @property
    def bits(self) -> int:
        """Bits that it holds."""
        return self.depth * self.width

    @property
    def kind(self) -> str:
        """The name of the macro."""
        masks = f"_m{self.enables}" if self.enables > 1 else ""
        return f"memory_{self.depth}x{self.width}_{self.reads}r{self.writes}w{masks}{'' if self.clocked else '_async'}"

    @property
    def ports(self) -> dict[str, tuple[str, int]]:
        """Direction and bits of its ports."""
        address = max((self.depth - 1).bit_length(), 1)
        return {
            "clk": ("input", 1),
            "rd_en": ("input", self.reads),
            "rd_addr": ("input", self.reads * address),
            "rd_data": ("output", self.reads * self.width),
            "wr_en": ("input", self.writes * self.enables),
            "wr_addr": ("input", self.writes * address),
            "wr_data": ("input", self.writes * self.width),
        }


_KIND = re.compile(r"memory_(\d+)x(\d+)_(\d+)r(\d+)w(?:_m(\d+))?(_async)?")


def shape_of(kind: str) -> MemoryShape | None:
    """The shape that the name of a macro tells; None of other names."""
    match = _KIND.fullmatch(kind)
    if match is None:
        return None
    depth, width, reads, writes = (int(match.group(place)) for place in range(1, 5))
    return MemoryShape(depth, width, reads, writes, match.group(6) is None, int(match.group(5) or 1))


def of_cell(entry: Mapping[str, Any]) -> tuple[MemoryShape, dict[str, Sequence[Any]]]:
    """Shape and pins of a cell `CELL` in Yosys' JSON; bits that are written together share one enable."""
    number = {name: int(value, 2) for name, value in entry["parameters"].items()}
    pins = dict(entry["connections"])
    writes = number["WRITES"]
    width = number["WIDTH"]
    address = max((number["DEPTH"] - 1).bit_length(), 1)
    for port, ports in (("rd_addr", number["READS"]), ("wr_addr", writes)):
        bits, given = pins[port], number["ABITS"]
        pins[port] = [
            bit
            for one in range(ports)
            for bit in (bits[one * given : (one + 1) * given] + ["0"] * 64)[:address]
        ]
    enables = [list(dict.fromkeys(pins["wr_en"][one * width : (one + 1) * width])) for one in range(writes)]
    masks = max(map(len, enables))
    pins["wr_en"] = [bit for one in enables for bit in (one + ["0"] * masks)[:masks]]
    shape = MemoryShape(number["DEPTH"], width, number["READS"], writes, bool(number["CLOCKED"]), masks)
    return shape, pins
