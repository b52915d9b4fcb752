"""Sums of a report, what a run computes, and how mistakes of the command line are answered."""

from __future__ import annotations

import io
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from powerlib import library
from rich.console import Console

from sevedo.gen import cli
from sevedo.gen.config import Config, ConfigError
from sevedo.gen.power import show, sram
from sevedo.gen.power.activity import MemoryActivity
from sevedo.gen.power.figure import draw
from sevedo.gen.power.outline import MemoryMacro
from sevedo.gen.power.parts import CONTROL, CORE_PARTS, RESIDUAL
from sevedo.gen.power.report import PartEnergy, PowerReport, Run, restored, stored
from sevedo.gen.power.scaling import between, scaled
from sevedo.gen.power.workload import Choice, Kind, workload
from sevedo.sim.unit_runs import quantizer_run

PARTS = (
    PartEnergy(RESIDUAL, "dot products", 100, 30.0, 50.0, 0.0, 0.0, 2000.0),
    PartEnergy(RESIDUAL, "coarse-scale units", 40, 10.0, 5.0, 12.0, 9.0, 1000.0),
    PartEnergy(CONTROL, "rest of the core", 2, 1.0, 1.0, 1.5, 1.0, 0.0),
)


def a_run(kind: str = "layer", factor: float = 1.0) -> Run:
    parts = tuple(replace(part, switching=factor * part.switching) for part in PARTS)
    data = {
        "kind": kind, "meaning": kind, "model": "M", "layer": "L", "tokens": 8, "inputs": 64, "outputs": 4, "rank": 1,
        "int8_rank": 0, "int4_rank": 0,
        "statistics": dict.fromkeys(
            ("zero_activation_codes", "zero_weight_codes", "x_bits_changing", "w_bits_changing"), 0.5
        ),
    }  # fmt: skip
    return Run(data, 100, 50, 0.5, parts, 12345, (sram.MemoryEnergy("z", 10, 500.0),), ())


def a_report(name: str, nodes: tuple[float, ...], factor: float) -> PowerReport:
    run = a_run(factor=factor)
    energy = run.per_mac(5.0)
    return PowerReport(
        {"name": "mine", "fingerprint": "0"}, {"names": [name], "digest": ""}, 1.0, 5.0, 10.0, 142,
        (run, a_run("zeros", 0.1)), nodes, (28.0, 0.9), tuple(scaled(energy, nodes, 1.0, 28.0, 0.9)), {},
    )  # fmt: skip


def test_sums_add_up() -> None:
    run = a_run()
    # per cycle 30 + 50 + 10 + 5 + 1 + 1, and 3 uW over 5 ns; two cycles for each multiply-accumulate
    assert run.per_mac(5.0) == pytest.approx(2 * (97 + 15))
    assert run.per_mac(5.0, CONTROL) == pytest.approx(4)
    assert run.leakage_per_mac(5.0) == pytest.approx(30)
    assert (run.clock_per_mac(), run.idle_clock_per_mac()) == pytest.approx((27, 20))
    told = run.as_json(5.0)
    assert sum(part["fj_per_mac"] for part in told["parts"]) == pytest.approx(told["fj_per_mac"])
    assert sum(told["groups"].values()) == pytest.approx(told["fj_per_mac"])
    for part in told["parts"]:
        assert part["internal"] + part["switching"] + part["leakage"] == pytest.approx(part["fj_per_mac"])
    assert told["tops_per_watt"] == pytest.approx(2000 / 224)
    assert told["milliwatts"] == pytest.approx(112e-15 / 5e-9 * 1e3)
    assert restored(json.loads(json.dumps(stored(PARTS)))) == PARTS


def test_libraries_side_by_side() -> None:
    reports = {"old": a_report("sky130", (130.0, 180.0), 40), "new": a_report("asap7", (7.0,), 1)}
    found = show.interpolated(reports)
    assert found == pytest.approx(between((7, 224), (130, reports["old"].per_mac), 28))
    assert show.interpolated({"new": reports["new"]}) is None
    assert show.data({"new": reports["new"]}) == reports["new"].as_json()
    content = json.loads(json.dumps(show.data(reports)))
    assert content["between_libraries"]["fj_per_mac"] == pytest.approx(found)
    assert content["reports"]["new"]["sensitivity"][0]["data"]["kind"] == "zeros"
    console = Console(file=io.StringIO(), width=140)
    for line in show.lines(reports):
        console.print(line)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    for said in (
        "coarse-scale units",
        "not counted: wires",
        "Stillmaker and Baas",
        "145 fJ",
        "12,345 output bits",
    ):
        assert said in text
    assert draw(reports, "png").startswith(b"\x89PNG")
    assert b"<svg" in draw(reports, "svg")


