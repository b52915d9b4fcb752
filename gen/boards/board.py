"""Which boards there are, and how one is set up for a configuration."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sevedo.gen.config import Config
from sevedo.hw.board.pll import Ecp5Pll, PllError

KIB = 1024
PROCESSOR, ARRAY = "processor", "array"
"""What a board holds: a processor with its memory; or the residual matrix core alone, where no more fits."""


class BoardError(ValueError):
    """A board, or a setting of one, that cannot be. The message is one line."""


@dataclass(frozen=True)
class Board:
    """A board of `amaranth_boards`.

    Members
    -------
    name : what users type
    title : what it is called
    module, platform : module of `amaranth_boards`, class in it
    family : ecp5, ice40 or gowin: whose tools build for it
    oscillator_hz : of the clock at its pin
    leds : resource and number of each LED, at most 8
    button : resource and number of the button that resets; None without one
    button_name : what stands beside it
    kind : `PROCESSOR` or `ARRAY`
    memory_kib : of the memory that stands for DRAM; 0 without a processor
    clock_mhz : of the processor, unless asked otherwise
    baud : of its USB serial port, unless asked otherwise
    preset : the configuration, unless asked otherwise
    resources : what the device has: luts, dsps, block_rams, large_rams
    program : command that programs it, the bitstream to be added
    port : what its serial port is called on Linux
    """

    name: str
    title: str
    module: str
    platform: str
    family: str
    oscillator_hz: int
    leds: tuple[tuple[str, int], ...]
    button: tuple[str, int] | None
    button_name: str
    kind: str
    memory_kib: int
    clock_mhz: float
    baud: int
    preset: str
    resources: Mapping[str, int] = field(hash=False)
    program: tuple[str, ...]
    port: str

    def make_platform(self) -> Any:
        """An object that Amaranth builds for; used once.

        Raises
        ------
        BoardError : amaranth-boards is missing.
        """
        try:
            module = importlib.import_module(f"amaranth_boards.{self.module}")
        except ModuleNotFoundError:
            raise BoardError(
                "amaranth-boards is missing; install it with: pip install 'sevedo[boards]'"
            ) from None
        return getattr(module, self.platform)()


@dataclass(frozen=True)
class Setting:
    """A board as it is to be built.

    Members
    -------
    board : the board
    config : the processor
    clock_hz : frequency of the processor's clock, as it can be made
    baud : of the serial line
    memory : bytes of memory
    pll, halvings : how the clock is made, see `sevedo.hw.board.clock.BoardClock`
    """

    board: Board
    config: Config
    clock_hz: int
    baud: int
    memory: int
    pll: Ecp5Pll | None
    halvings: int

    @classmethod
    def of(
        cls,
        board: Board,
        config: Config,
        clock_mhz: float | None = None,
        baud: int | None = None,
        memory_kib: int | None = None,
    ) -> Setting:
        """The board as asked, its own figures for what was not.

        Raises
        ------
        BoardError : a clock, a rate or a memory that the board cannot have.
        ConfigError : a configuration that cannot be a processor.
        """
        if board.kind == PROCESSOR:
            config.check_processor()
        elif memory_kib is not None:
            raise BoardError(
                f"memory_kib={memory_kib} must be left out: {board.name} holds an array without memory"
            )
        wanted = round((board.clock_mhz if clock_mhz is None else clock_mhz) * 1e6)
        rate = board.baud if baud is None else baud
        memory = (board.memory_kib if memory_kib is None else memory_kib) * KIB
        if board.kind == PROCESSOR and (memory < 4 * KIB or memory % (4 * KIB)):
            raise BoardError(f"memory_kib={memory // KIB} must be a multiple of 4, and not 0")
        pll, halvings, hz = _clock(board, wanted)
        if not hz // 1000 <= rate <= hz // 4:
            raise BoardError(
                f"baud={rate} must be between {hz // 1000} and {hz // 4}, a quarter of the clock of {hz / 1e6:g} MHz"
            )
        return cls(board, config, hz, rate, memory, pll, halvings)

    def data(self) -> dict[str, Any]:
        """Plain data, for the record of a build."""
        return {
            "board": self.board.name, "clock_hz": self.clock_hz, "baud": self.baud, "memory_bytes": self.memory,
            "oscillator_hz": self.board.oscillator_hz, "halvings": self.halvings,
        }  # fmt: skip


def _clock(board: Board, wanted: int) -> tuple[Ecp5Pll | None, int, int]:
    """How a clock of at most `wanted` Hz is made: PLL, halvings, its frequency."""
    if wanted < 1_000_000:
        raise BoardError(f"clock_mhz={wanted / 1e6:g} must be at least 1")
    given = board.oscillator_hz
    if board.family == "ecp5" and wanted != given:
        try:
            pll = Ecp5Pll.nearest(given, wanted)
        except PllError as error:
            raise BoardError(str(error)) from None
        return pll, 0, round(pll.hz)
    for halvings in range(8):
        if given >> halvings <= wanted:
            return None, halvings, given >> halvings
    raise BoardError(f"clock_mhz={wanted / 1e6:g} must be at least {given / 128e6:g} on {board.name}")


def board_named(name: str) -> Board:
    """A board by its name.

    Raises
    ------
    BoardError : there is none; the message names those there are.
    """
    from .catalogue import BOARDS

    if name not in BOARDS:
        raise BoardError(f"board={name} must be one of {', '.join(BOARDS)}")
    return BOARDS[name]
