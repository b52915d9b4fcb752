"""A serial port, as pyserial gives it; the simulation of a board gives the same."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Protocol

from .errors import LinkError

WRITE_SECONDS = 2.0
"""A write that the port does not take in this time is given up."""


class PortError(LinkError):
    """A port that cannot be opened, or is gone. The message names it."""


class Port(Protocol):
    """What a link needs of a port: bytes out, bytes in, time."""

    def write(self, data: bytes) -> Any:
        """Send all of `data`."""

    def read_some(self, seconds: float) -> bytes:
        """What has come; waits for the first byte, at most so long."""

    def discard(self) -> None:
        """Forget what has come."""

    def now(self) -> float:
        """Time in seconds, from any moment on."""

    def close(self) -> None:
        """Give the port back."""


class SerialPort:
    """A port of this computer.

    Parameters
    ----------
    name : as the system calls it
    baud : rate of the line

    Raises
    ------
    PortError : there is none of that name, another program has it, it must not be used, or pyserial is missing.
    """

    def __init__(self, name: str, baud: int) -> None:
        self.name = name
        try:
            import serial
        except ModuleNotFoundError:
            raise PortError("pyserial is missing; install it with: pip install 'sevedo[boards]'") from None
        self._lost: Any = serial.SerialException, OSError
        try:
            self._serial = serial.Serial(
                name,
                baud,
                timeout=0,
                write_timeout=WRITE_SECONDS,
                exclusive=True if os.name == "posix" else None,
            )
        except (serial.SerialException, OSError, ValueError) as error:
            raise PortError(_why(name, baud, error)) from None
        # An FTDI chip else keeps short answers back for 16 ms.
        with suppress(Exception):
            self._serial.set_low_latency_mode(True)

    def write(self, data: bytes) -> None:
        """Send all of `data`.

        Raises
        ------
        PortError : the port takes no bytes, or is gone.
        """
        try:
            self._serial.write(data)
        except self._lost as error:
            raise PortError(f"port={self.name} takes no bytes any more: {error}") from None

    def read_some(self, seconds: float) -> bytes:
        """What has come; waits for the first byte, at most so long.

        Raises
        ------
        PortError : the port is gone.
        """
        try:
            self._serial.timeout = seconds
            first = self._serial.read(1)
            return first + self._serial.read(self._serial.in_waiting) if first else b""
        except self._lost as error:
            raise PortError(f"port={self.name} is gone: {error}") from None

    def discard(self) -> None:
        """Forget what has come."""
        with suppress(*self._lost):
            self._serial.reset_input_buffer()

    def now(self) -> float:
        """Time in seconds."""
        return time.monotonic()

    def close(self) -> None:
        """Give the port back."""
        with suppress(*self._lost):
            self._serial.close()


def open_port(name: str, baud: int) -> SerialPort:
    """A port of this computer, see `SerialPort`."""
    return SerialPort(name, baud)


def ports() -> list[str]:
    """The serial ports that this computer has."""
    from serial.tools import list_ports

    return sorted(each.device for each in list_ports.comports())


def _why(name: str, baud: int, error: Exception) -> str:
    number = getattr(error, "errno", None)
    if number in (errno.ENOENT, errno.ENODEV, errno.ENXIO):
        return f"port={name} must be a serial port that is there: {_those(ports())}"
    if number in (errno.EAGAIN, errno.EWOULDBLOCK, errno.EBUSY) or "lock" in str(error):
        return f"port={name} is busy: another program has it open"
    if number in (errno.EACCES, errno.EPERM):
        return f"port={name} must be one that you may use; on Debian the group dialout may"
    if isinstance(error, ValueError):
        return f"port={name} must be one that can do {baud} baud: {error}"
    return f"port={name} cannot be opened as a serial port: {error}"


def _those(names: Iterable[str]) -> str:
    return ", ".join(names) or "none is"
