"""`sevedo estimate`: its table, its JSON, and every mistake as one line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from sevedo.gen.cli import main
from sevedo.gen.commands.estimate import MODEL_NAMES
from sevedo.gen.estimate import MODELS

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """The command line in this process: exit code, standard output, standard error."""

    def call(*args: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as stopped:
            main(["estimate", *args])
        return int(stopped.value.code or 0), *capsys.readouterr()

    return call


def test_table_and_json_agree(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "cycles.json"
    code, output, errors = run(
        *("--config", "core", "--model", "vit-base", "--shape", "1,4096,4096", "--rank", "0"),
        *("--clock-mhz", "500", "--json", str(file)),
    )
    assert (code, errors) == (0, "")
    content = json.loads(file.read_text())
    assert (content["schema"], content["clock_mhz"], content["configuration"]["rmc"]["rows"]) == (1, 500, 16)
    vit, shapes = content["workloads"]
    assert [each["count"] for each in vit["layers"]] == [48, 12, 12]
    assert [each["cycles"] for each in vit["layers"]] == [29987, 119843, 119843]
    assert vit["total"]["cycles"] == 48 * 29_987 + 24 * 119_843
    assert vit["total"]["milliseconds"] == pytest.approx(vit["total"]["cycles"] / 500e3)
    macs = 12 * 197 * (4 * 768**2 + 2 * 768 * 3072)
    assert vit["total"]["macs"] == macs
    assert vit["total"]["gmac_per_second"] == pytest.approx(macs / vit["total"]["cycles"] / 2)
    assert vit["total"]["utilization"] == pytest.approx(macs / vit["total"]["cycles"] / 4096)
    decode = shapes["layers"][0]
    assert decode["bound"] == "token columns: 1 of 16 busy (decode)"
    assert decode["operand_bytes_per_cycle"]["w"] == pytest.approx(138 * decode["busy_share"])
    assert {(each["rows"], each["cols"]) for each in vit["mappings"]} >= {(16, 16), (32, 8), (256, 1)}
    for text in ("29,987", "119,843", decode["bound"], "* 16 x 16", "5.3 + 0.0", "1.5 + 0.0"):
        assert text in output


def test_every_model_by_default(run: Run) -> None:
    code, output, _ = run("--tokens", "8", "--config", "tiny")
    assert code == 0
    assert tuple(MODELS) == MODEL_NAMES
    for name in MODEL_NAMES:
        assert f"{name}, T = 8" in output


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (["--model", "bert"], "Invalid value for '--model'"),
        (["--shape", "1,2"], "shape=1,2 must be T,K,N or T,K,N,rank"),
        (["--shape", "1,64,64,65"], "shape=1,64,64,65: rank 65 must be at most min(K, N)=64"),
        (["--shape", "1,128,128,65"], "rank=65 must be at most lvc.max_rank=64"),
        (["--shape", "99999,64,64"], "tokens T=99999 must be at most limits.tokens=65536"),
        (["--model", "vit-base", "--tokens", "99999"], "tokens T=99999 must be at most limits.tokens=65536"),
        (["--model", "vit-base", "--rank", "65"], "rank=65 must be at most lvc.max_rank=64"),
        (["--shape", "1,1,1", "--weight-passes", "2"], "weight_passes=2 must be at most rmc.weight_passes=1"),
        (["--clock-mhz", "0"], "clock-mhz=0 must be above 0"),
        (["--clock-mhz", "nan"], "clock-mhz=nan must be above 0"),
        (["--json", "/nowhere/f.json"], "json=/nowhere/f.json"),
    ],
)
def test_mistake_is_one_line(run: Run, args: list[str], expected: str) -> None:
    code, output, errors = run(*args)
    assert (code, output) == (2, "")
    assert errors.startswith(f"sevedo: error: {expected}")
    assert errors.count("\n") == 1
