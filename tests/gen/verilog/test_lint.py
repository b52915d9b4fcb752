"""Verilator's lint: the generated Verilog is clean, every waiver has a reason, and real mistakes are told."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sevedo.gen.config import preset, preset_names
from sevedo.gen.verilog.design import generate, generate_processor
from sevedo.gen.verilog.lint import WAIVERS, lint


def test_generated_verilog_is_clean(tmp_path: Path) -> None:
    design = generate(preset("tiny"))
    file = tmp_path / "core.v"
    file.write_text(design.verilog)
    assert design.verilog.count("\nmodule ") > 10
    assert lint(file, design.top) == []
    assert lint(file, design.top, gates=False) == []


@pytest.mark.parametrize("name", preset_names())
def test_every_signal_has_a_name(name: str) -> None:
    """Amaranth calls a signal whose name it cannot see ``$signal``."""
    verilog = generate_processor(preset(name)).verilog
    assert verilog.count("\nmodule ") > 10
    assert re.findall(r".*[$]signal.*", verilog) == []


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        ("assign y = a", "syntax error"),
        ("assign y = a; assign y = b;", "MULTIDRIVEN|CONTASSREG|UNOPTFLAT|driven"),
        ("wire [3:0] z; assign y = z;", "UNDRIVEN"),
        ("wire [3:0] z = {a, 1'b0}; assign y = z;", "WIDTHTRUNC"),
        ("wire [2:0] z = a[2:0]; assign y = z;", "WIDTHEXPAND"),
        ("reg [3:0] z; always @* if (a[0]) z = b; assign y = z;", "LATCH"),
        ("wire [3:0] z; assign z = y; assign y = z + a;", "UNOPTFLAT"),
        ("unknown u (.a(a), .b(b), .y(y));", "MODMISSING|Cannot find"),
        ("logic [3:0] z; assign z = a; assign y = z;", "logic|syntax error"),
    ],
)
def test_mistakes_are_told(tmp_path: Path, body: str, rule: str) -> None:
    file = tmp_path / "bad.v"
    file.write_text(f"module bad (input [3:0] a, input [3:0] b, output [3:0] y);\n  {body}\nendmodule\n")
    messages = lint(file, "bad")
    assert len(messages) >= 1
    assert re.search(rule, "\n".join(messages))


def test_every_waiver_has_a_reason() -> None:
    blocks = WAIVERS.read_text().strip().split("\n\n")
    for block in blocks[1:]:
        lines = block.splitlines()
        assert lines[0].startswith("// ")
        assert lines[-1].startswith("lint_off -rule ")
    assert sum(line.startswith("lint_off") for block in blocks for line in block.splitlines()) == 9
