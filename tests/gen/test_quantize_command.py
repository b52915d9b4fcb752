"""`sevedo quantize`: from a checkpoint to an artefact that runs; interrupted and continued; every mistake one line."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from small_checkpoints import (
    BERT_CONFIG,
    bert_tensors,
    llama_tensors,
    write_folder,
    write_gguf,
)

from sevedo.gen.cli import USER_ERROR, main
from sevedo.gen.commands.quantize import STEPS
from sevedo.ref.artefact import load
from sevedo.ref.checkpoint import read
from sevedo.ref.flow.recipe import Recipe

QUICK = ("--rank", "4", "--no-tuning")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A GGUF file of a random Llama model, and a text that is long enough for it."""
    folder = tmp_path_factory.mktemp("model")
    rng = random.Random(5)
    words = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(1, 5))) for _ in range(60)]
    lines = [" ".join(rng.choices(["the", "an", *words], k=12)) for _ in range(60)]
    (folder / "text.txt").write_text("\n".join(lines))
    (folder / "short.txt").write_text("\n".join(lines[:3]))
    return write_gguf(folder / "m.gguf")


def quantize(*arguments: object) -> int:
    """The command; its exit code."""
    with pytest.raises(SystemExit) as done:
        main(["quantize", *map(str, arguments)])
    return int(done.value.code or 0)


def test_a_model_becomes_an_artefact_that_runs(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = model.with_name("text.txt")
    options = (model, "--out", tmp_path / "a", "--calibration", text, "--calibration-tokens", 1024, *QUICK)
    assert quantize(*options) == 0
    told = capsys.readouterr()
    assert "blocks.*.attn_q" in told.out
    assert "14 layers" in told.out
    assert told.err == ""
    found = load(tmp_path / "a")
    linears = {n: m for n, m in read(model).module.named_modules() if isinstance(m, torch.nn.Linear)}
    assert list(found.layers) == list(linears)
    assert found.facts["model"]["name"] == "m.gguf"
    assert found.facts["calibration"]["tokens"] == 1024
    assert found.facts["recipe"] == Recipe(rank=4, classes="fp16", tune_steps=0).to_json()
    x = torch.randn(50, 32)
    for name in ("blocks.0.attn_q", "blocks.1.ffn_up"):
        expected = linears[name](x).double()
        given = found.layers[name].run(x).output
        assert float((given - expected).norm() / expected.norm()) < 0.35
    for record in found.records.values():
        assert 0 < record["after"] < record["before"] < 1
    assert quantize(*options[:2], tmp_path / "b.safetensors", *options[3:]) == 0
    one, two = tmp_path / "a" / "artefact.safetensors", tmp_path / "b.safetensors"
    assert one.read_bytes() == two.read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "b.json", "b.safetensors"]


