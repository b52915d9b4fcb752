"""Boards, their settings and the files that their tools get; nothing is synthesised here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from click.testing import CliRunner
from fake_board import FakeArray, FakeBoard
from small_processor import small_config

from sevedo.gen.boards import plan as plans
from sevedo.gen.boards.board import PROCESSOR, Board, BoardError, Setting, board_named
from sevedo.gen.boards.catalogue import BOARDS
from sevedo.gen.boards.plan import BITSTREAM, plan
from sevedo.gen.boards.self_test import array_layer, array_script, script
from sevedo.gen.commands.bitstream import command
from sevedo.gen.config import ConfigError, preset, preset_names
from sevedo.gen.config.link import MEMORY_BASE, PROCESSOR_BASE
from sevedo.hw.board.self_test import Step

EVERY = list(BOARDS.values())


@pytest.fixture(scope="module", autouse=True)
def _once() -> Iterator[None]:
    """Elaborate once for each setting: it is what takes the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plans, "board_verilog", cache(plans.board_verilog))
        yield


@pytest.mark.parametrize("board", EVERY, ids=lambda board: board.name)
def test_a_plan_for_every_board(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    """Constraints name the pins that amaranth-boards has, the commands are those of the family, the seed is in them."""
    setting = Setting.of(board, small_config())
    assert bool(setting.memory) == (board.kind == PROCESSOR)
    if board.name not in (EVERY[0].name, "icebreaker"):
        monkeypatch.setattr(plans, "board_verilog", lambda setting: "module board (\n);\nendmodule\n")
    made = plan(setting)
    platform = board.make_platform()
    constraints = next(text for name, text in made.files.items() if name.endswith((".lpf", ".pcf", ".cst")))
    uart = platform.lookup("uart", 0)
    pins = {sub.name: sub.ios[0].names[0] for sub in uart.ios if sub.name in ("rx", "tx")}
    assert len(pins) == 2
    for name, pin in pins.items():
        assert re.search(rf"uart_0__{name}__io\W.*\b{pin}\b", constraints), (name, pin)
    assert "module board (" in made.files["board.v"]
    assert made.synthesis[0] == "yosys"
    tool = {"ecp5": "nextpnr-ecp5", "ice40": "nextpnr-ice40", "gowin": "nextpnr-himbaechel-gowin"}[
        board.family
    ]
    command = made.place(7)
    assert command[0] == tool
    assert command[command.index("--seed") + 1] == "7"
    assert "timing_7.json" in command
    assert ("static" in command) == (board.family == "ecp5")
    assert BITSTREAM[board.family].replace("top.", "top_7.") in " ".join(made.pack(7))
    assert setting.clock_hz <= board.clock_mhz * 1e6 * 1.0001
    assert board.preset in preset_names()
    assert platform.default_clk_frequency == board.oscillator_hz


def test_a_plan_is_the_same_each_time() -> None:
    setting = Setting.of(board_named("ulx3s-85f"), small_config())
    again = plans.board_verilog.__wrapped__(setting)  # type: ignore[attr-defined]
    assert plan(setting).files["board.v"] == again
    assert plan(setting).files == plan(setting).files


def test_the_pll_keeps_its_attributes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Place and route reads the analogue settings from them."""
    made = plan(Setting.of(board_named("ulx3s-85f"), small_config()))
    text = made.files["top.il"]
    assert 'attribute \\ICP_CURRENT "12"' in text
    assert 'attribute \\FREQUENCY_PIN_CLKOP "50"' in text
    monkeypatch.setattr(plans, "board_verilog", lambda setting: "")
    plain = plan(Setting.of(board_named("ulx3s-85f"), small_config(), clock_mhz=25))
    assert "EHXPLLL" not in plain.files["top.il"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"clock_mhz": 0.5}, "clock_mhz=0.5 must be at least 1"),
        ({"clock_mhz": 401.0}, None),
        ({"clock_mhz": 25.0, "baud": 7_000_000}, "baud=7000000 must be between 25000 and 6250000"),
        ({"memory_kib": 5}, "memory_kib=5 must be a multiple of 4"),
        ({"memory_kib": 0}, "memory_kib=0 must be a multiple of 4, and not 0"),
    ],
)
def test_settings_that_cannot_be(options: dict[str, Any], message: str | None) -> None:
    if message is None:
        assert Setting.of(board_named("ulx3s-85f"), small_config(), **options).clock_hz <= 401_000_000
        return
    with pytest.raises(BoardError, match=message):
        Setting.of(board_named("ulx3s-85f"), small_config(), **options)


def test_a_core_that_is_no_processor_is_refused() -> None:
    with pytest.raises(ConfigError, match="rmc"):
        Setting.of(board_named("ulx3s-85f"), preset("tiny").replace(rmc__rows=3, lvc__lanes=3))


def test_an_array_alone_has_no_memory() -> None:
    with pytest.raises(
        BoardError, match="memory_kib=16 must be left out: icebreaker holds an array without memory"
    ):
        Setting.of(board_named("icebreaker"), preset("mini"), memory_kib=16)
    odd = preset("tiny").replace(rmc__rows=3, lvc__lanes=3)  # no processor: nothing that an array minds
    assert Setting.of(board_named("icebreaker"), odd).memory == 0


@pytest.mark.parametrize("name", ["small", "tiny", "mini"])
def test_self_test_script_of_an_array(name: str) -> None:
    """It writes every operand and compares every sum; a wrong bit of either shows."""
    config = small_config() if name == "small" else preset(name)
    words, layer = array_script(config), array_layer(config)
    board = FakeArray(config, [layer])
    result, compared = run_script(words, board)
    assert result == "PASSED"
    assert not board.due
    assert compared == sum(tile.sums.size for tile in layer.tiles) >= 2
    board = FakeArray(config, [layer])
    next(iter(board._sums.values()))[0][0] ^= 1
    assert run_script(words, board)[0] == "WRONG"


def test_unknown_boards_are_answered_with_those_there_are() -> None:
    with pytest.raises(BoardError, match="board=arty must be one of ulx3s-85f, ulx3s-45f"):
        board_named("arty")


def test_list() -> None:
    told = CliRunner().invoke(command, ["--list"])
    assert told.exit_code == 0
    assert [line.split()[0] for line in told.output.splitlines()] == list(BOARDS)


def run_script(words: tuple[int, ...], board: FakeBoard) -> tuple[str, int]:
    """What a self-test does, on a board in Python: how it ends, and how many words it compared."""
    at = compared = 0
    while True:
        kind, count = Step(words[at] >> 30), words[at] & 0xFFFF
        if kind is Step.END:
            assert at == len(words) - 1
            return "PASSED", compared
        address = words[at + 1]
        values = words[at + 2 : at + 2 + (2 if kind is Step.POLL else count)]
        at += 2 + len(values)
        if kind is Step.POLL:
            if (board.load(address) or 0) & values[0] != values[1]:
                return "SILENT", compared
            continue
        for place, value in enumerate(values):
            if kind is Step.WRITE:
                assert board.store(address + 4 * place, value)
            else:
                compared += 1
                if board.load(address + 4 * place) != value:
                    return "WRONG", compared


@pytest.mark.parametrize("name", ["small", "fpga", "mini"])
def test_self_test_script(name: str) -> None:
    """The golden machine passes it; a single wrong bit, or a processor that fails, does not."""
    config = small_config() if name == "small" else preset(name)
    words = script(config)
    result, compared = run_script(words, FakeBoard(config))
    assert result == "PASSED"
    assert compared > 8
    # A bit of the image: of a weight, a scale, an instruction.
    image = next(iter(words)) & 0xFFFF
    assert words[1] == MEMORY_BASE
    results = set()
    for place in range(2, 2 + image, max(image // 10, 1)):
        broken = (*words[:place], words[place] ^ 1 << place % 32, *words[place + 1 :])
        try:
            results.add(run_script(broken, FakeBoard(config))[0])
        except Exception:  # a program that the golden machine cannot even read
            results.add("SILENT")
    assert {"WRONG", "SILENT"} & results
    silent = FakeBoard(config)
    silent.processor.hangs = True
    assert run_script(words, silent)[0] == "SILENT"
    assert all(0 <= word < 1 << 32 for word in words)
    assert any(word == PROCESSOR_BASE + 0xC for word in words)
