"""What a measurement of power says: energy by part, power, operations per joule, other technologies, the paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from .scaling import Scaled
from .sram import MemoryEnergy

PAPER_FJ, PAPER_TOPS_PER_WATT = 145.0, 13.8
"""SeVeDo (arXiv 2512.12930) at its peak, per INT4 multiply-accumulate: two operations."""

COUNTED = (
    "every gate and flip-flop of the core: internal energy by the library's tables, loads of cells' pins, clock pins",
    "leakage, over the cycles of the run at the clock that is named",
)
NOT_COUNTED = (
    "wires: a load is the sum of the pins that it drives",
    "glitches: a net changes at most once in a cycle",
    "the clock tree: clock pins count, the buffers before them are not there; no clock is gated",
    "memories of the core and operand memories, which are estimated apart; quantizer, unless asked for; network, DRAM",
)


@dataclass(frozen=True)
class PartEnergy:
    """Energy of a part in fJ per cycle; leakage is power.

    Members
    -------
    group, name : which part
    cells : how many
    internal, switching : of all its cells
    clock : what of these flip-flops take at their clock pins
    idle_clock : what of that they take in cycles in which they do not change: more than any clock gating could save
    leakage_nw : power
    """

    group: str
    name: str
    cells: int
    internal: float
    switching: float
    clock: float
    idle_clock: float
    leakage_nw: float

    def per_cycle(self, clock_ns: float) -> float:
        """fJ per cycle, leakage included."""
        return self.internal + self.switching + self.leakage_nw * clock_ns * 1e-3


@dataclass(frozen=True)
class Run:
    """What one kind of data took.

    Members
    -------
    data : what it was, see `Workload.as_json`
    cycles : from the first beat in to the last beat out
    macs : of the layer's part
    utilization : share of the array's multiply-accumulates in these cycles that the layer needed
    parts : energy by part
    compared : output bits of module instances that gates and Verilog agree in
    memories, operands : estimates
    """

    data: Mapping[str, Any]
    cycles: int
    macs: int
    utilization: float
    parts: tuple[PartEnergy, ...] = field(repr=False)
    compared: int
    memories: tuple[MemoryEnergy, ...] = ()
    operands: tuple[MemoryEnergy, ...] = ()

    def per_mac(self, clock_ns: float, *groups: str) -> float:
        """fJ per multiply-accumulate, of some groups of parts or of all, leakage included."""
        chosen = [part for part in self.parts if not groups or part.group in groups]
        return sum(part.per_cycle(clock_ns) for part in chosen) * self.cycles / self.macs

    def leakage_per_mac(self, clock_ns: float) -> float:
        """fJ per multiply-accumulate of leakage."""
        return sum(part.leakage_nw for part in self.parts) * clock_ns * 1e-3 * self.cycles / self.macs

    def clock_per_mac(self) -> float:
        """fJ per multiply-accumulate at clock pins."""
        return sum(part.clock for part in self.parts) * self.cycles / self.macs

    def idle_clock_per_mac(self) -> float:
        """fJ per multiply-accumulate at clock pins of flip-flops that do not change."""
        return sum(part.idle_clock for part in self.parts) * self.cycles / self.macs

    def as_json(self, clock_ns: float) -> dict[str, Any]:
        """As plain data; energies in fJ per multiply-accumulate."""
        scale = self.cycles / self.macs
        groups = dict.fromkeys(part.group for part in self.parts)
        total = self.per_mac(clock_ns)
        return {
            "data": dict(self.data),
            "cycles": self.cycles,
            "macs": self.macs,
            "utilization": self.utilization,
            "compared_bits": self.compared,
            "fj_per_mac": total,
            "leakage_fj_per_mac": self.leakage_per_mac(clock_ns),
            "clock_fj_per_mac": self.clock_per_mac(),
            "idle_clock_fj_per_mac": self.idle_clock_per_mac(),
            "tops_per_watt": 2000 / total,
            "milliwatts": total * self.macs / self.cycles / clock_ns * 1e-3,
            "groups": {group: self.per_mac(clock_ns, group) for group in groups},
            "parts": [
                {
                    "group": part.group,
                    "name": part.name,
                    "cells": part.cells,
                    "fj_per_mac": part.per_cycle(clock_ns) * scale,
                    "internal": part.internal * scale,
                    "switching": part.switching * scale,
                    "clock": part.clock * scale,
                    "idle_clock": part.idle_clock * scale,
                    "leakage": part.leakage_nw * clock_ns * 1e-3 * scale,
                }
                for part in self.parts
            ],
            "memories": [one.as_json(self.macs) for one in self.memories],
            "operands": [one.as_json(self.macs) for one in self.operands],
        }


@dataclass(frozen=True)
class QuantizerRun:
    """What the quantizer took for the activations of a run, each of which the whole layer uses `outputs` times.

    Members
    -------
    activations, outputs : T K, and N of the whole layer
    cycles, parts, compared : as of a `Run`
    """

    activations: int
    outputs: int
    cycles: int
    parts: tuple[PartEnergy, ...] = field(repr=False)
    compared: int

    def per_activation(self, clock_ns: float) -> float:
        """fJ for each activation, leakage included."""
        return sum(part.per_cycle(clock_ns) for part in self.parts) * self.cycles / self.activations

    def as_json(self, clock_ns: float) -> dict[str, Any]:
        """As plain data."""
        energy = self.per_activation(clock_ns)
        scale = self.cycles / self.activations
        return {
            "activations": self.activations,
            "outputs": self.outputs,
            "cycles": self.cycles,
            "compared_bits": self.compared,
            "fj_per_activation": energy,
            "fj_per_mac": energy / self.outputs,
            "parts": [
                {
                    "name": part.name,
                    "cells": part.cells,
                    "fj_per_activation": part.per_cycle(clock_ns) * scale,
                }
                for part in self.parts
            ],
        }


@dataclass(frozen=True)
class PowerReport:
    """Power of a core in a library.

    Members
    -------
    configuration : name, fingerprint
    library : names, digest
    volts : supply
    clock_ns : period that leakage and power are told for
    area, cells : of the netlist that was simulated, whose boundaries cost some; without memories
    runs : by kind of data, the one asked for first
    nodes : in nm, that the library's cells can be called
    target : node in nm and supply that `scaled` tells energies for
    scaled : the first run's energy per multiply-accumulate there, by each rule
    tools : versions
    quantizer : what it took for the first run's activations; None where it was not asked for
    """

    configuration: Mapping[str, Any]
    library: Mapping[str, Any]
    volts: float
    clock_ns: float
    area: float
    cells: int
    runs: tuple[Run, ...]
    nodes: tuple[float, ...]
    target: tuple[float, float]
    scaled: tuple[Scaled, ...]
    tools: Mapping[str, Any]
    quantizer: QuantizerRun | None = None

    @property
    def run(self) -> Run:
        """The run that was asked for."""
        return self.runs[0]

    @property
    def per_mac(self) -> float:
        """fJ per multiply-accumulate of that run, leakage included."""
        return self.run.per_mac(self.clock_ns)

    def as_json(self) -> dict[str, Any]:
        """As plain data, schema 1."""
        return {
            "schema": 1,
            "configuration": dict(self.configuration),
            "library": dict(self.library),
            "volts": self.volts,
            "clock_ns": self.clock_ns,
            "area": self.area,
            "cells": self.cells,
            **self.run.as_json(self.clock_ns),
            "sensitivity": [run.as_json(self.clock_ns) for run in self.runs[1:]],
            "quantizer": self.quantizer.as_json(self.clock_ns) if self.quantizer else None,
            "nodes_nm": list(self.nodes),
            "scaled": {
                "nm": self.target[0],
                "volts": self.target[1],
                "rules": [one.as_json() for one in self.scaled],
            },
            "paper": {
                "fj_per_mac": PAPER_FJ,
                "tops_per_watt": PAPER_TOPS_PER_WATT,
                "source": "arXiv 2512.12930",
            },
            "counted": list(COUNTED),
            "not_counted": list(NOT_COUNTED),
            "tools": dict(self.tools),
        }


def stored(parts: Sequence[PartEnergy]) -> list[dict[str, Any]]:
    """Parts as `restored` takes them."""
    return [asdict(part) for part in parts]


def restored(content: Sequence[Mapping[str, Any]]) -> tuple[PartEnergy, ...]:
    """Parts as `stored` gave them."""
    return tuple(PartEnergy(**one) for one in content)
