"""`sevedo run` and its mistakes, over real serial ports of this machine: pseudo-terminals with a board behind."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fake_board import FakeArray, FakeBoard, Noise, Terminal
from small_processor import good_program, small_config
from torch import Tensor

from sevedo.gen.cli import main
from sevedo.gen.compile import load_compiled, save_compiled
from sevedo.gen.host.array_words import ArrayWords
from sevedo.gen.host.given import given_inputs
from sevedo.gen.host.link import PortError, Session, open_port
from sevedo.gen.host.link import session as sessions
from sevedo.ref.grouped import GroupedTensor
from sevedo.ref.machine import run as run_machine
from sevedo.ref.residual import residual


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("program") / "compiled"
    save_compiled(found, good_program(small_config(), 1, 2).compiled)
    return found


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    found = Terminal(FakeBoard(small_config()))
    yield found
    found.close()


@pytest.fixture(autouse=True)
def _short_time_outs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions.Session.__init__, "__defaults__", (0.3, 3))


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["run", *arguments])
    return int(ended.value.code or 0)


def test_run(folder: Path, terminal: Terminal, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    figures, outputs = tmp_path / "f.json", tmp_path / "y.npz"
    code = run(
        str(folder), "--port", terminal.name, "--json", str(figures), "--outputs", str(outputs), "--seed", "3"
    )
    said = capsys.readouterr().out
    assert code == 0, said
    assert re.search(r"bytes of data compared with the Python machine: every bit equal", said)
    told = json.loads(figures.read_text())
    assert told["bit_exact"] is True
    assert told["self_test"] == "PASSED"
    with np.load(outputs) as file:
        assert len(file.files) == 2
        assert all(np.isfinite(file[name]).any() for name in file.files)
    assert terminal.board.resets == 0
    assert run(str(folder), "--port", terminal.name, "--reset") == 0
    assert terminal.board.resets == 1


def array_of(folder: Path, seed: int) -> FakeArray:
    """A board that knows the residual paths of a program."""
    compiled, layers = load_compiled(folder), []

    def remember(x: GroupedTensor, w: GroupedTensor) -> Tensor:
        layers.append(ArrayWords.of(compiled.config, x, w))
        return residual(x, w)

    data = bytearray(compiled.data(given_inputs(compiled, folder, None, None, None, seed)))
    assert run_machine(compiled.config, compiled.image, data, compiled.program, remember).done
    assert len(layers) > 1
    return FakeArray(compiled.config, layers)


def test_an_array_alone(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every word that it is written is the one that it must be, and the outputs are those of the golden machine."""
    board = array_of(folder, 3)
    terminal, figures = Terminal(board), tmp_path / "f.json"
    options = ["--board", "icebreaker", "--port", terminal.name]
    assert run(str(folder), *options, "--seed", "3", "--json", str(figures)) == 0
    assert "every bit equal" in capsys.readouterr().out
    assert not board.due
    told = json.loads(figures.read_text())
    assert told["bit_exact"] is True
    assert told["tiles"] > 1
    # Sums that are wrong by a bit show.
    wrong = array_of(folder, 3)
    next(iter(wrong._sums.values()))[0][0] ^= 1 << 22
    terminal.board = wrong
    assert run(str(folder), *options, "--seed", "3") == 1
    terminal.close()


