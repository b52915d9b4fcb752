"""A compiled program in Verilator, held to the Python machine bit for bit."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sevedo.gen.compile import Compiled
from sevedo.gen.config import Config
from sevedo.ref.machine import run as run_machine
from sevedo.sim.activity import Activity
from sevedo.sim.dram import DramModel, DramProcess, build

from .accelerator import WATCHDOG, Accelerator, Counters
from .kept import processor
from .transport import Range, SimulationTransport

IMAGE_BASE, GAP = 0x1000_0000, 0x1000
WINDOW = 512
"""Cycles for which the trace adds up bytes."""
PATIENCE = 20
"""A run of so many times its bound is given up."""


@dataclass(frozen=True)
class SimulatedRun:
    """What a run in Verilator gave.

    Members
    -------
    data : the data segment at its end
    counters : of the processor
    activity : of its units
    """

    data: bytes
    counters: Counters
    activity: Activity


@dataclass(frozen=True)
class RtlProcessor:
    """The Verilog of a processor, compiled by Verilator; compiled once for the same Verilog."""

    config: Config
    executable: Path
    waves: bool

    @classmethod
    def build(cls, config: Config, waves: bool = False, gates: bool = False) -> RtlProcessor:
        """Generate and compile.

        Raises
        ------
        ConfigError : a configuration that cannot be a processor.
        ToolError, BuildError : a tool is missing or refuses the design.
        """
        design = processor(config)
        return cls(config, build(design.verilog, design.manifest, waves=waves, gates=gates), waves)

    def run(
        self,
        compiled: Compiled,
        data: bytes,
        model: DramModel,
        *,
        limit: int,
        base: int = IMAGE_BASE,
        progress: Callable[[int], None] | None = None,
        waves: Path | None = None,
    ) -> SimulatedRun:
        """Run a program to its end.

        Parameters
        ----------
        data : the data segment at the start
        limit : cycles after which it is given up
        base : of the image in DRAM; the data follow

        Raises
        ------
        ProcessorError : the processor stopped with an error, or did not stop.
        SimulationError : it broke a rule of its buses.
        """
        with ExitStack() as stack:
            process = stack.enter_context(DramProcess(self.executable, model, waves))
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sevedo-run-")))
            accelerator = Accelerator(SimulationTransport(process, progress), self.config)
            accelerator.load(compiled, *places(compiled, base), watchdog=WATCHDOG + 4 * model.latency)
            accelerator.write_data(data)
            process.trace(folder / "trace", WINDOW)
            accelerator.run(limit)
            process.stop_trace()
            found = accelerator.read_data()
            return SimulatedRun(found, accelerator.counters(), Activity.load(folder / "trace"))


def places(compiled: Compiled, base: int) -> tuple[Range, Range]:
    """Ranges for image and data that are just large enough, the data some way behind."""
    image = Range(base, len(compiled.image))
    return image, Range(-(-(base + image.size) // GAP) * GAP, compiled.data_bytes)


def golden(compiled: Compiled, data: bytes) -> tuple[bytearray, Any]:
    """The data segment after the Python machine, and its report."""
    segment = bytearray(data)
    report = run_machine(compiled.config, compiled.image, segment, compiled.program)
    return segment, report


def first_difference(found: bytes, wanted: bytes | bytearray) -> int | None:
    """Offset of the first byte that differs."""
    a, b = np.frombuffer(found, np.uint8), np.frombuffer(wanted, np.uint8)
    if len(a) != len(b):
        return min(len(a), len(b))
    places = np.flatnonzero(a != b)
    return int(places[0]) if len(places) else None
