"""Figures as a reader wants them, with their units."""

from __future__ import annotations

MISSING = "–"
"""What stands where there is no figure."""


def number(value: float | None, places: int = 0) -> str:
    """With thousands apart: ``1,234.5``."""
    return MISSING if value is None else f"{value:,.{places}f}"


def percent(share: float | None, places: int = 1) -> str:
    """A share: ``93.1 %``."""
    return MISSING if share is None else f"{100 * share:.{places}f} %"


def digits(value: float | None, count: int = 3) -> str:
    """So many digits that say something, and thousands apart: ``0.0123``, ``12.3``, ``1,230``."""
    if value is None:
        return MISSING
    if value == 0:
        return "0"
    text = f"{value:.{count}g}"
    return f"{float(text):,.0f}" if "e" in text or abs(value) >= 10**count else text


def area(value: float | None, unit: str = "um2") -> str:
    """An area: um2 as ``9,050 µm²`` or ``0.412 mm²``; others as they are."""
    if value is None:
        return MISSING
    if unit != "um2":
        return f"{value:,.0f} {unit}"
    return f"{value / 1e6:,.3f} mm²" if value >= 1e5 else f"{value:,.0f} µm²"


def bits(value: int) -> str:
    """A size of memory: ``512 b``, ``64 KiB``, ``1.5 MiB``."""
    if value < 8192:
        return f"{value:,} b"
    kib = value / 8192
    return f"{kib:,.4g} KiB" if kib < 1024 else f"{kib / 1024:,.4g} MiB"


def duration(milliseconds: float | None) -> str:
    """A time: ``0.0123 ms``, ``12.3 ms``, ``1.23 s``."""
    if milliseconds is None:
        return MISSING
    return f"{digits(milliseconds)} ms" if milliseconds < 1000 else f"{digits(milliseconds / 1000)} s"


def operations(tops: float) -> str:
    """A rate: ``51.2 GOPS``, ``4.1 TOPS``."""
    return f"{digits(tops)} TOPS" if tops >= 1 else f"{digits(1000 * tops)} GOPS"
