"""What a run of `sevedo quantize` shows: layers by their kind, bars with errors on a terminal and nothing off it."""

from __future__ import annotations

import functools

import pytest
import torch
from rich.console import Console

from sevedo.gen.config import preset
from sevedo.gen.quantize import show
from sevedo.ref.flow.store import LayerRecord, Progress
from sevedo.ref.linear import quantize_linear

STEPS = [
    Progress("calibrate", "", 2, 2, 0.0, 0.0),
    Progress("layer", "blocks.0.attn_q", 1, 2, 0.25, 0.125),
    Progress("tune", "", 3, 4, 0.5, 0.0625),
]


def test_kinds_of_layers() -> None:
    names = ("blocks.11.attn_q", "3", "a1.b", "0.1.x2")
    assert [show.kind_of(name) for name in names] == ["blocks.*.attn_q", "*", "a1.b", "*.*.x2"]


def test_table_of_kinds() -> None:
    layer = quantize_linear(torch.ones(3, 5), None, None, preset("tiny"), 2)
    layers = {f"blocks.{i}.q": layer for i in range(3)} | {"head": layer}
    records = {f"blocks.{i}.q": LayerRecord(0.5, 0.1 * i, 0.0) for i in range(3)}
    console = Console(width=120, record=True)
    console.print(show.table(layers, records))
    rows = [line for line in console.export_text().splitlines() if "5 x 3" in line]
    assert [row.split("│")[1:8] for row in rows] == [
        [" blocks.*.q ", "      3 ", " 5 x 3 ", "    2 ", "       50.00% ", " 10.00% ", " 20.00% "],
        [" head       ", "      1 ", " 5 x 3 ", "    2 ", "        0.00% ", "  0.00% ", "  0.00% "],
    ]


@pytest.mark.parametrize("terminal", [True, False])
def test_bars(terminal: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(show, "Console", functools.partial(Console, force_terminal=terminal, width=160))
    with show.bars() as step:
        for each in STEPS:
            step(each)
    told = capsys.readouterr()
    assert told.out == ""
    parts = ("calibration", "layers", "tuning", "blocks.0.attn_q: 25.00% -> 12.50%", "loss 0.0625")
    assert [part in told.err for part in parts] == [terminal] * len(parts)
