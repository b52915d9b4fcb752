"""The C driver: it compiles without a warning against the generated headers, and does with registers what it says."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

import sevedo.gen.host as host
from sevedo.gen.config.instructions import Error
from sevedo.gen.config.register_map import BY_NAME, REGISTERS
from sevedo.gen.program.header import header
from sevedo.gen.registers.texts import c_header

DRIVER = Path(host.__file__).parent / "c"
STRICT = ["-Wall", "-Wextra", "-Werror", "-pedantic", "-O1"]
NAMES = {register.offset: register.name for register in REGISTERS}


@pytest.fixture(scope="module")
def include(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("include")
    (folder / "sevedo_registers.h").write_text(c_header(REGISTERS))
    (folder / "sevedo_instructions.h").write_text(header())
    return folder


@pytest.fixture(scope="module")
def lines(include) -> list[str]:
    program = include / "driver_test"
    sources = [Path(__file__).with_name("driver_test.c"), DRIVER / "sevedo.c"]
    command = ["gcc", "-std=c99", *STRICT, "-I", include, "-I", DRIVER, *sources, "-o", program]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return subprocess.run([program], capture_output=True, text=True, check=True).stdout.splitlines()


def between(lines: list[str], first: str, last: str) -> list[tuple[str, int]]:
    """Registers written, by name, between two lines."""
    part = lines[lines.index(first) + 1 : lines.index(last)]
    return [(NAMES[int(line.split()[1])], int(line.split()[2])) for line in part]


def test_the_header_is_fit_for_cpp(include):
    source = include / "user.cpp"
    source.write_text(
        '#include "sevedo.h"\n#include "sevedo_registers.h"\nint main() { return SEVEDO_OK; }\n'
    )
    command = [
        "g++",
        "-std=c++11",
        *STRICT,
        "-I",
        include,
        "-I",
        DRIVER,
        "-c",
        source,
        "-o",
        include / "user.o",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_check(lines):
    assert [line for line in lines if line.startswith("check")] == ["check -3", "check -4", "check 0"]


def test_start_writes_everything_and_starts_last(lines):
    written = between(lines, "check 0", "start 0")
    assert dict(written) == {
        "IMAGE_BASE_LOW": 0x34567800, "IMAGE_BASE_HIGH": 0x12, "IMAGE_SIZE": 4096, "DATA_BASE_LOW": 0,
        "DATA_BASE_HIGH": 0xFF, "DATA_SIZE": 512, "PROGRAM": 64, "WATCHDOG": 1000, "INTERRUPT": 3,
        "INTERRUPT_ENABLE": 3, "CONTROL": 1,
    }  # fmt: skip
    assert written[-1] == ("CONTROL", 1)
    assert between(lines, "start 0", "start -2") == []  # while it runs nothing is written


def test_waiting(lines):
    assert "poll -2" in lines
    assert "wait -2" in lines
    assert "wait 0 4" in lines  # done at the fifth look, idle between
    assert between(lines, "wait 0 4", "interrupt 0") == [("INTERRUPT", 3)]


def test_failure(lines):
    assert "poll -1" in lines
    assert f"failure {Error.RANGE.value} 4 9 600000005" in lines
    at = lines.index(f"failure {Error.RANGE.value} 4 9 600000005")
    writes = [line.split() for line in lines[at + 1 : at + 4]]
    assert [(NAMES[int(where)], int(value)) for _, where, value in writes] == [
        ("CONTROL", 2), ("CONTROL", 4), ("INTERRUPT", 3),
    ]  # fmt: skip


def test_counters(lines):
    def pair(name: str) -> int:
        return BY_NAME[f"{name}_LOW"].offset | BY_NAME[f"{name}_HIGH"].offset << 32

    (counters,) = [line.split()[1:] for line in lines if line.startswith("counters")]
    assert int(counters[0]) == 1 << 32 | 7  # the upper half was read after the lower one
    assert int(counters[3]) == 13
    units = [line.split()[2:] for line in lines if line.startswith("unit")]
    for name, found in zip(("LOAD", "STREAM", "QUANTIZE", "MATMUL", "STORE"), units, strict=True):
        wanted = [pair(f"{name}_{each}") for each in ("BUSY", "WAIT_TOKEN", "WAIT_INPUT", "WAIT_OUTPUT")]
        assert [int(each, 16) for each in found] == wanted


def test_every_error_has_a_text(lines):
    assert [int(line.split()[1]) for line in lines if line.startswith("text")] == [
        code.value for code in Error
    ]
