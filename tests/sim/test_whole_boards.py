"""Whole boards as they are built: preset `fpga` on a slice of MiniLM, the netlist after synthesis, real builds."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import torch
from board_runs import save, simulate, ulx3s
from small_processor import good_program, small_config

from sevedo.gen.boards.board import Setting, board_named
from sevedo.gen.boards.build import build
from sevedo.gen.boards.plan import plan
from sevedo.gen.compile import compile_layers
from sevedo.gen.config import Config, preset
from sevedo.ref.linear import quantize_linear
from sevedo.ref.machine import run as run_machine
from sevedo.ref.models.minilm import MiniLM
from sevedo.ref.rounding import encode
from sevedo.ref.workloads import SENTENCES
from sevedo.sim.board.netlist import PLL, netlist_sources

pytestmark = pytest.mark.board


def minilm_slice(folder: Path, config: Config, inputs: int, outputs: int, tokens: int) -> None:
    """A part of a real layer with real activations, compiled, and what the golden machine makes of it."""
    model = MiniLM()
    first, calibration = (model.block_layers(sentence, 0)[0] for sentence in SENTENCES[:2])
    weight = first.weight.detach()[:outputs, :inputs].double()
    bias = None if first.bias is None else first.bias.detach()[:outputs].double()
    x = first.activations.detach()[:tokens, :inputs].double()
    layer = quantize_linear(weight, bias, calibration.activations.detach()[:, :inputs].double(), config, 4)
    compiled = compile_layers({first.name: layer}, config, tokens)
    data = compiled.data({first.name: encode(x, config.numbers.data_format).numpy()})
    before = bytes(data)
    assert run_machine(config, compiled.image, data, compiled.program).done
    golden = layer.run(x).output_bits
    assert torch.equal(torch.from_numpy(compiled.outputs(data)[first.name].astype("int64")), golden)
    assert len(golden.unique()) > golden.numel() // 2
    save(folder, compiled, before, bytes(data))


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
        ("ulx3s-25f", "mini", {"clock_mhz": 12.5, "memory_kib": 32}),
        ("tang-primer-20k", "mini", {"clock_mhz": 6.75}),
        ("ulx3s-85f", "fpga", {}),
    ],
)
def test_real_builds(tmp_path: Path, board: str, config: str, options: dict[str, float]) -> None:
    """From Python to a bitstream that meets its clock, below 60 % of the LUTs."""
    setting = Setting.of(board_named(board), preset(config), **options)
    built = build(setting, tmp_path / "built", [1, 2, 3])
    assert built.bitstream.stat().st_size > 10_000
    assert built.worst_mhz * 1e6 >= setting.clock_hz
    assert built.usage.share("luts") < 0.6
    assert (
        subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=tmp_path / "built").returncode
        == 0
    )
    timing = json.loads((tmp_path / "built" / "timing.json").read_text())
    assert len(timing["seeds"]) == 3
