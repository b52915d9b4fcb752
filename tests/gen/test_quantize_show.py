"""What a run of `sevedo quantize` shows: layers by their kind, bars with errors on a terminal, lines off it."""

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


def test_lines_off_a_terminal() -> None:
    """A line when both 30 s and a tenth of the stage have passed; the time left from the stage's own pace."""
    now = 0.0
    told: list[str] = []
    lines = show.Lines(told.append, lambda: now)

    def run(stage: str, count: int, seconds: float, first: int = 1) -> list[str]:
        nonlocal now
        told.clear()
        for index in range(first, count + 1):
            now += seconds
            lines(Progress(stage, f"l{index}", index, count, 0.25, 0.125))
        return list(told)

    assert run("calibrate", 20, 1.0) == []
    # 20 s of the calibration are since the last line too; the stage's own pace gives the time left.
    assert run("layer", 20, 8.0) == [
        "sevedo: layers 2/20, l2: 25.00% -> 12.50%, 0:02:24 left",
        *(
            f"sevedo: layers {i}/20, l{i}: 25.00% -> 12.50%, {f'0:0{s // 60}:{s % 60:02}'} left"
            for i, s in ((6, 112), (10, 80), (14, 48), (18, 16))
        ),
    ]
    assert run("tune", 100, 20.0)[0] == "sevedo: tuning 10/100, loss 0.1250, 0:30:00 left"
    assert len(told) == 10
    # An interrupted run goes on with layer 91: a tenth of the stage takes until 100, with nothing left.
    assert run("layer", 100, 60.0, 91) == ["sevedo: layers 100/100, l100: 25.00% -> 12.50%, 0:00:00 left"]


def test_lines_come_from_a_long_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(show, "SECONDS", 0.0)
    with show.bars() as step:
        for each in STEPS:
            step(each)
    told = capsys.readouterr()
    assert told.out == ""
    lines = told.err.splitlines()
    assert [line.rsplit(", ", 1)[0] for line in lines] == [
        "sevedo: calibration 2/2",
        "sevedo: layers 1/2, blocks.0.attn_q: 25.00% -> 12.50%",
        "sevedo: tuning 3/4, loss 0.0625",
    ]
    assert all(line.endswith(" left") for line in lines)
