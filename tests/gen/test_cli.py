"""The command line: help is quick, presets print, and every mistake is one line on stderr with exit code 2."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

from sevedo.gen.cli import COMMANDS, USER_ERROR, cli
from sevedo.gen.config import preset, preset_names, preset_text

SEVEDO = [sys.executable, "-m", "sevedo.gen"]


def run(*args: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own."""
    return subprocess.run([*SEVEDO, *args], capture_output=True, text=True, cwd=cwd, timeout=120, check=False)


def check_mistake(result: subprocess.CompletedProcess[str], expected: str) -> None:
    """One line on stderr that starts as expected, exit code 2, nothing on stdout."""
    assert result.returncode == USER_ERROR
    assert result.stderr.startswith(f"sevedo: error: {expected}")
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""


def test_help_is_quick_and_lists_every_command() -> None:
    code = "import sys, sevedo.gen.cli as c\ntry: c.main(['--help'])\nfinally: print(*sys.modules, file=sys.stderr)"
    before = os.times()
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    after = os.times()
    # time of the processor, not of the clock: a busy machine must not fail this
    seconds = after.children_user + after.children_system - before.children_user - before.children_system
    assert not {"torch", "amaranth", "numpy", "pydantic"} & set(result.stderr.split())
    names = {path.stem.replace("_", "-") for path in COMMANDS.glob("[a-z]*.py")}
    listed = {
        line.split()[0] for line in result.stdout.partition("Commands:")[2].splitlines() if line[:3].strip()
    }
    assert {"presets"} <= names <= listed
    assert 0 < seconds < 0.5


@pytest.mark.parametrize("name", sorted(path.stem.replace("_", "-") for path in COMMANDS.glob("[a-z]*.py")))
def test_every_command_explains_itself(name: str) -> None:
    command = cli.get_command(cli.make_context("sevedo", [name]), name)
    assert command is not None
    assert command.name == name
    assert "Example" in (command.help or "")
    assert all(getattr(option, "help", "") for option in command.params if option.param_type_name == "option")


def test_version() -> None:
    result = run("--version")
    assert (result.returncode, result.stdout) == (0, f"sevedo, version {metadata.version('sevedo')}\n")


def test_presets_are_listed_with_a_line_each() -> None:
    result = run("presets")
    assert result.returncode == 0
    assert [line.split()[0] for line in result.stdout.splitlines()] == preset_names()
    assert all(len(line.split()) > 5 for line in result.stdout.splitlines())


def test_preset_is_printed_as_it_is() -> None:
    result = run("presets", "tiny")
    assert (result.returncode, result.stdout) == (0, preset_text("tiny"))
    assert tomllib.loads(result.stdout) == preset("tiny").model_dump()


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (["nope"], "command=nope must be one of "),
        (["presets", "huge"], "preset=huge must be one of core, fpga, mini, tiny\n"),
        (["presets", "a\nb"], "preset=a; b must be one of core, fpga, mini, tiny\n"),
        (["presets", "tiny", "core"], "Got unexpected extra argument (core) (see sevedo presets --help)\n"),
        (["--bogus"], "No such option"),
        (["presets", "--bogus"], "No such option"),
        (
            ["lint", "--config", "huge"],
            "config=huge must be a preset (core, fpga, mini, tiny) or an existing TOML file\n",
        ),
    ],
)
def test_mistake_is_one_line(args: list[str], expected: str) -> None:
    check_mistake(run(*args), expected)


def test_bad_field_of_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(preset_text("tiny").replace("coarse = 64", "coarse = 72"))
    result = run("lint", "--config", "mine.toml", cwd=tmp_path)
    check_mistake(result, "groups.coarse=72 must be a multiple of groups.fine=16\n")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.toml"]


def test_no_command_gives_help_and_fails() -> None:
    result = run()
    assert result.returncode == USER_ERROR
    assert result.stderr.startswith("Usage: sevedo")


def test_reader_that_leaves_early_is_no_mistake() -> None:
    with subprocess.Popen(
        [*SEVEDO, "presets", "tiny"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1


def test_full_disk_is_one_line() -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full on this system")
    with full.open("w") as out:
        result = subprocess.run(
            [*SEVEDO, "presets"], stdout=out, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (result.returncode, result.stderr) == (
        USER_ERROR,
        "sevedo: error: output: No space left on device\n",
    )
