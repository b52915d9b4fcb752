"""What a run took and what it would take at least: by layer, by unit and in all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sevedo.gen.compile import Compiled, CompiledLayer
from sevedo.gen.config import Config
from sevedo.gen.config.instructions import Unit
from sevedo.gen.estimate import LayerShape, predict
from sevedo.sim.activity import Activity, State

from .program import Moved, ProgramSteps


@dataclass(frozen=True)
class Bound:
    """The fewest cycles that something can take.

    Members
    -------
    array : cycles in which the array takes a beat, of `sevedo estimate`
    bandwidth : bytes that must be moved, over what DRAM and bus move in a cycle
    """

    array: int
    bandwidth: float

    @property
    def cycles(self) -> float:
        """The larger one."""
        return max(self.array, self.bandwidth)

    @property
    def name(self) -> str:
        """Which one it is."""
        return "array" if self.array >= self.bandwidth else "bandwidth"

    def data(self, cycles: int) -> dict[str, Any]:
        """Plain data, with the share of `cycles` that it is."""
        return asdict(self) | {"name": self.name, "share": self.cycles / cycles if cycles else None}


@dataclass(frozen=True)
class LayerFigures:
    """A layer of a run.

    Members
    -------
    cycles : from the end of the MATMUL before to the end of its own, summed over its column tiles
    states : of unit MATMUL, for its instructions
    """

    layer: CompiledLayer
    cycles: int
    states: Mapping[State, int]
    moved: Moved
    bound: Bound


@dataclass(frozen=True)
class RunFigures:
    """A whole run: `cycles` from the first to the last cycle in which a unit had an instruction, both counted."""

    compiled: Compiled
    cycles: int
    states: Mapping[Unit, Mapping[State, int]]
    moved: Moved
    bound: Bound
    layers: tuple[LayerFigures, ...]

    @classmethod
    def of(cls, compiled: Compiled, activity: Activity, cycles: int, bandwidth: float) -> RunFigures:
        """From a trace.

        Parameters
        ----------
        cycles : of the whole run, as the processor counted them
        bandwidth : bytes in a cycle of the DRAM
        """
        steps, config = ProgramSteps(compiled), compiled.config
        spent, states = _layer_cycles(steps, activity)
        layers = []
        for layer in compiled.layers:
            moved = steps.moved(layer.name)
            array = array_cycles(config, layer, compiled.tokens)
            bound = Bound(array, bandwidth_cycles(config, moved, bandwidth))
            layers.append(LayerFigures(layer, spent[layer.name], states[layer.name], moved, bound))
        moved = steps.moved()
        bound = Bound(sum(each.bound.array for each in layers), bandwidth_cycles(config, moved, bandwidth))
        by_unit = {unit: activity.cycles(unit) for unit in Unit}
        return cls(compiled, cycles, by_unit, moved, bound, tuple(layers))

    def data(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "cycles": self.cycles,
            "bound": self.bound.data(self.cycles),
            "bytes": self.moved._asdict(),
            "layers": [
                {
                    "name": each.layer.name,
                    "tokens": self.compiled.tokens,
                    "inputs": each.layer.inputs,
                    "outputs": each.layer.outputs,
                    "ranks": [each.layer.rank, each.layer.int8_rank, each.layer.int4_rank],
                    "cycles": each.cycles,
                    "matmul": _named(each.states),
                    "bytes": each.moved._asdict(),
                    "bound": each.bound.data(each.cycles),
                }
                for each in self.layers
            ],
        }


def least_cycles(compiled: Compiled, bandwidth: float) -> float:
    """The bound of a program, before it has run."""
    array = sum(array_cycles(compiled.config, layer, compiled.tokens) for layer in compiled.layers)
    return Bound(array, bandwidth_cycles(compiled.config, ProgramSteps(compiled).moved(), bandwidth)).cycles


def array_cycles(config: Config, layer: CompiledLayer, tokens: int) -> int:
    """Cycles in which the array takes a beat of a layer."""
    shape = LayerShape(
        layer.name, tokens, layer.inputs, layer.outputs, layer.rank,
        layer.activation_digits, layer.weight_digits, 1, layer.int8_rank, layer.int4_rank,
    )  # fmt: skip
    return predict(config, shape).busy


def bandwidth_cycles(config: Config, moved: Moved, bandwidth: float) -> float:
    """Cycles that DRAM and bus take for so many bytes: the bus moves a word each way in a cycle."""
    return max(sum(moved) / bandwidth, max(moved) / config.bus.data_bytes)


def _layer_cycles(
    steps: ProgramSteps, activity: Activity
) -> tuple[dict[str, int], dict[str, dict[State, int]]]:
    spent = {layer.name: 0 for layer in steps.compiled.layers}
    states = {name: dict.fromkeys(State, 0) for name in spent}
    began = [next(activity.runs(unit), None) for unit in Unit]
    before = min((run.start for run in began if run is not None), default=activity.start)
    for run in activity.runs(Unit.MATMUL):
        name = steps.steps[run.instruction].layer
        if name is None:
            continue
        spent[name] += run.end - before
        before = run.end
        for state, count in run.cycles.items():
            states[name][state] += count
    return spent, states


def _named(states: Mapping[State, int]) -> dict[str, int]:
    return {state.name.lower(): count for state, count in states.items() if state is not State.IDLE}
