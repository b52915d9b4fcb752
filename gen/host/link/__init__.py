"""A board over its serial port: frames, requests, and the transport that `Accelerator` takes."""

from .array import BoardArray
from .board import BoardInfo, BoardTransport, SelfTestError
from .errors import BoardResetError, LinkError, SilentError
from .port import Port, PortError, open_port
from .session import Session

__all__ = [
    "BoardArray",
    "BoardInfo",
    "BoardResetError",
    "BoardTransport",
    "LinkError",
    "Port",
    "PortError",
    "SelfTestError",
    "Session",
    "SilentError",
    "open_port",
]
