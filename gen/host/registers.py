"""Registers by their names, 64 bits wide where they are pairs."""

from __future__ import annotations

from sevedo.gen.config.register_map import BY_NAME
from sevedo.gen.config.registers import Field

from .transport import Transport


class RegisterFile:
    """The registers of one processor.

    Parameters
    ----------
    transport : the way to it
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def read(self, name: str) -> int:
        """A register; of a pair the lower half first, which keeps the upper one of a counter."""
        if name in BY_NAME:
            return self._transport.read_register(BY_NAME[name].offset)
        low, high = (
            self._transport.read_register(BY_NAME[f"{name}_{half}"].offset) for half in ("LOW", "HIGH")
        )
        return low | high << 32

    def write(self, name: str, value: int) -> None:
        """Set a register, or both of a pair."""
        if name in BY_NAME:
            self._transport.write_register(BY_NAME[name].offset, value)
            return
        self._transport.write_register(BY_NAME[f"{name}_LOW"].offset, value & 0xFFFFFFFF)
        self._transport.write_register(BY_NAME[f"{name}_HIGH"].offset, value >> 32)

    def field(self, name: str, field: str) -> int:
        """A field of a register, read now."""
        place = _field(name, field)
        return (self.read(name) & place.mask) >> place.low


def mask(name: str, field: str) -> int:
    """All bits of a field."""
    return _field(name, field).mask


def constant(name: str, field: str = "value") -> int:
    """What a field reads as that never changes, or what it is after reset."""
    return _field(name, field).reset


def _field(name: str, field: str) -> Field:
    return next(each for each in BY_NAME[name].fields if each.name == field)
