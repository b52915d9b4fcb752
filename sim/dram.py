"""A compiled processor with a DRAM: the process of `dram.cpp`, its settings, and what can be told to it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, NamedTuple

from . import compile as compiler
from .dram_glue import Ports, glue
from .player import SimulationError

CHANNELS = ("ar", "r", "aw", "w", "b", "registers")
"""What can be stalled: the five channels of the AXI4 master, and the host's side of the registers."""

SLVERR, DECERR = 2, 3
"""Error responses of AXI."""


@dataclass(frozen=True)
class DramModel:
    """How the DRAM behaves.

    Parameters
    ----------
    latency : cycles from the acceptance of a read to its first beat, of the last beat of a write to its response
    bandwidth : bytes per cycle of reads and writes together
    outstanding : bursts of a direction that are accepted ahead
    burst : beats that a burst may have
    stall : chance per cycle that a channel holds back; for all, or for each of `CHANNELS`
    reorder : bursts of different IDs overtake each other, and their read beats interleave
    patient : requests and write beats are taken only after they were seen: a master that waits for ready stands still
    seed : of all that is random; from the next reset on
    """

    latency: int = 100
    bandwidth: float = 16
    outstanding: int = 32
    burst: int = 256
    stall: float | tuple[float, ...] = 0.0
    reorder: bool = False
    patient: bool = False
    seed: int = 0

    def commands(self) -> list[str]:
        """What tells it to the process."""
        stall = self.stall if isinstance(self.stall, tuple) else (self.stall,) * len(CHANNELS)
        return [
            f"set latency {self.latency}",
            f"set bandwidth {round(self.bandwidth * 256)}",
            f"set outstanding {self.outstanding}",
            f"set burst {self.burst}",
            f"set reorder {int(self.reorder)}",
            f"set patient {int(self.patient)}",
            f"set seed {self.seed}",
            "stall " + " ".join(str(round(chance * (1 << 32))) for chance in stall),
        ]


class Counts(NamedTuple):
    """What has happened since the start: cycles after resets, bytes of whole beats, bursts."""

    cycle: int
    read_bytes: int
    written_bytes: int
    reads: int
    writes: int


class DramProcess:
    """A running simulation. Time moves in `read_register`, `write_register`, `run` and `reset` alone.

    Parameters
    ----------
    executable : as `build` gives it
    model : how the DRAM behaves
    waves : path of a VCD, of an executable built for waves

    Raises
    ------
    SimulationError : from every method that moves time, once the design has broken a rule of AXI, left the ranges
        granted to it, or not answered.
    """

    def __init__(self, executable: Path, model: DramModel | None = None, waves: Path | None = None) -> None:
        arguments = [str(executable), *([str(waves.absolute())] if waves else [])]
        self._process = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in: IO[bytes] = self._process.stdin
        self._out: IO[bytes] = self._process.stdout
        if model is not None:
            self.set(model)
            self.reset()

    def set(self, model: DramModel) -> None:
        """Change how the DRAM behaves; the seed from the next reset on."""
        for command in model.commands():
            self._tell(command)

    def reset(self) -> None:
        """Reset the design and what is under way on its buses; memory, grants and counts stay."""
        self._tell("reset")

    def read_register(self, address: int) -> int:
        """The value of a register; an error response is a `SimulationError`."""
        value, response = self._numbers(f"read {address}")
        self._check(response, "read", address)
        return value

    def write_register(self, address: int, value: int) -> None:
        """Write a register; an error response is a `SimulationError`."""
        (response,) = self._numbers(f"write {address} {value}")
        self._check(response, "write", address)

    def read_memory(self, address: int, size: int) -> bytes:
        """Bytes of the DRAM."""
        self._tell(f"save {address} {size}")
        return self._out.read(size)

    def write_memory(self, address: int, data: bytes) -> None:
        """Set bytes of the DRAM."""
        self._tell(f"load {address} {len(data)}", data)

    def grant(self, readable: Iterable[tuple[int, int]], writable: Iterable[tuple[int, int]]) -> None:
        """Ranges (base, size) that the master may read and write; all others are taken away."""
        self._tell("revoke")
        for kind, ranges in (("read", readable), ("write", writable)):
            for base, size in ranges:
                self._tell(f"grant {kind} {base} {size}")

    def fault_range(self, way: str, base: int, size: int, response: int = SLVERR) -> None:
        """Answer accesses ("read" or "write") that touch a range with an error."""
        self._tell(f"fault {way} range {base} {size} {response}")

    def fault_access(self, way: str, number: int, response: int = SLVERR) -> None:
        """Answer one burst with an error: the `number`-th from now, counted from 0."""
        self._tell(f"fault {way} access {number} {response}")

    def mend(self) -> None:
        """No more errors."""
        self._tell("mend")

    def run(self, cycles: int) -> bool:
        """Go on until the interrupt, at most so many cycles; whether it is raised."""
        return bool(self._numbers(f"run {cycles}")[1])

    def trace(self, path: Path, window: int) -> None:
        """Write the activity of the units, and the traffic of every `window` cycles, to a file: see `activity`."""
        self._tell(f"trace {path.absolute()} {window}")

    def stop_trace(self) -> None:
        """Close that file."""
        self._tell("trace")

    def counts(self) -> Counts:
        """What has happened so far."""
        return Counts(*self._numbers("counts"))

    def close(self) -> None:
        """End the process."""
        if self._process.poll() is None:
            self._in.write(b"quit\n")
            self._in.close()
            self._process.wait()
        self._out.close()

    def __enter__(self) -> DramProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _numbers(self, command: str) -> list[int]:
        return [int(word) for word in self._tell(command).split()]

    def _tell(self, command: str, data: bytes = b"") -> str:
        self._in.write(f"{command}\n".encode() + data)
        self._in.flush()
        line = self._out.readline().decode()
        state, _, rest = line.strip().partition(" ")
        if state != "ok":
            raise SimulationError(rest or f"the simulation ended at: {command}")
        return rest

    @staticmethod
    def _check(response: int, way: str, address: int) -> None:
        if response:
            raise SimulationError(f"register {address:#x}: {way} answered with response {response}")


def build(verilog: str, content: dict[str, Any], *, waves: bool = False, gates: bool = False) -> Path:
    """Compile a design whose ports are a processor's, or some of them; at most once for the same Verilog.

    Parameters
    ----------
    verilog, content : the design and the content of its manifest.json
    waves, gates : see `sevedo.sim.compile.program`

    Raises
    ------
    BuildError : naming the log, when a tool refuses the design.
    ToolError : naming what to install, when a tool is missing.
    """
    widths = {port["name"]: port["width"] for port in content["ports"]}
    source = glue(Ports(widths, content["clock"], content["reset"]["port"]))
    return compiler.program(verilog, content["top"], source, waves=waves, gates=gates)