def test_boards_that_are_another(
    folder: Path, terminal: Terminal, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(str(folder), "--board", "icebreaker", "--port", terminal.name) == 2
    assert "holds a processor, and not an array alone" in capsys.readouterr().err
    terminal.board = FakeArray(small_config(), [])
    assert run(str(folder), "--port", terminal.name) == 2
    assert "holds an array alone" in capsys.readouterr().err
    terminal.board = FakeArray(small_config().replace(lvc__queue=2), [])
    assert run(str(folder), "--board", "icebreaker", "--port", terminal.name) == 2
    assert re.search(r"CONFIGURATION=0x\w{8} must be 0x\w{8}", capsys.readouterr().err)


def test_a_wrong_bit_is_seen(folder: Path, terminal: Terminal, capsys: pytest.CaptureFixture[str]) -> None:
    board = terminal.board
    load = board.load
    wrong = iter([1])

    def flipped(at: int) -> int | None:
        word = load(at)
        ran = board.processor.values["STATUS"] == 2
        return (
            word ^ 0x100
            if word is not None
            and ran
            and board.processor.values["DATA_BASE_LOW"] <= at < board.size
            and next(wrong, 0)
            else word
        )

    board.load = flipped  # type: ignore[method-assign]
    assert run(str(folder), "--port", terminal.name) == 1
    assert "NOT equal to the Python machine: first at byte" in capsys.readouterr().out


def test_noise_on_the_line(folder: Path, terminal: Terminal) -> None:
    take, noise = terminal.board.take, Noise(5, 3000)
    terminal.board.take = lambda data: take(noise(data))  # type: ignore[method-assign]
    assert run(str(folder), "--port", terminal.name) == 0


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    error = capsys.readouterr().err
    assert error.count("\n") == 1, error
    return error


def test_ports_that_are_not_there_or_busy(folder: Path, terminal: Terminal, tmp_path: Path, capsys) -> None:
    assert run(str(folder), "--port", "/dev/ttyNONE") == 2
    assert "port=/dev/ttyNONE must be a serial port that is there" in one_line(capsys)
    plain = tmp_path / "plain"
    plain.write_text("")
    assert run(str(folder), "--port", str(plain)) == 2
    assert f"port={plain} cannot be opened as a serial port" in one_line(capsys)
    held = open_port(terminal.name, 1_000_000)
    assert run(str(folder), "--port", terminal.name) == 2
    assert "is busy: another program has it open" in one_line(capsys)
    held.close()
    assert run(str(folder), "--port", terminal.name) == 0


def test_a_silent_board_then_one_that_speaks(folder: Path, terminal: Terminal, capsys) -> None:
    terminal.silent = True
    assert run(str(folder), "--port", terminal.name) == 2
    assert "the board is silent: no answer in 3 tries of 0.3 s" in one_line(capsys)
    terminal.silent = False
    assert run(str(folder), "--port", terminal.name) == 0


def test_a_reset_in_the_middle_of_a_run(folder: Path, terminal: Terminal, capsys) -> None:
    board = terminal.board
    board.processor.hangs = True
    count = 0

    def before() -> None:
        nonlocal count
        running = board.processor.values["STATUS"] & 1
        count += running
        if running and count == 5:
            board.reset()

    terminal.before = before
    assert run(str(folder), "--port", terminal.name) == 2
    assert "the board was reset since it was spoken to last: load it again" in one_line(capsys)
    board.processor.hangs = False
    assert run(str(folder), "--port", terminal.name) == 0


def test_self_test_that_failed(folder: Path, terminal: Terminal, capsys) -> None:
    terminal.board.state = 2
    assert run(str(folder), "--port", terminal.name) == 2
    assert "SELF_TEST=WRONG must be PASSED" in one_line(capsys)


def test_a_processor_that_fails_or_does_not_end(folder: Path, terminal: Terminal, capsys) -> None:
    terminal.board.processor.fault = (2, 0, 1, 0x40)
    assert run(str(folder), "--port", terminal.name) == 1
    assert "the processor failed: RANGE at instruction 1" in capsys.readouterr().err
    terminal.board.processor.fault = None
    terminal.board.processor.values["STATUS"] = 0
    terminal.board.processor.hangs = True
    assert run(str(folder), "--port", terminal.name, "--limit", "0.01") == 1
    assert "not done after" in capsys.readouterr().err


def test_other_mistakes(folder: Path, terminal: Terminal, capsys) -> None:
    assert run(str(folder), "--board", "nonsense", "--port", terminal.name) == 2
    assert "board=nonsense must be one of ulx3s-85f" in one_line(capsys)
    assert run(str(folder / "none"), "--port", terminal.name) == 2
    assert "sevedo compile" in one_line(capsys)
    terminal.board.size = 2048
    assert run(str(folder), "--port", terminal.name) == 2
    assert "must end within the board's memory of 2048 bytes" in one_line(capsys)
    terminal.board.processor.values["CONFIGURATION"] = 5
    assert run(str(folder), "--port", terminal.name) == 2
    assert "CONFIGURATION=0x00000005 must be" in one_line(capsys)


def test_a_port_that_goes_away(terminal: Terminal) -> None:
    port = open_port(terminal.name, 1_000_000)
    port._serial.close()
    with pytest.raises(PortError, match=r"takes no bytes any more|is gone"):
        Session(port).open()
