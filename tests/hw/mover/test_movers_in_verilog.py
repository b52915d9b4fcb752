"""The movers as they are emitted, in Verilator: the same as in Amaranth's simulator, and clean."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import test_activation_loader as load
import test_stream_loader as streams
from amaranth.hdl import Module
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out, connect, flipped

from sevedo.gen.config import Config, preset
from sevedo.gen.verilog.emitter import emit, verilog
from sevedo.gen.verilog.lint import lint
from sevedo.hw.mover.activation_loader import ActivationLoader
from sevedo.hw.mover.output_store import OutputStore
from sevedo.hw.mover.stream_loader import StreamLoader
from sevedo.hw.unit import Unit
from sevedo.sim.packing import unpack
from sevedo.sim.player import Player

TINY = preset("tiny")


class Writes(Unit):
    """An activation loader whose writes are a stream, which must always be ready."""

    def __init__(self, config: Config) -> None:
        self._loader = loader = ActivationLoader(config)
        places = ("target", "bank", "row", "numbers")
        shape = data.StructLayout({name: loader.signature.members[name].shape for name in places})
        members = {
            name: flow(stream.Signature(getattr(loader, name).p.shape()))
            for name, flow in (("instruction", In), ("request", Out))
        }
        members["data"] = In(stream.Signature(loader.data.p.shape()))
        super().__init__(members | {"writes": Out(stream.Signature(shape))})

    @property
    def module_name(self) -> str:
        return "writes"

    def build(self) -> Module:
        m = Module()
        m.submodules.loader = loader = self._loader
        connect(m, flipped(self.instruction), loader.instruction)
        connect(m, flipped(self.data), loader.data)
        connect(m, loader.request, flipped(self.request))
        m.d.comb += self.writes.valid.eq(loader.write)
        for name in ("target", "bank", "row", "numbers"):
            m.d.comb += self.writes.p[name].eq(getattr(loader, name))
        return m


def words(player: Player, name: str, beats: list) -> np.ndarray:
    """Beats as the player sends them: fields by name, or one number."""
    port = next(each for each in player.streams if each.name == name)
    rows = []
    for beat in beats:
        value = beat
        if isinstance(beat, dict):
            value = sum(beat[field.name] << field.offset for field in port.fields)
        rows.append([value >> 32 * n & 0xFFFFFFFF for n in range(port.words)])
    return np.array(rows, np.uint32).reshape(-1, port.words)


@pytest.mark.parametrize("unit", [StreamLoader(TINY), ActivationLoader(TINY), OutputStore(TINY)])
def test_clean(unit: Unit, tmp_path: Path) -> None:
    file = tmp_path / "unit.v"
    file.write_text(verilog(emit(unit)))
    assert lint(file, unit.module_name) == []


def test_streams() -> None:
    player = Player.of(StreamLoader(TINY))
    outputs = {each.name: each for each in player.streams if each.direction == "out"}
    for seed, stall in enumerate([(0.0, 0.0), (0.25, 0.75), (0.75, 0.25)]):
        play = streams.Play(StreamLoader(TINY), seed, 40)
        inputs: dict[str, list] = {"instruction": play.instructions, "data": play.words}
        counts = {name: len(each) for name, each in play.expected.items()} | {
            "request": len(play.instructions)
        }
        result = player.run(
            {name: words(player, name, beats) for name, beats in inputs.items()},
            counts,
            stall=stall,
            seed=seed,
        )
        for name, expected in play.expected.items():
            got = unpack(outputs[name], result.outputs[name])["data"]
            assert got.tolist() == [each["data"] for each in expected]
        if stall == (0.0, 0.0):
            count = result.counts["data"]
            assert count.last - count.first + 1 == count.beats == len(play.words) > 500


def test_activations() -> None:
    player = Player.of(Writes(TINY))
    port = next(each for each in player.streams if each.name == "writes")
    for seed, stall in enumerate([(0.0, 0.0), (0.25, 0.0), (0.75, 0.0)]):
        play = load.Play(ActivationLoader(TINY), seed, 60, shortest=TINY.bus.data_bytes)
        inputs: dict[str, list] = {"instruction": play.instructions, "data": play.words}
        result = player.run(
            {name: words(player, name, beats) for name, beats in inputs.items()},
            {"writes": len(play.writes), "request": len(play.requests)},
            stall=(stall[0], {"request": stall[0]}),
            seed=seed,
        )
        got = unpack(port, result.outputs["writes"])
        for index, (target, bank, row, numbers) in enumerate(play.writes):
            assert (got["target"][index], got["bank"][index], got["row"][index]) == (target, bank, row)
            assert got["numbers"][index].tolist()[: len(numbers)] == numbers
        if not stall[0]:
            count = result.counts["data"]
            assert count.last - count.first + 1 == count.beats == len(play.words) > 500
