"""Verilog and a C++ source to an executable; each is kept under the name of its content and made at most once."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from sevedo.hw.unit import FAST_MACRO

from .toolchain import Toolchain, cache_folder, digest, jobs, toolchain

_HERE = Path(__file__).parent
_OWN = ("ports.h", "random.h", "player.h", "player.cpp", "compile.py")
_COMMON = (
    "-std=c++17", "-faligned-new", "-fcf-protection=none", "-w", "-DVERILATOR=1", "-DVM_COVERAGE=0", "-DVM_SC=0",
    "-DVM_TIMING=0", "-DVL_TIME_CONTEXT", "-DVM_TRACE_FST=0", "-DVM_TRACE_SAIF=0",
)  # fmt: skip
_FAST, _LARGE, _COLD = "-O2", "-O1", "-O0"
_SMALL_BYTES = 500_000  # of model source: one file, since headers alone cost most of a second each
_UNIT_BYTES = 2_000_000  # of model source compiled at once
_LARGE_BYTES = 10_000_000  # above, -O1: half the time of -O2, 5 to 15 % slower simulation
_VERILATOR = (
    "--cc", "--prefix", "Vtop", "-O3", "--x-assign", "fast", "--x-initial", "fast", "-Wno-fatal", "-Wno-lint",
    "-Wno-style", "--output-split", "20000", "--output-split-cfuncs", "5000",
)  # fmt: skip


class BuildError(RuntimeError):
    """A tool refused the design. The message names the log, which is kept, and shows its first error."""


def program(
    verilog: str,
    top: str,
    main: str,
    *,
    with_player: bool = False,
    waves: bool = False,
    gates: bool = True,
    quick: bool = False,
) -> Path:
    """The executable of module `top` and the C++ source `main`; compiled at most once for the same sources and tools.

    `main` includes ``Vtop.h``, the model's class `Vtop`; with the player it holds the glue instead of a `main`.
    Without `gates`, units that have a `Unit.definition` are simulated by it. With `quick` the model is compiled without
    optimization: for runs of some thousand cycles.

    Raises
    ------
    BuildError : when Verilator or the compiler fails.
    ToolError : when a tool is missing.
    """
    tools = toolchain()
    key = digest(
        verilog,
        top,
        main,
        str(with_player),
        str(waves),
        str(gates),
        *(["quick"] if quick else []),
        tools.identity,
        *_own_sources(),
    )

    def build(folder: Path) -> None:
        runtime = _runtime(tools, waves)
        (folder / "design.v").write_text(verilog, encoding="utf-8")
        (folder / "main.cpp").write_text(main, encoding="utf-8")
        command = [str(tools.verilator), *_VERILATOR, "--top-module", top, "-Mdir", "obj", "design.v"]
        _run(tools, [*command, *([] if gates else [f"-D{FAST_MACRO}"]),
                     *(["--trace"] if waves else [])], folder)  # fmt: skip
        _compile(tools, folder, _group(folder, quick), waves)
        objects = sorted(folder.glob("*.o"))
        shared = [o for o in sorted(runtime.glob("*.o")) if with_player or o.stem != "player"]
        _run(tools, ["g++", "-o", "program", *map(str, objects + shared), "-lpthread"], folder)
        shutil.rmtree(folder / "obj")
        for item in [*objects, *folder.glob("unit_*.cpp")]:
            item.unlink()

    return cached(key, build) / "program"


def cached(key: str, build: Callable[[Path], None]) -> Path:
    """The folder `key` of the cache, filled by `build` when absent. It appears whole or not at all.

    Others that want the same key wait for who is building it. When `build` raises, its folder is kept as
    ``<key>.failed``, for the log.
    """
    home = cache_folder()
    done = home / key
    if done.is_dir():
        return done
    home.mkdir(parents=True, exist_ok=True)
    with _alone(home / f"{key}.lock"):
        return done if done.is_dir() else _built(home, key, build)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Wait for other processes that hold the lock; hold it."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            path.unlink(missing_ok=True)  # who comes now has a new lock: at worst two build, as without one


def _built(home: Path, key: str, build: Callable[[Path], None]) -> Path:
    """The folder, made beside and renamed."""
    done = home / key
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


def _own_sources() -> list[str]:
    return [(_HERE / name).read_text(encoding="utf-8") for name in _OWN]


def _runtime(tools: Toolchain, waves: bool) -> Path:
    """What every player shares: Verilator's library and the player itself, compiled."""
    names = ["verilated.cpp", "verilated_threads.cpp", *(["verilated_vcd_c.cpp"] if waves else [])]

    def build(folder: Path) -> None:
        sources = [*(tools.root / "include" / name for name in names), _HERE / "player.cpp"]
        _compile(tools, folder, [(source, _FAST) for source in sources], waves)

    return cached("runtime-" + digest(tools.identity, str(waves), *_own_sources()), build)


def _group(folder: Path, quick: bool) -> list[tuple[Path, str]]:
    """Gather the model's many sources in few files, each with the level of optimization it is worth."""
    sources = sorted((folder / "obj").glob("*.cpp"))
    sizes = {source: source.stat().st_size for source in sources}
    total = sum(sizes.values())
    fast = _COLD if quick else _LARGE if total > _LARGE_BYTES else _FAST
    groups: dict[str, list[list[Path]]] = {}
    room: dict[str, int] = {}
    for source in sources:
        # Verilator's slow files run once: construction and initial values.
        level = fast
        if total > _SMALL_BYTES and source.stem.endswith("__Slow"):
            level = _COLD
        if room.get(level, 0) <= 0:
            groups.setdefault(level, []).append([])
            room[level] = _UNIT_BYTES
        groups[level][-1].append(source)
        room[level] -= sizes[source]
    groups[fast][0].append(folder / "main.cpp")
    units = []
    for level, members in groups.items():
        for index, group in enumerate(members):
            unit = folder / f"unit_{level[1:]}_{index}.cpp"
            lines = [f'#include "{source.relative_to(folder)}"' for source in group]
            unit.write_text("\n".join(lines) + "\n", encoding="utf-8")
            units.append((unit, level))
    return units


def _compile(tools: Toolchain, folder: Path, units: Sequence[tuple[Path, str]], waves: bool) -> None:
    include = tools.root / "include"
    options = [
        *_COMMON, f"-DVM_TRACE={int(waves)}", f"-DVM_TRACE_VCD={int(waves)}",
        "-I", str(_HERE), "-I", ".", "-I", "obj", "-I", str(include), "-I", str(include / "vltstd"),
    ]  # fmt: skip

    def one(unit: tuple[Path, str]) -> None:
        source, level = unit
        _run(tools, ["g++", level, *options, "-c", str(source), "-o", f"{source.stem}.o"], folder)

    with ThreadPoolExecutor(jobs()) as pool:
        list(pool.map(one, units))


def _run(tools: Toolchain, command: Sequence[str], folder: Path) -> None:
    """Run a tool in `folder`, adding to its log."""
    log = folder / "build.log"
    done = subprocess.run(
        command, cwd=folder, env=tools.environment, capture_output=True, text=True, check=False
    )
    with log.open("a", encoding="utf-8") as file:
        file.write(f"$ {' '.join(command)}\n{done.stdout}{done.stderr}")
    if done.returncode:
        lines = (done.stdout + done.stderr).splitlines()
        first = next((line for line in lines if "rror" in line), f"exit code {done.returncode}")
        raise BuildError(f"{os.path.basename(command[0])} failed: {first.strip()} (log: {log})")
