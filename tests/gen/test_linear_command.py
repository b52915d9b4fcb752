"""The command `sevedo linear`: results that others can recompute, and bad input told in one line."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from layers import SMALL

from sevedo.gen.files import FileError, read_array, write_atomically


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Matrices of a 5 x 100 x 9 layer, and a small configuration."""
    rng = np.random.default_rng(3)
    np.save(tmp_path / "w.npy", rng.normal(size=(9, 100)))
    np.save(tmp_path / "x.npy", rng.normal(size=(5, 100)) * np.where(rng.random(100) < 0.05, 30, 1))
    np.save(tmp_path / "b.npy", rng.normal(size=9))
    np.save(tmp_path / "c.npy", rng.normal(size=(20, 100)))
    lines = []
    for section, fields in SMALL.model_dump().items():
        lines.append(f"[{section}]")
        lines += [f"{name} = {json.dumps(value)}" for name, value in fields.items()]
    (tmp_path / "small.toml").write_text("\n".join(lines))
    return tmp_path


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, in `folder`."""
    return subprocess.run(
        [sys.executable, "-m", "sevedo.gen", "linear", *arguments],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip


USUAL = ("--config", "small.toml", "--weight", "w.npy", "--input", "x.npy", "--output", "y.npy")


@pytest.mark.parametrize("engine", ["golden", "rtl"])
def test_result_can_be_recomputed_from_the_dump(folder: Path, engine: str) -> None:
    done = run(folder, *USUAL, "--bias", "b.npy", "--calibration", "c.npy", "--rank", "4", "--engine", engine,
               "--report", "r.json", "--dump", "d.npz")  # fmt: skip
    assert done.returncode == 0, done.stderr
    report = json.loads((folder / "r.json").read_text())
    assert report["macs"] == 5 * 100 * 9
    assert report["rank"] == 4
    if engine == "rtl":
        assert report["bit_exact"] is True
        assert report["cycles"] > 0
        assert 0 < report["utilization"] <= 1
    else:
        assert report["bit_exact"] is None
    y = np.load(folder / "y.npy").astype(float)
    x, w, b = (np.load(folder / f"{name}.npy") for name in "xwb")
    exact = x @ w.T + b
    assert y.shape == exact.shape
    error = np.linalg.norm(y - exact) / np.linalg.norm(exact)
    assert report["relative_error"] == pytest.approx(error, rel=1e-9)
    assert error < 0.25

    with np.load(folder / "d.npz", allow_pickle=False) as dump:

        def values(name: str) -> np.ndarray:
            steps = np.repeat(dump[f"{name}_scales"], dump["coarse"], axis=1)[:, :100]
            shifts = np.repeat(dump[f"{name}_shifts"], dump["fine"], axis=1)[:, :100]
            return dump[f"{name}_codes"] * steps * 2.0**-shifts

        smoothed = x / dump["smooth"]
        assert dump["u"].shape == (9, 4)
        assert dump["v"].shape == (4, 100)
        again = values("x") @ values("w").T + smoothed @ dump["v"].T @ dump["u"].T + b
    assert np.abs(y - again).max() < 2e-3 * np.abs(again).max()


def test_small_layers_take_the_rank_they_have(folder: Path) -> None:
    np.save(folder / "w.npy", np.ones((1, 1)))
    np.save(folder / "x.npy", np.array([[2]]))
    done = run(folder, *USUAL, "--engine", "golden", "--rank", "5", "--report", "r.json")
    assert done.returncode == 0
    assert json.loads((folder / "r.json").read_text())["rank"] == 1
    assert np.load(folder / "y.npy") == [[2]]


def test_nan_reaches_its_token_alone(folder: Path) -> None:
    x = np.load(folder / "x.npy")
    x[2, 7] = np.nan
    np.save(folder / "x.npy", x)
    assert run(folder, *USUAL, "--engine", "golden", "--calibration", "c.npy").returncode == 0
    assert np.isnan(np.load(folder / "y.npy")).all(axis=1).tolist() == [False, False, True, False, False]
    assert np.isfinite(np.load(folder / "y.npy")[[0, 1, 3, 4]]).all()


HEADERS = {
    "negative": "{'descr': '<f8', 'fortran_order': False, 'shape': (-5, 100), }\n",
    "true": "{'descr': '<f8', 'fortran_order': False, 'shape': (True, 100), }\n",
    "garbage": "garbage{{{\n",
    "minus": "-" * 9000 + "1\n",
    "parentheses": "(" * 5000 + "\n",
    "commas": "{'descr': ',,,', 'fortran_order': False, 'shape': (5, 100)}\n",
}
"""Headers of .npy files on which NumPy's parser fails in one way or another."""


