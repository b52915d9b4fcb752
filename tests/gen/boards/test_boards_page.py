"""docs/boards.md and the map of a board's registers: as made, as it is."""

from __future__ import annotations

import re
from pathlib import Path

from click.testing import CliRunner

from sevedo.gen.boards.catalogue import BOARDS
from sevedo.gen.commands.registers import command
from sevedo.gen.config.board_map import BY_NAME, REGISTERS
from sevedo.gen.config.link import MAX_WORDS, WINDOW, Operation, Status
from sevedo.gen.host.link.frames import encode
from sevedo.gen.host.link.session import Request
from sevedo.gen.registers import texts
from sevedo.gen.registers.source import BOARD, read
from sevedo.hw.board.self_test import Result

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs/boards.md").read_text()


def test_made_files_are_as_made() -> None:
    registers = read(BOARD)
    assert registers == REGISTERS
    assert (ROOT / "gen/config/board_map.py").read_text() == texts.board_description(registers)
    table = texts.tables(registers).strip().replace("\n## ", "\n### ")
    assert f"<!-- sevedo registers --of board -->\n{table}\n<!-- end -->" in PAGE
    told = CliRunner().invoke(command, ["--of", "board", "--format", "data"])
    assert told.output == texts.board_description(registers)


def test_the_map_is_sound() -> None:
    offsets = [each.offset for each in REGISTERS]
    assert offsets == [4 * place for place in range(len(REGISTERS))]
    states = {each.name: each.value for each in BY_NAME["SELF_TEST"].fields[0].meanings}
    assert states == {each.name: each.value for each in Result}


def test_mistakes_are_told() -> None:
    for arguments, message in (
        (["--of", "chip"], "of=chip must be processor or board"),
        (["--of", "board", "--format", "c"], "format=c must be one of markdown, data with --of board"),
    ):
        told = CliRunner().invoke(command, arguments)
        assert message in str(told.exception)


def test_the_example_is_right() -> None:
    shown = re.search(r"READ of 1 word at 0x0000_0010 with number 5 is `([0-9a-f ]+)`", PAGE)
    assert shown is not None
    frame = encode(Request(Operation.READ, 0x10, 1).content(5))
    assert bytes.fromhex(shown.group(1)) == frame


def test_every_board_and_number_is_told() -> None:
    for name, board in BOARDS.items():
        assert f"`{name}`" in PAGE
        assert board.button_name in PAGE
        assert board.port in PAGE
        assert f"`{board.preset}`" in PAGE
    for status in Status:
        assert re.search(rf"\b{status.value}\b", PAGE)
    assert f"may send {WINDOW} requests ahead" in PAGE
    assert f"at most {MAX_WORDS}," in PAGE
