"""A compiled program on disk: it comes back as it was, and is refused when anything of it was changed."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest
from layers import activations
from programs import execute, random_layers

from sevedo.gen.cli import UserError, cli, main
from sevedo.gen.compile import (
    Compiled,
    CompileError,
    compile_layers,
    load_compiled,
    save_compiled,
    shared_inputs,
)
from sevedo.gen.compile.description import checksum, text_of
from sevedo.gen.config import preset, preset_text
from sevedo.ref.artefact import Artefact, save

TINY = preset("tiny")


@pytest.fixture(scope="module")
def compiled() -> Compiled:
    return compile_layers(random_layers(TINY, 5, 2)[0], TINY, 5)


def test_it_comes_back(compiled: Compiled, tmp_path: Path) -> None:
    save_compiled(tmp_path / "a", compiled, {"model": {"name": "m"}})
    assert load_compiled(tmp_path / "a") == compiled
    assert sorted(each.name for each in (tmp_path / "a").iterdir()) == ["image.bin", "program.json"]
    assert json.loads((tmp_path / "a/program.json").read_text())["facts"] == {"model": {"name": "m"}}
    save_compiled(tmp_path / "a", compiled)
    assert load_compiled(tmp_path / "a") == compiled
    assert [each.name for each in tmp_path.iterdir()] == ["a"]


def test_equal_programs_are_equal_bytes(compiled: Compiled, tmp_path: Path) -> None:
    for name in "ab":
        save_compiled(tmp_path / name, compiled)
    for file in ("image.bin", "program.json"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def check_refused(folder: Path, message: str) -> None:
    with pytest.raises(CompileError, match=message) as error:
        load_compiled(folder)
    assert "\n" not in str(error.value)


def test_what_was_cut_short_is_refused(compiled: Compiled, tmp_path: Path) -> None:
    folder = tmp_path / "a"
    for file in ("image.bin", "program.json"):
        save_compiled(folder, compiled)
        whole = (folder / file).stat().st_size
        for keep in (0, 1, 100, whole - 1):
            save_compiled(folder, compiled)
            (folder / file).write_bytes((folder / file).read_bytes()[:keep])
            check_refused(
                folder, rf"{file} (has \d+ bytes; program.json says|is not JSON, or cut short|was changed)"
            )
        save_compiled(folder, compiled)
        (folder / file).unlink()
        check_refused(folder, rf"{file} (cannot be read|must be a file)")


def test_what_was_changed_is_refused(compiled: Compiled, tmp_path: Path) -> None:
    folder, rng = tmp_path / "a", random.Random(3)
    save_compiled(folder, compiled)
    image = (folder / "image.bin").read_bytes()
    for _ in range(50):
        place = rng.randrange(len(image))
        (folder / "image.bin").write_bytes(
            image[:place] + bytes([image[place] ^ 1 << rng.randrange(8)]) + image[place + 1 :]
        )
        check_refused(folder, r"image\.bin has SHA-256")
    (folder / "image.bin").write_bytes(image)
    text = (folder / "program.json").read_text()
    digits = [place for place, each in enumerate(text) if each.isdigit()]
    for place in rng.sample(digits, 100):
        other = str((int(text[place]) + 1) % 10)
        (folder / "program.json").write_text(text[:place] + other + text[place + 1 :])
        check_refused(folder, "was changed|schema=|image|not JSON")
    (folder / "program.json").write_text(text)
    assert load_compiled(folder) == compiled


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "schema=None must be 1"),
        ("[" * 100000, "is not JSON"),
        ('{"schema": 1}', "was changed"),
        ('{"schema": 2}', "schema=2 must be 1"),
        ('{"schema": 1, "sha256": NaN}', "was changed"),
    ],
)
def test_what_is_no_description_is_refused(
    compiled: Compiled, tmp_path: Path, text: str, message: str
) -> None:
    save_compiled(tmp_path / "a", compiled)
    (tmp_path / "a/program.json").write_text(text)
    check_refused(tmp_path / "a", message)


@pytest.mark.parametrize("key", ["configuration", "tokens", "program", "data", "inputs", "layers"])
def test_a_right_checksum_of_nonsense_is_refused(compiled: Compiled, tmp_path: Path, key: str) -> None:
    folder = tmp_path / "a"
    save_compiled(folder, compiled)
    found = json.loads((folder / "program.json").read_text())
    for value in (None, [1], {"a": 1}, "x"):
        changed = found | {key: value}
        changed["sha256"] = checksum(changed)
        (folder / "program.json").write_text(text_of(changed))
        check_refused(folder, "is no compiled program of this version")


@pytest.mark.parametrize(
    "change",
    [
        {"tokens": 0}, {"tokens": 6}, {"tokens": 10**30}, {"data": {"bytes": 8}},
        {"program": {"offset": -32, "instructions": 3}}, {"program": {"offset": 0, "instructions": 0}},
        {"program": {"offset": 0, "instructions": 10**9}},
        {"inputs": {"fc0": {"offset": 4, "pitch": 8, "numbers": 1}}},
        {"inputs": {"fc0": {"offset": 0, "pitch": 8, "numbers": 5}}},
        {"inputs": {"fc0": {"offset": -8, "pitch": 8, "numbers": 1}}},
    ],
)  # fmt: skip
def test_places_that_are_not_there_are_refused(
    compiled: Compiled, tmp_path: Path, change: dict[str, object]
) -> None:
    save_compiled(tmp_path / "a", compiled)
    changed = json.loads((tmp_path / "a/program.json").read_text()) | change
    changed["sha256"] = checksum(changed)
    (tmp_path / "a/program.json").write_text(text_of(changed))
    check_refused(tmp_path / "a", "is no compiled program of this version: .* is not in")


def test_other_folders_are_left_alone(compiled: Compiled, tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes/todo.txt").write_text("keep me")
    (tmp_path / "file").write_text("keep me")
    for name in ("notes", "file"):
        with pytest.raises(CompileError, match="must be a new folder, or one with a compiled program"):
            save_compiled(tmp_path / name, compiled)
    assert (tmp_path / "notes/todo.txt").read_text() == "keep me"
    assert (tmp_path / "file").read_text() == "keep me"


def test_inputs_must_be_all_there(compiled: Compiled) -> None:
    good = {name: np.zeros((5, region.numbers), np.uint16) for name, region in compiled.inputs.items()}
    assert len(compiled.data(good)) == compiled.data_bytes
    for change, message in (
        ({"fc9": good["fc0"]}, "input fc9 is unknown"),
        ({"fc0": good["fc0"][:3]}, r"input fc0 is uint16 \[3, \d+\]; it must be integers \[5, \d+\]"),
        ({"fc0": good["fc0"].astype(float)}, "input fc0 is float64"),
    ):
        with pytest.raises(CompileError, match=message):
            compiled.data(good | change)
    with pytest.raises(CompileError, match="input fc1 is missing"):
        compiled.data({"fc0": good["fc0"]})
    with pytest.raises(CompileError, match="layer=nope must be one of fc0, fc1"):
        compiled.layer("nope")


def test_shared_inputs_of_known_models() -> None:
    bert = [f"b.attention.self.{name}" for name in ("query", "key", "value")] + ["b.output.dense"]
    assert shared_inputs("bert", bert) == {bert[1]: bert[0], bert[2]: bert[0]}
    llama = [f"blocks.0.{name}" for name in ("attn_q", "attn_k", "ffn_gate", "ffn_up", "ffn_down")]
    assert shared_inputs("llama", llama) == {llama[1]: llama[0], llama[3]: llama[2]}
    assert shared_inputs("other", llama) == shared_inputs(None, llama) == {}


def run_command(*args: object) -> None:
    cli.main(["compile", *map(str, args)], standalone_mode=False)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    layers, x = random_layers(TINY, 8, 3)
    names = ["b.attention.self.query", "b.attention.self.key", "b.output.dense"]
    layers = dict(zip(names, [layers["fc0"], layers["fc0"], layers["fc2"]], strict=True))
    save(
        tmp_path / "artefact", Artefact(TINY, layers, {"model": {"kind": "bert", "name": "m", "sha256": ""}})
    )
    run_command(tmp_path / "artefact", "--out", tmp_path / "out", "--tokens", 6)
    assert "3 layers for 6 tokens" in capsys.readouterr().out
    found = load_compiled(tmp_path / "out")
    assert list(found.inputs) == [names[0], names[2]]
    x = {name: activations(6, layers[name].inputs, "normal", n) for n, name in enumerate(found.inputs)}
    report, _, outputs = execute(found, x)
    assert report.done
    for name, each in layers.items():
        source = x[name] if name in x else x[names[0]]
        assert (outputs[name] == each.run(source).output_bits.numpy()).all()


def test_the_command_refuses_another_kind_of_numbers(tmp_path: Path) -> None:
    save(tmp_path / "artefact", Artefact(TINY, random_layers(TINY, 8, 1)[0]))
    for old, new, message in (
        ("coarse = 64", "coarse = 32", "config: groups.coarse=32 must be 64, as in the artefact"),
        ('data = "fp16"', 'data = "bf16"', "config: numbers.data=bf16 must be fp16, as in the artefact"),
    ):
        (tmp_path / "mine.toml").write_text(preset_text("tiny").replace(old, new))
        with pytest.raises(UserError) as error:
            run_command(tmp_path / "artefact", "--config", tmp_path / "mine.toml", "--out", tmp_path / "out")
        assert str(error.value) == message
    assert not (tmp_path / "out").exists()


def test_mistakes_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bad.s").write_text("END\nNOPE\n")
    save(tmp_path / "artefact", Artefact(TINY, random_layers(TINY, 8, 1)[0]))
    for args, message in (
        (["compile", "nowhere", "--out", "x"], "nowhere/artefact.json must be a file"),
        (["compile", "nowhere", "--out", "."], "out=. must name a folder of its own"),
        (
            ["compile", str(tmp_path / "artefact"), "--out", str(tmp_path / "o"), "--tokens", "100000"],
            "tokens=100000 must be between 1 and limits.tokens=65536",
        ),
        (["program", "disassemble", str(tmp_path)], f"{tmp_path}/program.json must be a file"),
        (["program", "disassemble", "nowhere"], "nowhere must be a file"),
        (
            ["program", "assemble", str(tmp_path / "bad.s"), "--out", "x"],
            "line 2: instruction=NOPE must be one of",
        ),
    ):
        with pytest.raises(SystemExit) as stop:
            main(args)
        assert stop.value.code == 2
        said = capsys.readouterr()
        assert said.err.startswith(f"sevedo: error: {message}")
        assert said.err.count("\n") == 1
        assert said.out == ""