def test_steps_can_be_switched_off(model: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text('rank = 3\nrounding = "nearest"\n')
    text = model.with_name("text.txt")
    switches = [f"--no-{name}" for name in STEPS if name != "low-rank"]
    common = (model, "--calibration", text, "--calibration-tokens", 512)
    assert quantize(*common, "--out", tmp_path / "a", *switches, "--rank", 2) == 0
    found = load(tmp_path / "a").facts["recipe"]
    assert found == Recipe(2, "none", "fp16", rounding="nearest", clips=(1.0,), tune_steps=0).to_json()
    assert quantize(*common, "--out", tmp_path / "b", "--recipe", recipe, "--no-low-rank", "--no-tuning") == 0
    assert (
        load(tmp_path / "b").facts["recipe"]
        == Recipe(0, classes="fp16", rounding="nearest", tune_steps=0).to_json()
    )
    assert {layer.rank for layer in load(tmp_path / "b").layers.values()} == {0}


def test_a_bert_from_a_folder(model: Path, tmp_path: Path) -> None:
    write_folder(tmp_path / "m", bert_tensors(), BERT_CONFIG | {"max_position_embeddings": 64})
    text = model.with_name("text.txt")
    out, recipe = tmp_path / "a.safetensors", tmp_path / "recipe.json"
    recipe.write_text(json.dumps({"rank": 6, "classes": "svd-mp", "fp_rank": 2, "int8_rank": 2}))
    assert quantize(
        tmp_path / "m", "--out", out, "--calibration", text, "--calibration-tokens", 600, "--scheme", "mx",
        "--recipe", recipe, "--no-tuning",
    ) == 0  # fmt: skip
    found = load(out)
    assert len(found.layers) == 12
    assert found.config.groups.scheme == "mx"
    assert found.facts["recipe"]["classes"] == "svd-mp"
    ranks = [(layer.rank, *(part.ranks for part in layer.classes)) for layer in found.layers.values()]
    assert {sum(each) for each in ranks} == {6}
    assert any(len(each) > 1 for each in ranks)


def test_mistakes_are_one_line_and_leave_nothing(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text, out = model.with_name("text.txt"), tmp_path / "out"
    (tmp_path / "bad.json").write_text('{"ranks": 3}')
    (tmp_path / "bad.toml").write_text("rank = ")
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9 " * 9)
    (tmp_path / "blank.txt").write_text(" \n\n")
    (tmp_path / "m.pt").write_bytes(model.read_bytes())
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(model.read_bytes()[:-100])
    nan = llama_tensors() | {"blk.1.ffn_up.weight": torch.full((64, 32), torch.nan)}
    write_gguf(tmp_path / "nan.gguf", nan)
    write_gguf(tmp_path / "large.gguf", llama_tensors() | {"blk.1.ffn_up.weight": 1e7 * torch.randn(64, 32)})
    kept = {p: p.read_bytes() for p in tmp_path.iterdir()}
    given = ("--calibration", text)
    cases: list[tuple[tuple[object, ...], str]] = [
        (
            (model, "--calibration", model.with_name("short.txt")),
            "tokens that can be used; at least 512 are needed: 2",
        ),
        ((model, *given, "--calibration-tokens", 100), "calibration-tokens=100 must be at least 512"),
        ((model, "--calibration", tmp_path / "latin.txt"), "must be text in UTF-8"),
        ((model, "--calibration", tmp_path / "blank.txt"), "holds no text"),
        ((model, "--calibration", tmp_path / "none.txt"), "must be an existing file"),
        ((model, *given, "--recipe", tmp_path / "bad.json"), "recipe field 'ranks' is unknown"),
        ((model, *given, "--recipe", tmp_path / "bad.toml"), "must be TOML"),
        ((model, *given, "--recipe", text), "must end in .json or .toml"),
        ((model, *given, "--rank", 2, "--no-low-rank"), "rank=2 and --no-low-rank contradict"),
        ((cut, *given), "is cut short"),
        ((tmp_path / "m.pt", *given), "is a pickle"),
        ((tmp_path / "nan.gguf", *given), "tensor blk.1.ffn_up.weight holds 2048 NaN or infinite values"),
        # Layers before it are finished by then; they go too, no run could use them.
        ((tmp_path / "large.gguf", *given, *QUICK), "scales or factors are beyond their formats: the weight"),
        (
            (tmp_path / "no.gguf", *given),
            "must be an existing file or folder, or a packaged model: smollm2, minilm",
        ),
        ((model, *given, "--scheme", "x"), "groups.scheme='x' must be one of"),
        ((model, *given, "--rank", 5000), "rank=5000"),
    ]
    for arguments, message in cases:
        assert quantize(*arguments, "--out", out) == USER_ERROR
        told = capsys.readouterr()
        assert message in told.err, told.err
        assert (told.out, told.err.count("\n")) == ("", 1)
    assert quantize(model, *given, "--out", tmp_path / "no" / "folder") == USER_ERROR
    assert "does not exist" in capsys.readouterr().err
    assert {p: p.read_bytes() for p in tmp_path.iterdir()} == kept


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_run_continues(
    model: Path, tmp_path: Path, stop: signal.Signals, capsys: pytest.CaptureFixture[str]
) -> None:
    """Killed after some layers; the second run takes them up and ends with the bytes of an undisturbed one."""
    text = model.with_name("text.txt")
    recipe = tmp_path / "recipe.json"
    recipe.write_text('{"rank": 4, "tune_steps": 2}')
    options = (model, "--calibration", text, "--calibration-tokens", 1024, "--recipe", recipe)
    assert quantize(*options, "--out", tmp_path / "whole") == 0
    arguments = [*map(str, options), "--out", str(tmp_path / "cut")]
    # Layers of so small a model are done at once: each one waits a little after it is kept.
    slow = (
        # A runner in the background may have left interrupts ignored, which a child inherits.
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "import time; from sevedo.ref.artefact import PartialStore as S; old = S.save\n"
        "S.save = lambda *a: (old(*a), time.sleep(0.2)); from sevedo.gen.cli import main\n"
        f"main({['quantize', *arguments]!r})"
    )
    process = subprocess.Popen([sys.executable, "-c", slow], stderr=subprocess.PIPE, text=True)
    partial, deadline = tmp_path / "cut.partial", time.monotonic() + 120
    while len(list(partial.glob("blocks*"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(process.pid, stop)
    _, errors = process.communicate()
    if stop == signal.SIGINT:
        assert process.returncode == 130
        assert f"finished layers are kept in {partial}" in errors
    assert not (tmp_path / "cut").exists()
    kept = len(list(partial.glob("*.safetensors")))
    assert 3 <= kept < 14
    capsys.readouterr()
    assert quantize(*options, "--out", tmp_path / "cut", "--no-smoothing") == USER_ERROR
    assert "keeps layers of another run (recipe differs); --restart drops them" in capsys.readouterr().err
    assert quantize(*options, "--out", tmp_path / "cut") == 0
    assert f"{partial} has {kept} finished layers" in capsys.readouterr().err
    assert not partial.exists()
    whole, cut = (tmp_path / name / "artefact.safetensors" for name in ("whole", "cut"))
    assert whole.read_bytes() == cut.read_bytes()
    records = [json.loads(p.with_suffix(".json").read_text())["layers"] for p in (whole, cut)]
    for one, two in zip(records[0].values(), records[1].values(), strict=True):
        assert {**one, "seconds": 0} == {**two, "seconds": 0}
