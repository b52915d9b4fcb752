"""The board's own registers."""

from __future__ import annotations

from sevedo.gen.config.board_map import REGISTERS
from sevedo.hw.bus.registers import Registers


class BoardRegisters(Registers):
    """`Registers` of `board_map.REGISTERS`, with a module of its own."""

    def __init__(self) -> None:
        super().__init__(REGISTERS)

    @property
    def module_name(self) -> str:
        return "board_registers"
