"""The register map: one description, everything made from it the same."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from sevedo.gen.cli import UserError
from sevedo.gen.commands.registers import command
from sevedo.gen.config.instructions import ERROR_MEANING, NO_UNIT, Error, Unit
from sevedo.gen.config.register_map import BY_NAME, REGISTERS
from sevedo.gen.config.registers import Kind, stem
from sevedo.gen.registers import texts
from sevedo.gen.registers.source import RegisterError, read

ROOT = Path(__file__).resolve().parents[3]


def test_made_files_are_as_made() -> None:
    registers = read()
    assert registers == REGISTERS
    assert (ROOT / "gen/config/register_map.py").read_text() == texts.description(registers)
    assert (ROOT / "docs/registers.md").read_text() == texts.markdown(registers)


def test_names_of_values_are_those_of_the_instruction_set() -> None:
    errors = BY_NAME["ERROR_CODE"].field("value").meanings
    assert [(each.name, each.value) for each in errors] == [(each.name, each.value) for each in Error]
    assert [each.description for each in errors] == [ERROR_MEANING[each] for each in Error]
    units = {each.name: each.value for each in BY_NAME["ERROR_UNIT"].field("value").meanings}
    assert units == {each.name: each.value for each in Unit} | {"NO_UNIT": NO_UNIT}


def test_map_is_sound() -> None:
    """Offsets and names once each, fields apart and inside, halves of values next to each other, every one told."""
    offsets = [each.offset for each in REGISTERS]
    assert offsets == sorted(set(offsets))
    assert len(BY_NAME) == len(REGISTERS) > 60
    for register in REGISTERS:
        assert register.description.endswith("."), register.name
        taken = 0
        for field in register.fields:
            assert not taken & field.mask, (register.name, field.name)
            assert field.mask < 1 << 32
            taken |= field.mask
        name, place = stem(register.name)
        if place:
            low = BY_NAME[f"{name}_LOW"]
            assert register.offset == low.offset + 4
            assert low.offset % 8 == 0
            assert (low.fields[0].kind is Kind.COUNTER) == (register.fields[0].kind is Kind.LATCH)
    kinds = {field.kind for register in REGISTERS for field in register.fields}
    assert kinds == set(Kind)


def test_counters_of_every_unit() -> None:
    for unit in Unit:
        for what in ("BUSY", "WAIT_TOKEN", "WAIT_INPUT", "WAIT_OUTPUT"):
            assert BY_NAME[f"{unit.name}_{what}_LOW"].fields[0].kind is Kind.COUNTER
            bit = 8 + 4 * unit + ("BUSY", "WAIT_TOKEN", "WAIT_INPUT", "WAIT_OUTPUT").index(what)
            assert BY_NAME["STATUS"].field(f"{unit.name}_{what}".lower()).low == bit


def test_c_header_compiles_and_says_what_python_says(tmp_path: Path) -> None:
    """The two, and the map, have the same numbers; the compiler is asked for each."""
    header = tmp_path / "registers.h"
    header.write_text(texts.c_header(REGISTERS))
    space: dict[str, int] = {}
    exec(texts.python(REGISTERS), space)
    numbers = {name: value for name, value in space.items() if name.isupper()}
    assert numbers["ERROR_CODE"] == BY_NAME["ERROR_CODE"].offset == 0x40
    assert numbers["STATUS_STORE_BUSY_MASK"] == 1 << numbers["STATUS_STORE_BUSY_SHIFT"] == 1 << 24
    assert numbers["ERROR_CODE_STALL"] == Error.STALL
    defined = re.findall(r"#define SEVEDO_(\w+) (\S+)u", header.read_text())
    assert {name: int(value, 0) for name, value in defined} == numbers
    assert len(defined) == len(numbers) > 150
    checks = "".join(f'_Static_assert(SEVEDO_{name} == {value}u, "");\n' for name, value in numbers.items())
    program = tmp_path / "check.c"
    program.write_text('#include "registers.h"\n#include "registers.h"\n' + checks)
    compiler = ["g++", "-x", "c", "-std=c11", "-Wall", "-Wextra", "-pedantic", "-Werror", "-fsyntax-only"]
    done = subprocess.run([*compiler, str(program)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("form", "has"),
    [
        ("c", "#define SEVEDO_CONTROL 0x00cu"),
        ("markdown", "| 0x00c | `CONTROL` |"),
        ("python", "CONTROL = 0x00c"),
    ],
)
def test_command(tmp_path: Path, form: str, has: str) -> None:
    shown = CliRunner().invoke(command, ["--format", form])
    assert shown.exit_code == 0
    assert has in shown.output
    out = tmp_path / "made" / "text"
    assert CliRunner().invoke(command, ["--format", form, "--out", str(out)]).exit_code == 0
    assert out.read_text() == shown.output


def test_html(tmp_path: Path) -> None:
    done = CliRunner().invoke(command, ["--format", "html", "--out", str(tmp_path / "pages")])
    assert done.exit_code == 0
    assert "SeVeDo" in (tmp_path / "pages" / "index.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--format", "pdf"], "format=pdf must be one of c, html, markdown, python, data"),
        (["--format", "html"], "format=html needs --out, a folder"),
    ],
)
def test_command_refuses(arguments: list[str], message: str) -> None:
    done = CliRunner().invoke(command, arguments)
    assert isinstance(done.exception, UserError)
    assert str(done.exception) == message


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            "reg { field { sw = rw; hw = rw; onread = rclr; onwrite = wclr; } x[8] = 0; } A @ 0;",
            "A.x: sw=rw, hw=rw",
        ),
        ("reg { regwidth = 64; field { sw = r; hw = w; } x[8]; } A @ 0;", "A: regwidth=64 must be 32"),
    ],
)
def test_what_hardware_cannot_be_made_for_is_refused(tmp_path: Path, body: str, message: str) -> None:
    source = tmp_path / "wrong.rdl"
    source.write_text(
        "property latched { component = field; type = boolean; default = false; };\n"
        f"addrmap wrong {{ {body} }};\n"
    )
    with pytest.raises(RegisterError, match=message):
        read(source)
