"""Verilator's lint of generated Verilog, with every waiver in `waivers.vlt`."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from sevedo.hw.unit import FAST_MACRO
from sevedo.sim.toolchain import toolchain

WAIVERS = Path(__file__).with_name("waivers.vlt")
"""All that is waived, with reasons."""

_MESSAGE = re.compile(r"^%(?:Error|Warning)[^\n]*(?:\n(?!%)[^\n]*)*", re.MULTILINE)


def lint(file: Path, top: str, gates: bool = True) -> list[str]:
    """Errors and warnings of Verilator on a Verilog-2005 file, each with its place; none when it is clean.

    Without `gates`, units that have a definition (`Unit.definition`) are looked at in that form.

    Raises
    ------
    ToolError : when Verilator is missing.
    """
    tools = toolchain()
    options = ["--lint-only", "-Wall", "--default-language", "1364-2005", "--top-module", top]
    if not gates:
        options.append(f"-D{FAST_MACRO}")
    run = subprocess.run(
        [str(tools.verilator), *options, str(WAIVERS), str(file)],
        env=tools.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    messages = [m.strip() for m in _MESSAGE.findall(run.stderr) if not m.startswith("%Error: Exiting due to")]
    if run.returncode and not messages:
        messages = [f"verilator ended with code {run.returncode}: {run.stderr.strip()}"]
    return messages
