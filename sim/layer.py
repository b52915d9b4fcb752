"""Layers on the compiled core: golden tensors in, output bits and cycles out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sevedo.gen.config import Config
from sevedo.gen.verilog.design import generate
from sevedo.gen.verilog.manifest import StreamPort
from sevedo.ref.linear import LayerInputs, QuantizedLinear

from .packing import pack, unpack
from .player import Player, PlayResult, Repeated, StreamCounts
from .schedule import Beats, Job, schedule


@dataclass(frozen=True)
class LayerRun:
    """What a simulation of one layer gave.

    Members
    -------
    output_bits : output encodings, int64 [T, N]
    cycles : from the first beat in to the last beat out, both counted
    utilization : share of the array's multiply-accumulates in those cycles that the layer needed
    counts : what happened on every stream
    """

    output_bits: np.ndarray[Any, Any]
    cycles: int
    utilization: float
    counts: Mapping[str, StreamCounts]


@dataclass(frozen=True)
class RtlCore:
    """The Verilog of a configuration, compiled by Verilator; compiled once for the same Verilog."""

    config: Config
    player: Player
    streams: Mapping[str, StreamPort]

    @classmethod
    def build(cls, config: Config, waves: bool = False, gates: bool = False) -> RtlCore:
        """Generate and compile the core; for `waves` and `gates` see `Player`.

        Raises
        ------
        ToolError, BuildError : a tool is missing or refuses the design.
        """
        design = generate(config)
        player = Player.from_manifest(design.verilog, design.manifest, waves, gates)
        player.build()
        return cls(config, player, {stream.name: stream for stream in design.streams})

    @staticmethod
    def beats(layer: QuantizedLinear, inputs: LayerInputs) -> int:
        """Output beats of a layer: what `run` reports progress in."""
        rmc = layer.config.rmc
        tiles = -(-layer.outputs // rmc.rows) * -(-inputs.values.shape[0] // rmc.cols)
        return tiles * rmc.cols // layer.config.lvc.output_tokens

    def run(
        self,
        layer: QuantizedLinear,
        inputs: LayerInputs,
        *,
        stall: tuple[float, float] = (0.0, 0.0),
        seed: int = 0,
        progress: Callable[[int], None] | None = None,
        waves: Path | None = None,
    ) -> LayerRun:
        """Run one layer.

        Parameters
        ----------
        layer : quantized for a configuration that differs from the core's in nothing
        inputs : prepared activations
        stall : probability of a stalled cycle on the input streams and on the output stream
        progress : called with the output beats so far

        Raises
        ------
        ConfigError : the layer is too large for the configuration.
        SimulationError : the design breaks a stream rule or stands still.
        """
        if layer.config != self.config:
            raise ValueError("layer.config must be the configuration of the core")
        job = schedule(layer, inputs)
        return self._result(job, self._play(job, stall, seed, progress, waves))

    def _play(
        self,
        job: Job,
        stall: tuple[float, float],
        seed: int,
        progress: Callable[[int], None] | None,
        waves: Path | None,
    ) -> PlayResult:
        report = None if progress is None else lambda cycles, beats: progress(beats)
        words = {name: self._words(name, beats) for name, beats in job.streams.items()}
        return self.player.run(
            words, {"y": job.output_beats}, stall=stall, seed=seed, progress=report, waves=waves
        )

    def _words(self, name: str, beats: Beats) -> Repeated:
        return Repeated(pack(self.streams[name], beats.fields), beats.order)

    def _result(self, job: Job, played: PlayResult) -> LayerRun:
        values = unpack(self.streams["y"], played.outputs["y"])["payload"]
        rmc = self.config.rmc
        capacity = played.cycles * rmc.rows * rmc.cols * rmc.lanes
        return LayerRun(job.output_bits(values), played.cycles, job.macs / capacity, played.counts)
