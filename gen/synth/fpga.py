"""Yosys for FPGAs: the commands of each family, and what its primitives count as.

LUTs are those that the family's vendor counts: a carry cell that takes the place of LUTs counts as these, distributed
RAM as the LUTs that it is made of. Multiplexers behind LUTs cost nothing and are left out.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from sevedo.gen.files import write_atomically
from sevedo.gen.synth.measure import SynthesisError, run_yosys
from sevedo.gen.synth.report import Figures

Weights = Mapping[str, float]
"""Globs of primitives, and how many each counts for; the first that fits counts."""


@dataclass(frozen=True)
class Family:
    """An FPGA family.

    Members
    -------
    name : of the family
    synth : Yosys' command without ``-top``, for a part of a design: no pads, no clock buffers
    luts, dsps, block_rams, flip_flops : see above
    """

    name: str
    synth: str
    luts: Weights
    dsps: Weights
    block_rams: Weights
    flip_flops: Weights

    def figures(self, cells: Mapping[str, int]) -> Figures:
        """What cells by name come to."""
        kinds = (self.luts, self.dsps, self.block_rams, self.flip_flops)
        luts, dsps, block_rams, flip_flops = (_sum(weights, cells) for weights in kinds)
        return Figures(
            cells=sum(cells.values()), luts=luts, dsps=dsps, block_rams=block_rams, flip_flops=flip_flops
        )


def _sum(weights: Weights, cells: Mapping[str, int]) -> float:
    found = 0.0
    for cell, count in cells.items():
        found += count * next((weight for glob, weight in weights.items() if fnmatchcase(cell, glob)), 0.0)
    return found


FAMILIES = {
    family.name: family
    for family in (
        Family(
            "ice40",
            "synth_ice40 -dsp -no-rw-check",
            {"SB_LUT4": 1},
            {"SB_MAC16": 1},
            {"SB_RAM40_4K*": 1},
            {"SB_DFF*": 1},
        ),
        Family(
            "ecp5",
            "synth_ecp5 -nowidelut -no-rw-check",  # a PE of preset fpga: 769 LUT4 instead of 1,123
            {"LUT4": 1, "CCU2C": 2, "TRELLIS_DPR16X4": 6},
            {"MULT18X18D": 1, "ALU54B": 0, "MULT9X9D": 0.5},
            {"DP16KD": 1, "PDPW16KD": 1},
            {"TRELLIS_FF": 1},
        ),
        Family(
            "gowin",
            "synth_gowin -noiopads -no-rw-check",
            {"LUT[1-4]": 1, "ALU": 1, "RAM16SDP4": 6, "RAM16SDP2": 4, "RAM16SDP1": 3},
            {"MULT18X18": 1, "MULT9X9": 0.5, "MULT12X12": 1, "MULT36X36": 4, "MULT27X36": 1, "MULTALU*": 2},
            {"SDP*": 1, "DPB*": 1, "DPX9*": 1, "SPX9": 1, "SP": 1, "pROM*": 1},
            {"DFF*": 1},
        ),
        Family(
            "xilinx",
            "synth_xilinx -flatten -family xc7 -noiopad -noclkbuf",
            {
                "LUT[1-6]": 1,
                "RAM64M": 4,
                "RAM32M": 4,
                "RAM64X1D": 2,
                "RAM32X1D": 2,
                "RAM128X1D": 4,
                "RAM256X1D": 8,
                "RAM64X1S": 1,
                "SRL16E": 1,
                "SRLC32E": 1,
                "INV": 1,
            },
            {"DSP48E1": 1},
            {"RAMB36E1": 1, "RAMB18E1": 0.5},
            {"FDRE": 1, "FDSE": 1, "FDCE": 1, "FDPE": 1},
        ),
    )
}
"""Block RAM: ice40 4 Kbit, ECP5 and Gowin 18 Kbit, Xilinx 36 Kbit. A MULT18X18 of two is what a MULTALU counts for."""


def script(family: Family, top: str, read: str = "unit.v", netlist: str | None = None) -> list[str]:
    """The lines of a Yosys script that map the module `top` of a Verilog file; what is a black box stays one.

    Their figures are in stat.json; with `netlist` the netlist is there for nextpnr.
    """
    lines = [f"read_verilog {read}", f"{family.synth} -top {top}", "tee -q -o stat.json stat -json"]
    return lines + ([f"write_json {netlist}"] if netlist else [])


def cells_of(work: Path) -> dict[str, int]:
    """Cells by name of what a script made in the folder `work`.

    Raises
    ------
    SynthesisError : there are no figures: the tool ended early.
    """
    try:
        told = json.loads(Path(work, "stat.json").read_text())["design"]["num_cells_by_type"]
    except (OSError, ValueError, KeyError):
        log = Path(work, "yosys.log")
        raise SynthesisError("yosys gives no figures", log.read_text() if log.is_file() else "") from None
    cells = {name: int(c["count"] if isinstance(c, dict) else c) for name, c in told.items()}
    return {name: count for name, count in sorted(cells.items()) if not name.startswith("$scopeinfo")}


def netlist(
    text: str, top: str, family: Family, out: Path, *, options: Sequence[str] = ()
) -> tuple[Figures, dict[str, int]]:
    """Synthesise a whole design, flattened, for place and route.

    Parameters
    ----------
    text : Verilog
    top : its top module
    family : what for
    out : where the netlist (JSON) is put when the tool has ended well
    options : more of the family's synth command

    Returns
    -------
    its figures, and its cells by name

    Raises
    ------
    SynthesisError : when Yosys fails; `out` is not written.
    """
    with tempfile.TemporaryDirectory(prefix="sevedo-fpga-") as folder:
        work = Path(folder)
        Path(work, "unit.v").write_text(text)
        lines = script(family, top, netlist="netlist.json")
        lines[1] = " ".join([lines[1], *options])
        run_yosys(work, lines)
        cells = cells_of(work)
        content = Path(work, "netlist.json").read_bytes()
    write_atomically({out: lambda file: file.write(content)})
    return family.figures(cells), cells
