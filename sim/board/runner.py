"""A whole board in Verilator under cocotb: only its pins can be seen, so that it is fast enough to run layers."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from cocotb_tools.runner import Verilator, get_results

from sevedo.hw.unit import FAST_MACRO
from sevedo.sim import bench
from sevedo.sim.bench import BenchError
from sevedo.sim.compile import BuildError, cached
from sevedo.sim.toolchain import digest, require_shared_python, toolchain

_BUILD = (
    "-Wno-fatal", "-Wno-lint", "-Wno-style", "--x-assign", "fast", "--x-initial", "fast", "-O3",
    "--output-split", "20000",
)  # fmt: skip
_MAKE = ("OPT_FAST=-O2", "OPT_SLOW=-O0", "OPT_GLOBAL=-O1", "CFG_CXXFLAGS_PCH_I=-include")
PARAMETERS = "SEVEDO_BOARD"


class _Runner(Verilator):
    """cocotb's own makes every signal public, which forbids what makes a large design fast."""

    def _build_command(self) -> list[list[str]]:
        return [
            [word for word in command if word != "--public-flat-rw"] for command in super()._build_command()
        ]


def run_board(
    verilog: str,
    top: str,
    pins: Sequence[str],
    module: str,
    *,
    parameters: Mapping[str, Any],
    testcase: str | None = None,
    fast: bool = True,
) -> int:
    """Run the cocotb tests of `module` against a board; the number of tests that ran.

    Parameters
    ----------
    verilog : all of it, models included
    top : its module
    pins : ports of the top
    module : importable name of the module with the cocotb tests
    parameters : plain data for the tests, which they get from `board_parameters`
    testcase : name of one test; all by default
    fast : take the definitions of units that have one (see `Unit.definition`)

    Raises
    ------
    BenchError : when a test fails or none runs.
    BuildError, ToolError : when the simulation cannot be built.
    """
    require_shared_python()
    tools = toolchain()
    with bench._environment(tools, _MAKE):
        folder = _build(verilog, top, pins, fast)
        with tempfile.TemporaryDirectory(prefix="sevedo-board-") as run:
            log, results = Path(run, "log"), Path(run, "results.xml")
            with suppress(SystemExit):
                _Runner().test(
                    test_module=module, hdl_toplevel=top, hdl_toplevel_lang="verilog", testcase=testcase,
                    build_dir=folder, test_dir=run, results_xml=str(results), log_file=log,
                    extra_env={PARAMETERS: json.dumps(parameters)},
                )  # fmt: skip
            if not results.is_file():
                raise BenchError(f"{module}: the simulation gave no results\n{bench._tail(log)}")
            ran, failed = get_results(results)
            if failed or not ran:
                raise BenchError(f"{module}: {failed} of {ran} tests failed\n{bench._tail(log, 60)}")
    return ran


def _build(verilog: str, top: str, pins: Sequence[str], fast: bool) -> Path:
    options = [*_BUILD, *([f"-D{FAST_MACRO}"] if fast else [])]
    visible = "`verilator_config\n" + "".join(
        f'public_flat_rw -module "{top}" -var "{pin}"\n' for pin in pins
    )
    tools = toolchain()
    key = "board-" + digest(verilog, top, visible, tools.identity, *options, *_MAKE, sys.version)

    def build(folder: Path) -> None:
        (folder / "design.v").write_text(verilog, encoding="utf-8")
        (folder / "pins.vlt").write_text(visible, encoding="utf-8")
        log = folder / "build.log"
        try:
            _Runner().build(
                sources=[folder / "pins.vlt", folder / "design.v"], hdl_toplevel=top, build_dir=folder,
                build_args=options, log_file=log, timescale=("1ns", "1ps"), always=True,
            )  # fmt: skip
        except (RuntimeError, SystemExit) as error:
            raise BuildError(f"{top}: {error} (log: {log})\n{bench._tail(log)}") from None

    return cached(key, build)