def test_every_path_of_a_core_has_a_part() -> None:
    paths = (
        "", "rmc", "rmc/pe_0_1/dot", "rmc/pe_0_1", "rmc/sequencer", "lvc/expander_command",
        "lvc/classes/projector/array/pe_0_0/dot",
    )  # fmt: skip
    taken = {path: next(part.name for part in CORE_PARTS if part.takes(path, True)) for path in paths}
    assert taken["rmc/pe_0_1/dot"] == "dot products"
    assert taken["rmc/pe_0_1"] == "accumulation and drain"
    assert taken["rmc"] == "operand and scale registers"
    assert taken["rmc/sequencer"] == taken["lvc/expander_command"] == "sequencers and command buffers"
    assert taken["lvc/classes/projector/array/pe_0_0/dot"] == "projector's array: PEs"
    assert taken[""] == "rest of the core"
    assert not CORE_PARTS[-2].takes("rmc", True)


def test_memories_by_what_reached_them() -> None:
    memory = MemoryMacro(64, 16, True, 4, "x")
    found = sram.memories([MemoryActivity("m", "a/z_memory", 3, 5, 96)], {"m": memory}, 45, 0.9)
    assert found[0].name == "a/z"
    assert found[0].bits == 96 + 5 * 64
    assert found[0].energy == pytest.approx(found[0].bits * 156.25)


def test_workloads_are_what_they_are_called() -> None:
    config = Config.load("tiny")
    choice = Choice(tokens=4, outputs=8, rank=2)
    noise = workload(config, Kind.RANDOM, choice)
    assert (noise.choice.int8_rank, noise.choice.int4_rank) == (2, 3)
    assert noise.macs == 4 * 384 * 8
    assert noise.as_json()["layer"] is None
    assert 0.3 < noise.statistics["x_bits_changing"] < 0.7
    assert noise.statistics["zero_activation_codes"] < 0.3
    assert set(noise.run.masks) == {"y"}
    assert noise.bits["x"] == 24 * 2 * 4 * (16 * 4 + 2)
    again = workload(config, Kind.RANDOM, choice)
    assert all(np.array_equal(words, again.run.words[name]) for name, words in noise.run.words.items())
    rows = quantizer_run(noise.layer, noise.activations)
    assert len(rows.words["x"]) == len(rows.words["codes"]) == 4 * 384 // 16
    assert len(rows.words["scale"]) == 4 * 384 // 64
    # what the quantizer gives is what the array takes: the codes of the first token in its first beat
    core = noise.run.words["x"][0, :2].tolist()
    assert rows.words["codes"][0, :2].tolist() == core
    with pytest.raises(ConfigError, match="INT8 rank=9 must be at most"):
        workload(config, Kind.RANDOM, replace(choice, int8_rank=9))
    with pytest.raises(ValueError, match="outputs=1000 must be between 1 and 384"):
        workload(config, Kind.RANDOM, replace(choice, outputs=1000))


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as stopped:
        cli.main(["power", *arguments])
    assert stopped.value.code == 2
    [line] = capsys.readouterr().err.splitlines()
    return line


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "liberty must be given"),
        (["--liberty", "nowhere.lib"], "liberty=nowhere.lib cannot be read"),
        (["--layer", "7.query", "--liberty", "x"], "layer=7.query must be BLOCK.NAME"),
        (["--plot", "a.pdf", "--liberty", "x"], "plot=a.pdf must end in .png or .svg"),
        (["--json", "no/where.json"], "its folder .* does not exist"),
        (["--node", "5"], "5.0 is not in the range"),
        (["--clock-ns", "0"], "0.0 is not in the range"),
    ],
)
def test_mistakes_are_told_in_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: "/usr/bin/sta")
    assert re.search(said, refused(capsys, *arguments))


def test_synth_measures_power_of_a_core_in_a_library(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("SEVEDO_LIBERTY", raising=False)
    file = tmp_path / "toy.lib"
    file.write_text(library())
    for arguments in (["--power"], ["--power", "--unit", "pe", "--liberty", str(file)]):
        with pytest.raises(SystemExit):
            cli.main(["synth", *arguments])
        assert "power must come with a library" in capsys.readouterr().err
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(SystemExit):
        cli.main(["synth", "--power", "--liberty", str(file)])
    assert "apt-get install opensta" in capsys.readouterr().err


def test_missing_opensta_and_tables(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "toy.lib"
    file.write_text(library())
    monkeypatch.setattr(shutil, "which", lambda name: None)
    told = refused(capsys, "--liberty", str(file))
    assert "apt-get install opensta" in told
    assert "sevedo bench" in told
    monkeypatch.setattr(shutil, "which", lambda name: "/usr/bin/sta")
    twice = refused(capsys, "--liberty", str(file), "--liberty", str(file))
    assert "is library tinypower, which is given twice" in twice
    file.write_text(library(power=False))
    assert "internal_power" in refused(capsys, "--liberty", str(file))
