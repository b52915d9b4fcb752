"""Programming a board: the only thing that needs its programmer."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from .board import Board, BoardError
from .tools import ToolFailure


def require_programmer(board: Board) -> str:
    """The path of its programmer.

    Raises
    ------
    BoardError : it is not installed.
    """
    tool = board.program[0]
    found = shutil.which(tool)
    if found is None:
        package = {"openFPGALoader": "openfpgaloader", "iceprog": "fpga-icestorm"}.get(tool, tool)
        raise BoardError(f"{tool} must be installed to program {board.name}: apt-get install {package}")
    return found


def program(board: Board, bitstream: Path) -> None:
    """Run it.

    Raises
    ------
    BoardError : it is not installed. ToolFailure : it ended with an error.
    """
    command = [require_programmer(board), *board.program[1:], str(bitstream)]
    done = subprocess.run(command, check=False)
    if done.returncode:
        raise ToolFailure(f"{board.program[0]} ended with code {done.returncode}: is the board plugged in?")
