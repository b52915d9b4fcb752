"""A master of a word bus, for testbenches."""

from __future__ import annotations

from typing import Any


async def ask(context: Any, bus: Any, address: int, data: int | None = None) -> tuple[int, int]:
    """An access as a master makes it: what was read, error."""
    context.set(bus.request.valid, 1)
    context.set(bus.request.p.address, address)
    context.set(bus.request.p.write, data is not None)
    context.set(bus.request.p.data, data or 0)
    while not context.get(bus.request.ready):
        await context.tick()
    await context.tick()
    context.set(bus.request.valid, 0)
    for _ in range(400):
        if context.get(bus.done):
            return context.get(bus.data), context.get(bus.error)
        await context.tick()
    raise AssertionError("no answer")
