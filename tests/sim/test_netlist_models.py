"""Models of the cells of an ECP5: a netlist with block RAM behaves as the gates that it was made of."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from link_unit import LinkUnit
from test_link_frames import play, sent

from sevedo.gen.boards import tools
from sevedo.gen.boards.plan import SYNTHESIS
from sevedo.gen.verilog.emitter import emit, verilog
from sevedo.gen.verilog.manifest import manifest
from sevedo.sim.board.netlist import with_models
from sevedo.sim.player import Player

pytestmark = pytest.mark.board


def test_a_link_as_netlist(tmp_path: Path) -> None:
    """Frames, whole and damaged, through LUTs, flip-flops, carry chains and block RAM of three shapes."""
    modules = emit(LinkUnit())
    text = verilog(modules)
    (tmp_path / "unit.v").write_text(text)
    script = [
        "read_verilog unit.v",
        f"synth_ecp5 {SYNTHESIS['ecp5']} -top link_unit",
        "tee -q -o stat.txt stat",
        "write_verilog -noattr netlist.v",
    ]
    (tmp_path / "unit.ys").write_text("\n".join(script) + "\n")
    tools.run(["yosys", "-q", "unit.ys"], tmp_path, "log")
    netlist = (tmp_path / "netlist.v").read_text()
    assert netlist.count("DP16KD #(") >= 4
    assert netlist.count("TRELLIS_FF #(") > 300
    player = Player.from_manifest(with_models(netlist), manifest(modules, text))
    device = play(player, sent(random.Random(11), 60, 60))
    assert device.good > 60
