"""Buses that the tests of the bus units run on."""

from __future__ import annotations

import pytest

from sevedo.gen.config import Config, preset

WIDTHS = {4: (16, 2, 32), 8: (1, 8, 40), 16: (64, 8, 40), 32: (8, 3, 64), 64: (256, 2, 48), 128: (16, 1, 33)}
"""Bytes of the bus: beats of a burst, bursts read ahead, bits of an address."""

EVERY = [pytest.param(width, marks=() if width <= 16 else pytest.mark.exact) for width in WIDTHS]
"""All of them; the wide ones with `make exact`."""


def config_of(data_bytes: int) -> Config:
    """`tiny` with another bus."""
    burst, outstanding, address_bits = WIDTHS[data_bytes]
    return preset("tiny").replace(
        bus__data_bytes=data_bytes,
        bus__burst=burst,
        bus__outstanding=outstanding,
        bus__address_bits=address_bits,
    )
