"""`sevedo sweep`: table, file, plot, and every mistake as one line."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import pytest

from sevedo.gen.cli import main
from sevedo.gen.config import preset, preset_text
from sevedo.gen.estimate import estimate, parse_shape
from sevedo.gen.sweep.measures import Cycles, Error
from sevedo.gen.sweep.spec import Spec

Run = Callable[..., tuple[int, str, str]]
SMALL = (
    "--config",
    "tiny",
    "--shape",
    "16,64,32,4",
    "--measure",
    "cycles",
    "--backend",
    "threading",
    "--out",
    "s.sqlite",
)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command line in a folder of its own: exit code, output, errors."""
    monkeypatch.chdir(tmp_path)

    def call(*args: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as stopped:
            main(["sweep", *args])
        return int(stopped.value.code or 0), *capsys.readouterr()

    return call


def test_table_file_and_plot(run: Run) -> None:
    args = (*SMALL, "--grid", "rmc.rows=2,3,4", "--grid", "groups.coarse=32,64", "--plot", "p.svg")
    code, output, errors = run(*args)
    assert (code, errors) == (0, "")
    assert "invalid: rmc.rows=3, groups.coarse=32: lvc.lanes=16 must be a multiple of rmc.rows=3" in output
    assert "6 points, 2 invalid; measurements: 0 were there, 4 made, 0 failed; kept in s.sqlite" in output
    assert Path("p.svg").read_text().count("<svg") == 1
    shape = parse_shape("16,64,32,4", (0, 0, 0))
    rows = sqlite3.connect("s.sqlite").execute(
        'SELECT "rmc.rows", "groups.coarse", cycles_16_64_32_4, multipliers FROM results WHERE valid'
    )
    found = {(number, coarse): (cycles, size) for number, coarse, cycles, size in rows}
    for (number, coarse), told in found.items():
        config = preset("tiny").replace(rmc__rows=number, groups__coarse=coarse)
        assert told == (estimate(config, shape).cycles.cycles, number * config.rmc.cols * config.rmc.lanes)
    assert len(found) == 4
    before = Path("p.svg").read_bytes()
    _, output, _ = run(*args)
    assert "4 were there, 0 made" in output
    assert Path("p.svg").read_bytes() == before


def test_a_sweep_file_with_options_over_it(run: Run) -> None:
    Path("sub").mkdir()
    Path("sub/base.toml").write_text(preset_text("tiny"))
    Path("sub/s.toml").write_text(
        "config = 'base.toml'\nshapes = ['8,64,16,0']\nmeasures = ['cycles']\n"
        "axes = ['multipliers', 'cycles_8_64_16_0']\n"
        "[grid]\n'rmc.cols' = [2, 4]\n"
    )
    code, output, errors = run(
        "sub/s.toml", "--grid", "rmc.cols=1,2,4", "--grid", "lvc.output_tokens+lvc.int_tokens=1+1",
        *("--backend", "threading", "--out", "new/s.sqlite", "--plot", "p.png"),
    )  # fmt: skip
    assert (code, errors) == (0, "")
    assert "3 points, 0 invalid" in output
    assert Path("p.png").read_bytes().startswith(b"\x89PNG")


def test_the_example_of_the_documentation_is_a_sweep() -> None:
    spec = Spec.load(Path(__file__).parents[3] / "docs" / "sweep.toml")
    points = list(spec.grid(preset(spec.config)).points())
    assert (len(points), sum(point.config is None for point in points)) == (18, 6)


@pytest.mark.parametrize(
    ("error", "code", "last"),
    [
        (KeyboardInterrupt(), 130, "sevedo: interrupted\n"),
        (BrokenProcessPool("gone"), 1, "sevedo: error: a worker was ended from outside; memory may be short"),
    ],
)
def test_what_is_kept_is_told_when_a_sweep_is_stopped(
    run: Run, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, last: str
) -> None:
    def stop(*args: Any) -> None:
        raise error

    monkeypatch.setattr("sevedo.gen.sweep.run._results", stop)
    found, output, errors = run(*SMALL, "--grid", "rmc.rows=2,4")
    assert (found, output) == (code, "")
    note, rest = errors.split("\n", 1)
    assert note == (
        "sevedo: note: 0 measurements of this run and all before are kept in s.sqlite; the same command goes on"
    )
    assert rest.lstrip("\n").startswith(last)  # click ends the line that shows ^C


def test_what_decides_a_figure_is_its_key() -> None:
    tiny = preset("tiny")
    error, cycles = Error((0,), 32), Cycles(())
    wider = tiny.replace(rmc__cols=8)
    assert error.key(tiny) == error.key(wider), "sizes change no bit"
    assert cycles.key(tiny) != cycles.key(wider)
    for other in (
        tiny.replace(groups__coarse=32),
        tiny.replace(numbers__data="bf16"),
        tiny.with_scheme("mx"),
    ):
        assert error.key(tiny) != error.key(other)
    assert error.key(tiny) != Error((1,), 32).key(tiny)
    assert error.key(tiny) != Error((0,), 8).key(tiny)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ((), "the grid is empty: give --grid FIELD=VALUE,VALUE"),
        (("--grid", "rmc.rowz=2"), "grid field rmc.rowz is not a field of a configuration; near: rmc.rows"),
        (("--grid", "rmc.rows=5"), "no point of the grid is a configuration; the first: lvc.lanes="),
        (
            ("--grid", "rmc.rows=2", "--measure", "beauty"),
            "measure=beauty must be one of cycles, error, area, energy",
        ),
        (("--grid", "rmc.rows=2", "--measure", "area"), "measure=area needs a library: --liberty FILE"),
        (("--grid", "rmc.rows=2", "--axes", "cycles"), "axes: cycles must be one of cycles_16_64_32_4, "),
        (("--grid", "rmc.rows=2", "--axes", "multipliers"), "axes=multipliers must be two metrics"),
        (("--grid", "rmc.rows=2", "--plot", "p.pdf"), "plot=p.pdf must end in .svg or .png"),
        (("--grid", "rmc.rows=2", "--plot", "no/p.svg"), "plot=no/p.svg: its folder"),
        (
            ("--grid", "rmc.rows=2", "--backend", "spark"),
            "backend=spark must be one of loky, threading, dask, ray",
        ),
        (
            ("--grid", "rmc.rows=2", "--cluster", "tcp://x"),
            "cluster=tcp://x needs --backend dask or --backend ray",
        ),
        (("--grid", "rmc.rows=2", "--shape", "1,2"), "shape=1,2 must be T,K,N"),
        (("--grid", "rmc.rows=2", "--config", "none"), "config=none must be a preset"),
        (("--grid", "rmc.rows=2", "--liberty", "none.lib", "--measure", "area"), "liberty="),
        (("none.toml",), "sweep=none.toml must be an existing TOML file"),
        (("--grid", "rmc.rows=2", "--out", "."), "Invalid value for '--out'"),
    ],
)
def test_a_mistake_is_told_in_one_line(run: Run, args: tuple[str, ...], message: str) -> None:
    code, output, errors = run(*SMALL, *args)
    assert (code, output) == (2, "")
    assert errors.startswith(f"sevedo: error: {message}")
    assert errors.count("\n") == 1
    assert not Path("s.sqlite").exists()
