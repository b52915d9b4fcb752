"""Verilog to a stream player's executable: Verilator, then the compiler; each result kept under the name of its content."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .toolchain import Toolchain, cache_folder, digest, jobs, toolchain

_HERE = Path(__file__).parent
_SOURCES = ("player.h", "player.cpp")
_COMMON = (
    "-std=c++17", "-faligned-new", "-fcf-protection=none", "-w", "-DVERILATOR=1", "-DVM_COVERAGE=0", "-DVM_SC=0",
    "-DVM_TIMING=0", "-DVL_TIME_CONTEXT", "-DVM_TRACE_FST=0", "-DVM_TRACE_SAIF=0",
)  # fmt: skip
_FAST = "-O2"
_SLOW = "-O0"  # what runs once: construction, initial values
_VERILATOR = (
    "--cc", "--prefix", "Vtop", "-O3", "--x-assign", "fast", "--x-initial", "fast", "-Wno-fatal", "-Wno-lint",
    "-Wno-style", "--output-split", "20000", "--output-split-cfuncs", "5000",
)  # fmt: skip


class BuildError(RuntimeError):
    """A tool refused the design. The message names the log, which is kept, and shows its first error."""


def player(verilog: str, top: str, glue: str, waves: bool = False) -> Path:
    """The executable that plays streams into module `top`; compiled at most once for the same sources and tools.

    Raises
    ------
    BuildError : when Verilator or the compiler fails.
    ToolError : when a tool is missing.
    """
    tools = toolchain()
    sources = [(_HERE / name).read_text(encoding="utf-8") for name in (*_SOURCES, "compile.py")]
    key = digest(verilog, top, glue, str(waves), tools.identity, *sources)

    def build(folder: Path) -> None:
        runtime = _runtime(tools, waves)
        (folder / "design.v").write_text(verilog, encoding="utf-8")
        (folder / "glue.cpp").write_text(glue, encoding="utf-8")
        command = [str(tools.verilator), *_VERILATOR, "--top-module", top, "-Mdir", "obj", "design.v"]
        _run(tools, [*command, *(["--trace"] if waves else [])], folder)
        model = sorted((folder / "obj").glob("*.cpp"))
        _compile(tools, folder, [*model, folder / "glue.cpp"], waves)
        objects = sorted(folder.glob("*.o"))
        _run(tools, ["g++", "-o", "player", *(o.name for o in objects), *map(str, sorted(runtime.glob("*.o"))),
                     "-lpthread"], folder)  # fmt: skip
        for item in [*objects, folder / "obj"]:
            shutil.rmtree(item) if item.is_dir() else item.unlink()

    return cached(key, build) / "player"


def cached(key: str, build: Callable[[Path], None]) -> Path:
    """The folder `key` of the cache, filled by `build` when absent. It appears whole or not at all.

    Builders of the same key do not disturb each other: the first to finish wins. When `build` raises, its folder is
    kept as ``<key>.failed``, for the log.
    """
    home = cache_folder()
    done = home / key
    if done.is_dir():
        return done
    home.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f"{key}.", dir=home))
    try:
        build(beside)
    except BuildError as error:
        failed = home / f"{key}.failed"
        shutil.rmtree(failed, ignore_errors=True)
        beside.rename(failed)
        raise BuildError(str(error).replace(str(beside), str(failed))) from None
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise
    try:
        beside.rename(done)
    except OSError:  # another process was first
        shutil.rmtree(beside, ignore_errors=True)
        if not done.is_dir():
            raise
    return done


def _runtime(tools: Toolchain, waves: bool) -> Path:
    """What every player shares: Verilator's library and the player itself, compiled."""
    sources = [(_HERE / name).read_text(encoding="utf-8") for name in (*_SOURCES, "compile.py")]
    names = ["verilated.cpp", "verilated_threads.cpp", *(["verilated_vcd_c.cpp"] if waves else [])]

    def build(folder: Path) -> None:
        _compile(tools, folder, [*(tools.root / "include" / n for n in names), _HERE / "player.cpp"], waves)

    return cached("runtime-" + digest(tools.identity, str(waves), *sources), build)


def _compile(tools: Toolchain, folder: Path, sources: Sequence[Path], waves: bool) -> None:
    include = tools.root / "include"
    options = [
        *_COMMON, f"-DVM_TRACE={int(waves)}", f"-DVM_TRACE_VCD={int(waves)}",
        "-I", str(_HERE), "-I", "obj", "-I", str(include), "-I", str(include / "vltstd"),
    ]  # fmt: skip

    def one(source: Path) -> None:
        level = _SLOW if source.stem.endswith("__Slow") else _FAST
        _run(tools, ["g++", level, *options, "-c", str(source), "-o", f"{source.stem}.o"], folder)

    with ThreadPoolExecutor(jobs()) as pool:
        list(pool.map(one, sorted(sources, key=lambda s: -s.stat().st_size)))


def _run(tools: Toolchain, command: Sequence[str], folder: Path) -> None:
    """Run a tool in `folder`, adding to its log."""
    log = folder / "build.log"
    done = subprocess.run(command, cwd=folder, env=tools.environment, capture_output=True, text=True, check=False)
    with log.open("a", encoding="utf-8") as file:
        file.write(f"$ {' '.join(command)}\n{done.stdout}{done.stderr}")
    if done.returncode:
        lines = (done.stdout + done.stderr).splitlines()
        first = next((line for line in lines if "rror" in line), f"exit code {done.returncode}")
        raise BuildError(f"{os.path.basename(command[0])} failed: {first.strip()} (log: {log})")
