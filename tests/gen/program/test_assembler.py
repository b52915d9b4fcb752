"""Programs as text and back: the same bytes, whatever they are; mistakes named with their line."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import pytest

from sevedo.gen.cli import cli
from sevedo.gen.config import preset
from sevedo.gen.config.instructions import BY_NAME, INSTRUCTION_BYTES, INSTRUCTIONS, Unit, encode
from sevedo.gen.program import AssemblyError, assemble, disassemble, header
from sevedo.gen.program.example import example
from sevedo.gen.program.text import fields_of

NAMES = [each.name for each in INSTRUCTIONS]


def random_fields(name: str, rng: random.Random) -> dict[str, int]:
    """Any values of all fields, the largest and 0 often."""
    return {
        field.name: rng.choice([0, (1 << field.width) - 1, rng.getrandbits(field.width)])
        for field in fields_of(BY_NAME[name]).values()
    }


@pytest.mark.parametrize("name", NAMES)
def test_every_instruction_comes_back(name: str) -> None:
    rng = random.Random(name)
    for _ in range(200):
        code = encode(name, **random_fields(name, rng))
        text = disassemble(code)
        assert text.split()[0] == name
        assert assemble(text) == code
        assert disassemble(assemble(text)) == text


@pytest.mark.parametrize("name", NAMES)
def test_every_field_is_seen_in_the_text(name: str) -> None:
    for field in fields_of(BY_NAME[name]).values():
        other = assemble(disassemble(encode(name, **{field.name: 1})))
        assert other != encode(name)
        assert int.from_bytes(other, "little") == BY_NAME[name].opcode | 1 << field.low


def test_any_bytes_come_back() -> None:
    rng = random.Random(1)
    code = b"".join(rng.randbytes(INSTRUCTION_BYTES) for _ in range(500))
    text = disassemble(code)
    assert assemble(text) == code
    assert text.count(".bytes ") > 400


def test_comments_case_and_names() -> None:
    text = """
    ; a comment
    load segment=DATA target=1 address=0x20 pitch=0x40 tokens=2 inputs=7 give=0,7 ; what it is for

    SYNC unit=load wait=3
    END
    """
    expected = (
        encode("LOAD", segment=1, target=1, address=32, pitch=64, tokens=2, inputs=7, give=0x81)
        + encode("SYNC", unit=Unit.LOAD, wait=8)
        + encode("END")
    )
    assert assemble(text) == expected
    assert disassemble(expected, {1: "the second"}).splitlines()[1] == "; the second"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("JUMP", "instruction=JUMP must be one of LOAD, STREAM,"),
        ("LOAD adress=1", "LOAD has no field adress; it has wait, give, segment, target, address"),
        ("LOAD opcode=1", "LOAD has no field opcode"),
        ("LOAD inputs", "inputs must be field=value"),
        ("LOAD inputs=1 inputs=2", "LOAD.inputs is there twice"),
        ("LOAD inputs=16777216", "LOAD.inputs=16777216 must be between 0 and 16777215"),
        ("LOAD inputs=-1", "LOAD.inputs=-1 must be a number, decimal or 0x..."),
        ("LOAD inputs=07_1", "LOAD.inputs=07_1 must be a number"),
        ("LOAD wait=8", "LOAD.wait=8 must be different kinds of tokens, 0 to 7"),
        ("LOAD wait=1,1", "LOAD.wait=1,1 must be different kinds"),
        ("LOAD segment=disk", "LOAD.segment=disk must be one of image, data, or a number"),
        ("END give=", ""),
        (".bytes 00", ".bytes must have 64 hexadecimal digits"),
    ],
)
def test_mistakes_are_named_with_their_line(line: str, message: str) -> None:
    if not message:
        assert assemble(line) == encode("END")
        return
    with pytest.raises(AssemblyError) as error:
        assemble(f"END\n{line}\n")
    assert str(error.value).startswith(f"line 2: {message}")
    assert "\n" not in str(error.value)


def test_the_rules_of_a_processor() -> None:
    config = preset("core")
    good = "LOAD segment=data address=0x20 pitch=768 tokens=16 inputs=384\nEND\n"
    assert assemble(good, config) == assemble(good)
    for old, new, rule in (
        ("0x20", "0x21", "address a multiple of 16"),
        ("tokens=16", "tokens=17", "tokens from 1 to 16"),
        ("inputs=384", "inputs=2049", "inputs from 1 to 2048"),
        ("END", "STREAM words=3", "a count that is not 0"),
    ):
        with pytest.raises(AssemblyError, match=f"breaks the rule: {rule}"):
            assemble(good.replace(old, new), config)


def test_disassembly_needs_whole_instructions() -> None:
    with pytest.raises(AssemblyError, match="program=33 bytes must be a multiple of 32"):
        disassemble(bytes(33))


def test_the_header_makes_the_same_bytes(tmp_path: Path) -> None:
    """Every instruction with random fields, made by C and by Python."""
    rng = random.Random(2)
    calls, expected = [], b""
    for name in NAMES * 40:
        fields = random_fields(name, rng)
        if name == "END":
            fields = {}
        order = [each for each in fields if each not in ("wait", "give")] + (
            ["wait", "give"] if fields else []
        )
        arguments = ", ".join(f"{fields[each]}u" for each in order)
        calls.append(f"    put(sevedo_{name.lower()}({arguments}));")
        expected += encode(name, **fields)
    (tmp_path / "sevedo_instructions.h").write_text(header())
    (tmp_path / "main.c").write_text(
        '#include <stdio.h>\n#include "sevedo_instructions.h"\n'
        "static void put(sevedo_instruction i) {\n"
        "    for (int w = 0; w < 8; w++)\n"
        "        for (int b = 0; b < 32; b += 8) putchar((int)(i.word[w] >> b & 255));\n"
        "}\nint main(void) {\n" + "\n".join(calls) + "\n    return 0;\n}\n"
    )
    flags = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic"]
    for compiler in ("gcc", "g++"):
        own = flags if compiler == "gcc" else ["-x", "c++", *flags[1:4]]
        subprocess.run([compiler, *own, "main.c", "-o", compiler], cwd=tmp_path, check=True)
        assert subprocess.run([tmp_path / compiler], capture_output=True, check=True).stdout == expected


def test_the_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    compiled = example()
    code = compiled.image[: compiled.instructions * INSTRUCTION_BYTES]
    (tmp_path / "a.bin").write_bytes(code)
    cli.main(["program", "disassemble", str(tmp_path / "a.bin")], standalone_mode=False)
    text = capsys.readouterr().out
    (tmp_path / "a.s").write_text(text)
    cli.main(
        ["program", "assemble", str(tmp_path / "a.s"), "--out", str(tmp_path / "b.bin")],
        standalone_mode=False,
    )
    assert (tmp_path / "b.bin").read_bytes() == code
    cli.main(["program", "header", "--out", str(tmp_path / "h.h")], standalone_mode=False)
    assert (tmp_path / "h.h").read_text() == header()
    (tmp_path / "bad.s").write_bytes(b"\xff\xfe")
    with pytest.raises(AssemblyError, match=r"bad\.s must be text in UTF-8"):
        cli.main(
            ["program", "assemble", str(tmp_path / "bad.s"), "--out", str(tmp_path / "b.bin")],
            standalone_mode=False,
        )
