"""`sevedo report`: from files to a page, and every mistake as one line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from reporting import compare, evaluate, power, synth

from sevedo.gen.cli import main
from sevedo.gen.config import Config, preset, preset_text
from sevedo.gen.evaluate.kept import FOLDER, keep
from sevedo.gen.report import inputs

Run = Callable[..., tuple[int, str, str]]
CONFIG = preset("tiny").replace(bus__data_bytes=128, rmc__rows=4)
"""One that makes no processor (its tiles are too short for its bus): the page is about the core alone, and quick."""


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command line in a folder of its own, with nothing kept anywhere else: exit code, output, errors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sevedo.sim.toolchain.build_folder", lambda: tmp_path / "build")
    text = preset_text("tiny")
    Path("mine.toml").write_text(text.replace("data_bytes = 8 ", "data_bytes = 128 "))

    def call(*args: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as stopped:
            main(["report", "--config", "mine.toml", *args])
        return int(stopped.value.code or 0), *capsys.readouterr()

    return call


def put(name: str, content: Any) -> str:
    """A JSON file."""
    Path(name).write_text(content if isinstance(content, str) else json.dumps(content))
    return name


def test_a_page_of_all_files(run: Run) -> None:
    args = ["--synth", put("s.json", synth(CONFIG)), "--power", put("p.json", powers(CONFIG))]
    args += ["--compare", put("c.json", compare(CONFIG)), "--evaluate", put("e.json", evaluate(CONFIG))]
    code, output, errors = run(*args, "--out", "r.html")
    assert (code, errors) == (0, "")
    assert output.startswith("written: r.html (")
    assert "not measured" not in output
    page = Path("r.html").read_text()
    for told in (
        "<title>SeVeDo: mine</title>",
        "s.json",
        "p.json",
        "c.json",
        "e.json",
        "residual_matrix_core",
    ):
        assert told in page
    keep(Path("build/evaluate"), CONFIG, True, evaluate(CONFIG)["models"])
    Path("build/compare").mkdir()
    put("build/compare/compare.json", compare(CONFIG))
    code, output, _ = run("--out", "kept.html")
    assert (code, "accuracy" in output, "schemes" in output, "area" in output) == (0, False, False, True)
    page = Path("kept.html").read_text()
    assert "29.64" in page
    assert "vs-quant" in page


def test_figures_are_kept_beside_those_of_earlier_runs(tmp_path: Path) -> None:
    (model,) = evaluate(CONFIG)["models"]
    keep(tmp_path, CONFIG, True, [model])
    other = model["rows"][1] | {"label": "mx", "scheme": "mx", "perplexity": 40.0}
    newer = model["rows"][0] | {"perplexity": 29.5}
    keep(tmp_path, CONFIG, True, [{**model, "rows": [newer, other]}])
    (path,) = inputs.kept_evaluations(tmp_path / FOLDER, CONFIG)
    rows = json.loads(path.read_text())["models"][0]["rows"]
    assert [(row["label"], row["perplexity"]) for row in rows] == [
        ("fp32", 29.5), ("build/a<b>", 32.168), ("mx", 40.0),
    ]  # fmt: skip
    keep(tmp_path, CONFIG.replace(groups__coarse=128), True, [model])
    assert inputs.kept_evaluations(tmp_path / FOLDER, CONFIG) == [path], "other groups are other figures"
    path.write_text(path.read_text().replace('"code": "', '"code": "0'))
    assert inputs.kept_evaluations(tmp_path / FOLDER, CONFIG) == [], "those of other code are not taken"


def powers(config: Config) -> dict[str, Any]:
    """As `sevedo power --json` writes it."""
    between = {"fj_per_mac": 111.5, "tops_per_watt": 17.94}
    return {"schema": 1, "reports": {"asap7": power(config)}, "between_libraries": between}


def wrong(change: Callable[[dict[str, Any]], object], document: dict[str, Any]) -> dict[str, Any]:
    """A document with a mistake."""
    change(document)
    return document


OTHER = CONFIG.replace(groups__coarse=128)


@pytest.mark.parametrize(
    ("option", "content", "message"),
    [
        ("synth", "{", "synth=f.json must be JSON: "),
        ("synth", "[" * 100000, "synth=f.json must be JSON: it is nested too deeply"),
        ("synth", [], "synth=f.json: it: "),
        ("synth", {"schema": 2}, "synth=f.json: schema: input should be 1"),
        ("synth", wrong(lambda d: d.pop("modules"), synth(CONFIG)), "synth=f.json: modules: field required"),
        ("synth", wrong(lambda d: d["total"].update(area=-1), synth(CONFIG)), "synth=f.json: total.area: "),
        ("synth", synth(OTHER), f"synth=f.json is of configuration {OTHER.fingerprint:08x}; the report's is "),
        ("power", powers(OTHER), f"power=f.json is of configuration {OTHER.fingerprint:08x}"),
        ("power", {"schema": 1, "reports": {}}, "power=f.json: reports: "),
        ("compare", compare(OTHER), "compare=f.json is of another configuration: groups.coarse is 128 there and 64"),
        ("evaluate", evaluate(OTHER), "evaluate=f.json is of another configuration: groups.coarse is 128 there"),
        ("evaluate", evaluate(CONFIG) | {"configuration": {}}, "evaluate=f.json: configuration.numbers must be there"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_told_in_one_line(run: Run, option: str, content: Any, message: str) -> None:
    code, output, errors = run(f"--{option}", put("f.json", content))
    assert (code, output) == (2, "")
    assert errors.startswith(f"sevedo: error: {message}")
    assert errors.count("\n") == 1
    assert not Path("report.html").exists()


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--synth", "none.json"), "synth=none.json must be an existing file"),
        (("--out", "none/r.html"), "out=none/r.html: its folder"),
        (("--out", "mine.toml"), "out=mine.toml is also an input"),
        (("--synth", "mine.toml", "--liberty", "x.lib"), "liberty and synth are both given"),
        (("--clock-ns", "2"), "clock-ns=2 needs --liberty"),
        (("--clock-mhz", "0"), "Invalid value for '--clock-mhz'"),
        (("--clock-mhz", "nan"), "Invalid value for '--clock-mhz'"),
        (("--liberty", "mine.toml"), "liberty=mine.toml is not a Liberty file"),
        (("--config", "none"), "config=none must be a preset"),
    ],
)
def test_a_wrong_option_is_told_in_one_line(run: Run, args: tuple[str, ...], message: str) -> None:
    code, output, errors = run(*args)
    assert (code, output) == (2, "")
    assert errors.startswith(f"sevedo: error: {message}")
    assert errors.count("\n") == 1
    assert not Path("report.html").exists()
