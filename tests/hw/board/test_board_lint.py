"""The Verilog of a whole board: the same each time, and clean."""

from __future__ import annotations

from pathlib import Path

from small_processor import small_config

from sevedo.gen.boards.board import Setting, board_named
from sevedo.gen.boards.plan import board_verilog
from sevedo.gen.verilog.lint import lint


def test_board_verilog_is_clean(tmp_path: Path) -> None:
    setting = Setting.of(board_named("ulx3s-85f"), small_config(), memory_kib=16)
    text = board_verilog(setting)
    assert text.count("\nmodule board (") == 1
    (tmp_path / "board.v").write_text(text)
    assert lint(tmp_path / "board.v", "board") == []
