"""A run of a unit's Verilog, cycle by cycle: the bits at its ports, which the gates are then given and held to."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from sevedo.gen.verilog.emitter import EmittedModule
from sevedo.gen.verilog.manifest import StreamPort, manifest
from sevedo.sim.player import Player, Words

Bits = NDArray[np.bool_]


@dataclass(frozen=True)
class Recording:
    """What was at the ports.

    Members
    -------
    ports : bits [cycles, width] of every port but the clock, lowest first, as they are just before the rising edge
    window : first and last cycle of the run proper: from the first beat taken to the last given
    streams : the streams at the ports
    """

    ports: dict[str, Bits]
    window: tuple[int, int]
    streams: tuple[StreamPort, ...]


def record(
    emitted: Sequence[EmittedModule],
    verilog: str,
    inputs: Mapping[str, Words],
    outputs: Mapping[str, int],
    pins: Mapping[str, int] | None = None,
) -> Recording:
    """Play streams through a unit, without stalls.

    Parameters
    ----------
    emitted, verilog : the unit's modules and their text
    inputs, outputs, pins : see `Player.run`

    Raises
    ------
    SimulationError, BuildError, ToolError : see `Player`.
    ValueError : streams that are missing or of the wrong shape; a unit without a clock.
    """
    content = manifest(emitted, verilog)
    if content["clock"] is None:
        raise ValueError(f"unit={content['top']} must have a clock: energy is counted per cycle")
    player = Player.from_manifest(_ports_alone(verilog, content["top"]), content, waves=True)
    with tempfile.TemporaryDirectory(prefix="sevedo-record-") as folder:
        waves = Path(folder, "waves.vcd")
        played = player.run(inputs, outputs, pins=pins, waves=waves, drain=4)
        with waves.open(encoding="ascii") as file:
            ports = _ports(file, content)
    reset = content["reset"]
    # cycles of the player begin behind the reset
    start = int(np.flatnonzero(ports[reset["port"]][:, 0])[-1]) + 1 if reset else 0
    window = (start + played.first_in, start + played.last_out)
    return Recording(ports, window, tuple(player.streams))


def _ports_alone(verilog: str, top: str) -> str:
    """The Verilog with waves of the top's ports alone: tracing all the rest would take most of a minute to compile."""
    return re.sub(
        rf"^(module {top} .*?\n\);\n)",
        r"\1  /* verilator tracing_off */\n",
        verilog,
        count=1,
        flags=re.MULTILINE | re.DOTALL,
    )


def _ports(file: IO[str], content: Mapping[str, Any]) -> dict[str, Bits]:
    """The ports of the top in every cycle."""
    widths = {port["name"]: port["width"] for port in content["ports"]}
    if content["reset"]:
        widths[content["reset"]["port"]] = 1
    widths[content["clock"]] = 1
    names = _codes(file, widths)
    values = dict.fromkeys(names, "0")
    clock = next(code for code, ports in names.items() if content["clock"] in ports)
    rows: dict[str, list[str]] = {code: [] for code in names}
    pending: dict[str, str] = {}
    for line in file:  # before the time of a rising edge is told, the values are those just before it
        head = line[0]
        if head == "#":
            if pending.get(clock) == "1" and values[clock] == "0":
                for code, row in rows.items():
                    row.append(values[code])
            values.update(pending)
            pending = {}
        elif head == "b":
            bits, _, code = line[1:].partition(" ")
            if (code := code.rstrip()) in names:
                pending[code] = bits
        elif head in "01" and (code := line[1:].rstrip()) in names:
            pending[code] = head
    found = {}
    for code, ports in names.items():
        for port in ports:
            found[port] = bits_of(rows[code], widths[port])
    del found[content["clock"]]
    return found


def _codes(file: IO[str], widths: Mapping[str, int]) -> dict[str, list[str]]:
    """The ports that each code of the file stands for; reads up to the end of the definitions."""
    found: dict[str, list[str]] = {}
    depth = 0
    known = set()
    for line in file:
        words = line.split()
        if words[:1] == ["$scope"]:
            depth += 1
        elif words[:1] == ["$upscope"]:
            depth -= 1
        elif words[:1] == ["$var"] and words[4] in widths and words[4] not in known and depth <= 1:
            known.add(words[4])
            found.setdefault(words[3], []).append(words[4])
        elif words[:1] == ["$enddefinitions"]:
            break
    if missing := sorted(name for name, width in widths.items() if width and name not in known):
        raise ValueError(f"the waves have no ports {', '.join(missing)}")
    return found


def bits_of(texts: Sequence[str], width: int) -> Bits:
    """Binary numbers, the highest digit first and leading ones left out, as rows of bits, the lowest first."""
    padded = "".join(text.rjust(width, "0") for text in texts)
    digits = np.frombuffer(padded.encode(), np.uint8).reshape(len(texts), width)
    return (digits == ord("1"))[:, ::-1]


def differences(recording: Recording, ports: Mapping[str, Bits]) -> list[str]:
    """Where other bits at the output ports differ: valid and ready in every cycle, payloads where both are high.

    Cycles before the run proper do not count.
    """
    found = []
    first = recording.window[0]
    for stream in recording.streams:
        names = [f"{stream.name}_valid", f"{stream.name}_ready"]
        valid, ready = (recording.ports[name][first:, 0] for name in names)
        for name in names:
            if name in ports and (recording.ports[name] != ports[name])[first:].any():
                found.append(name)
        for field in stream.fields:
            if field.port in ports:
                unequal = (recording.ports[field.port] != ports[field.port])[first:].any(axis=1)
                if (unequal & valid & ready).any():
                    found.append(field.port)
    return found