def _bad_inputs(folder: Path) -> dict[str, tuple[list[str], str]]:
    """Arguments beside the usual ones, and what the one line must name."""
    np.save(folder / "short.npy", np.ones((5, 99)))
    np.save(folder / "vector.npy", np.ones(9))
    np.save(folder / "empty.npy", np.ones((0, 100)))
    np.save(folder / "text.npy", np.array([["a"]]))
    np.save(folder / "complex.npy", np.ones((9, 100)) * 1j)
    np.save(folder / "bool.npy", np.ones((9, 100), bool))
    np.save(folder / "nan.npy", np.full((9, 100), np.nan))
    np.save(folder / "huge.npy", np.full((9, 100), 1e30))
    np.save(folder / "object.npy", np.array([[{}]], dtype=object), allow_pickle=True)
    (folder / "junk.npy").write_bytes(b"not an array")
    (folder / "cut.npy").write_bytes((folder / "w.npy").read_bytes()[:500])
    np.save(folder / "long.npy", np.ones((300, 100)))
    np.savez(folder / "zip.npy.npz", np.ones(3))
    data = (folder / "x.npy").read_bytes()[128:]
    for name, header in HEADERS.items():
        text = header.encode("latin1")
        (folder / f"{name}.npy").write_bytes(b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text + data)
    os.symlink("loop.npy", folder / "loop.npy")
    os.mkfifo(folder / "fifo.npy")
    np.save(folder / "large.npy", np.full(9, 1e6))
    return {
        "K differs": (["--input", "short.npy"], "input"),
        "weight of one dimension": (["--weight", "vector.npy"], "weight=vector.npy"),
        "empty": (["--input", "empty.npy"], "input=empty.npy"),
        "text": (["--weight", "text.npy"], "weight=text.npy"),
        "complex": (["--weight", "complex.npy"], "weight=complex.npy"),
        "boolean": (["--weight", "bool.npy"], "weight=bool.npy"),
        "NaN weight": (["--weight", "nan.npy"], "weight"),
        "weight beyond FP16": (["--weight", "huge.npy"], "weight"),
        "pickled": (["--weight", "object.npy"], "weight=object.npy"),
        "not .npy": (["--input", "junk.npy"], "input=junk.npy"),
        "npz": (["--input", "zip.npy.npz"], "input=zip.npy.npz"),
        "cut short": (["--weight", "cut.npy"], "weight=cut.npy"),
        "missing": (["--weight", "nowhere.npy"], "nowhere.npy"),
        "bias of the wrong length": (["--bias", "x.npy"], "bias"),
        "calibration with another K": (["--calibration", "short.npy"], "calibration"),
        "negative rank": (["--rank", "-1"], "rank"),
        "rank beyond the configuration": (["--rank", "9"], "lvc.max_rank"),
        "rank not a number": (["--rank", "many"], "rank"),
        "unknown engine": (["--engine", "fpga"], "engine"),
        "unknown preset": (["--config", "giant"], "config=giant"),
        "unknown option": (["--depth", "3"], "--depth"),
        "too many tokens": (["--input", "long.npy"], "limits.tokens"),
        "output over an input": (["--output", "w.npy"], "w.npy"),
        "output twice": (["--report", "y.npy"], "y.npy"),
        "no such folder": (["--output", "nowhere/y.npy"], "nowhere"),
        "output is a folder": (["--dump", "."], "."),
        "output is a pipe": (["--report", "fifo.npy"], "report=fifo.npy"),
        "output over the configuration": (["--report", "small.toml"], "small.toml"),
        "output without a name": (["--output", ""], "output"),
        "input is a pipe": (["--input", "fifo.npy"], "input=fifo.npy"),
        "input is a loop of links": (["--input", "loop.npy"], "loop.npy"),
        "output is a loop of links": (["--output", "loop.npy"], "loop.npy"),
        "bias beyond FP16": (["--bias", "large.npy"], "bias"),
        **{f"header {name}": (["--input", f"{name}.npy"], f"input={name}.npy") for name in HEADERS},
    }


def test_bad_input_is_one_line_and_writes_nothing(folder: Path) -> None:
    cases = _bad_inputs(folder)
    before = _contents(folder)
    for case, (arguments, named) in cases.items():
        done = run(folder, *USUAL, "--engine", "golden", *arguments)
        assert done.returncode == 2, f"{case}: {done.stderr}"
        assert done.stderr.count("\n") == 1, f"{case}: {done.stderr}"
        assert named in done.stderr, f"{case}: {done.stderr}"
        assert "Traceback" not in done.stderr
        assert _contents(folder) == before, case


def _contents(folder: Path) -> dict[Path, bytes | None]:
    return {path: path.read_bytes() if path.is_file() else None for path in folder.iterdir()}


def test_links_are_followed(folder: Path) -> None:
    os.symlink("target.npy", folder / "y.npy")
    assert run(folder, *USUAL, "--engine", "golden").returncode == 0
    assert (folder / "y.npy").is_symlink()
    assert np.load(folder / "target.npy").shape == (5, 9)


def test_arrays_are_read_as_they_are(tmp_path: Path) -> None:
    for array in (np.arange(6, dtype=np.int8).reshape(2, 3), np.asfortranarray(np.ones((2, 3), ">f4"))):
        np.save(tmp_path / "a.npy", array)
        assert (read_array(tmp_path / "a.npy", "a", 2) == array).all()
    with pytest.raises(FileError, match="dimension"):
        read_array(tmp_path / "a.npy", "a", 1)


def test_only_files_are_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FileError, match="must be a regular file"):
        write_atomically(
            {tmp_path / "a": lambda file: file.write(b"1"), tmp_path / "pipe": lambda file: None}
        )
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]
    assert (tmp_path / "pipe").is_fifo()


def test_files_appear_together_or_not_at_all(tmp_path: Path) -> None:
    def broken(file: object) -> None:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        write_atomically({tmp_path / "a": lambda file: file.write(b"1"), tmp_path / "b": broken})
    assert list(tmp_path.iterdir()) == []
    write_atomically(
        {tmp_path / "a": lambda file: file.write(b"1"), tmp_path / "b": lambda file: file.write(b"2")}
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]
