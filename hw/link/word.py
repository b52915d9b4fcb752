"""The words of a board: 32 bits at addresses of 32 bits, one access at a time."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out


def word_request() -> data.StructLayout:
    """An access: byte `address`, a multiple of 4; `write` `data`, or read."""
    return data.StructLayout({"address": unsigned(32), "write": unsigned(1), "data": unsigned(32)})


def word_bus() -> wiring.Signature:
    """Seen by who asks: a request is taken, then `done` is 1 for a cycle, with the `data` that was read, or `error`.

    The next request may come with `done` at the earliest.
    """
    return wiring.Signature(
        {
            "request": Out(stream.Signature(word_request())),
            "done": In(1),
            "data": In(32),
            "error": In(1),
        }
    )
