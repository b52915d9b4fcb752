"""Whole boards as they are built: preset `fpga` on a slice of MiniLM, the netlist after synthesis, real builds."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from board_runs import minilm_slice, save, simulate, ulx3s
from small_processor import good_program, small_config

from sevedo.gen.boards.board import Setting, board_named
from sevedo.gen.boards.build import build
from sevedo.gen.boards.plan import plan
from sevedo.gen.config import preset
from sevedo.sim.board.netlist import PLL, netlist_sources

pytestmark = pytest.mark.board


@pytest.mark.parametrize("testcase", ["runs_a_layer", "survives_what_comes"])
def test_preset_fpga_runs_a_slice_of_minilm(tmp_path: Path, testcase: str) -> None:
    """The top level of the ULX3S' bitstream, through its serial pins, bit for bit."""
    config = preset("fpga")
    minilm_slice(tmp_path, config, 160, 24, 6)
    assert simulate(ulx3s(config, 192), tmp_path, testcase) == 1


def test_netlist_runs_a_layer(tmp_path: Path) -> None:
    """What place and route gets, on a short run."""
    good = good_program(small_config(), 1, 1)
    save(tmp_path, good.compiled, good.data, good.wanted)
    setting = ulx3s(small_config(), 16)
    work = tmp_path / "synthesis"
    work.mkdir()
    verilog = netlist_sources(plan(setting), work)
    assert simulate(setting, tmp_path, "runs_a_layer", verilog=verilog, pll=[PLL, "oscillator"]) == 1


@pytest.mark.parametrize(
    ("board", "config", "options"),
    [
        ("ulx3s-45f", "mini", {"clock_mhz": 12.5, "memory_kib": 32}),
        ("ulx3s-85f", "fpga", {}),
    ],
)
def test_real_builds(tmp_path: Path, board: str, config: str, options: dict[str, Any]) -> None:
    """From Python to a bitstream that meets its clock, below 60 % of the LUTs."""
    setting = Setting.of(board_named(board), preset(config), **options)
    built = build(setting, tmp_path / "built", [1, 2])
    assert built.bitstream.stat().st_size > 10_000
    assert built.worst_mhz * 1e6 >= setting.clock_hz
    assert built.usage.share("luts") < 0.6
    assert (
        subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=tmp_path / "built").returncode
        == 0
    )
    timing = json.loads((tmp_path / "built" / "timing.json").read_text())
    assert len(timing["seeds"]) == 2
