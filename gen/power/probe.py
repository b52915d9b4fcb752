"""A run of a core's Verilog, cycle by cycle: the bits at its ports and at the outputs of the modules in it.

The gates of a module are given what is recorded at the outputs of the modules in it, and are held to what is recorded
at its own.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from sevedo.gen.synth.record import bits_of
from sevedo.gen.verilog.emitter import EmittedModule
from sevedo.gen.verilog.manifest import manifest
from sevedo.sim.player import Player, Words

Bits = NDArray[np.bool_]

ON, OFF = "/* verilator tracing_on */", "/* verilator tracing_off */"


@dataclass(frozen=True)
class Probed:
    """What was seen. Cycles count from the first one after the reset.

    Members
    -------
    ports : for the path of every instance, "" being the top, and each output port (at the top all ports but the
        clock) its bits [cycles, width], lowest first, as they are just before the rising edge
    cycles : recorded
    window : first and last cycle of the run proper: from the first beat taken to the last given
    outputs : beats of every output stream, see `PlayResult.outputs`
    """

    ports: dict[str, dict[str, Bits]]
    cycles: int
    window: tuple[int, int]
    outputs: dict[str, Words]


def probe(
    emitted: Sequence[EmittedModule],
    verilog: str,
    modules: Collection[str],
    inputs: Mapping[str, Words],
    outputs: Mapping[str, int],
) -> Probed:
    """Play streams through a unit, without stalls.

    Parameters
    ----------
    emitted, verilog : the unit's modules and their text
    modules : whose output ports are recorded, in every instance
    inputs, outputs : see `Player.run`

    Raises
    ------
    SimulationError, BuildError, ToolError : see `Player`.
    ValueError : a unit without a clock.
    """
    content = manifest(emitted, verilog)
    if content["clock"] is None:
        raise ValueError(f"unit={content['top']} must have a clock: energy is counted per cycle")
    player = Player.from_manifest(_traced(verilog, content["top"], modules), content, waves=True)
    player.quick = True
    with tempfile.TemporaryDirectory(prefix="sevedo-probe-") as folder:
        waves = Path(folder, "waves.vcd")
        played = player.run(inputs, outputs, waves=waves, drain=4)
        with waves.open(encoding="ascii") as file:
            ports = _read(file, content["top"], content["clock"])
    top = ports[""]
    start = 0
    if content["reset"]:  # cycles of the player begin behind the reset
        start = int(np.flatnonzero(top[content["reset"]["port"]][:, 0])[-1]) + 1
    window = (start + played.first_in, start + played.last_out)
    return Probed(ports, len(next(iter(top.values()))), window, played.outputs)


def _traced(verilog: str, top: str, modules: Collection[str]) -> str:
    """The Verilog with waves of the top's ports and of the outputs of some modules, and of nothing else."""

    def head(match: re.Match[str]) -> str:
        if match.group(1) == top:
            return f"{ON}\n{match.group(0)}\n{OFF}"
        if match.group(1) in modules:
            return re.sub(r"^  output .*$", rf"{ON}\n\g<0>\n{OFF}", match.group(0), flags=re.MULTILINE)
        return match.group(0)

    text = re.sub(r"^module (\S+) .*?^\);$", head, verilog, flags=re.MULTILINE | re.DOTALL)
    # what is inside an instance is traced only where the instance itself is
    text = re.sub(
        rf"^  (?:{'|'.join(map(re.escape, sorted(modules)))}) \\?\w+ +\(.*?^  \);$",
        rf"{ON}\n\g<0>\n{OFF}",
        text,
        flags=re.MULTILINE | re.DOTALL,
    )
    return f"{OFF}\n{text}"


def _read(file: IO[str], top: str, clock_name: str) -> dict[str, dict[str, Bits]]:
    """All that is in a file of waves, by instance and port."""
    found, widths = _names(file, top)
    clock = next(code for code, places in found.items() if ("", clock_name) in places)
    values = dict.fromkeys(found, "0")
    rows: dict[str, list[str]] = {code: [] for code in found if code != clock}
    pending: dict[str, str] = {}
    for line in file:  # before the time of a rising edge is told, the values are those just before it
        head = line[0]
        if head == "b":
            bits, _, code = line[1:].partition(" ")
            pending[code.rstrip()] = bits
        elif head in "01":
            pending[line[1:].rstrip()] = head
        elif head == "#":
            if pending.get(clock) == "1" and values[clock] == "0":
                for code, row in rows.items():
                    row.append(values[code])
            values.update(pending)
            pending = {}
    ports: dict[str, dict[str, Bits]] = {}
    for code, row in rows.items():
        values_of = bits_of(row, widths[code])
        for path, name in found[code]:
            ports.setdefault(path, {})[name] = values_of
    return ports


def _names(file: IO[str], top: str) -> tuple[dict[str, list[tuple[str, str]]], dict[str, int]]:
    """The instance's path and port that each code stands for, and its width; reads up to the end of the definitions."""
    found: dict[str, list[tuple[str, str]]] = {}
    widths: dict[str, int] = {}
    scopes: list[str] = []
    for line in file:
        words = line.split()
        if words[:1] == ["$scope"]:
            scopes.append(words[2].lstrip("\\"))
        elif words[:1] == ["$upscope"]:
            scopes.pop()
        elif words[:1] == ["$var"]:
            inner = scopes[scopes.index(top) + 1 :] if top in scopes else []
            found.setdefault(words[3], []).append(("/".join(inner), words[4]))
            widths[words[3]] = int(words[2])
        elif words[:1] == ["$enddefinitions"]:
            break
    return found, widths
