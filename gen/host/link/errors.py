"""What can go wrong on the way to a board. Every message is one line."""

from __future__ import annotations

from sevedo.gen.host.accelerator import HostError


class LinkError(HostError):
    """The board, or what is on the way to it, does not do what it should."""


class SilentError(LinkError):
    """No answer within the time-out."""


class BoardResetError(LinkError):
    """The board was reset since it was spoken to last: what it held is lost."""
