"""What memories would take that are no gates: a published energy per access, scaled; an estimate, told apart.

Horowitz ("Computing's energy problem", ISSCC 2014, pp. 10-14): a read of 64 bits from an 8 KiB cache takes 10 pJ at
45 nm and 0.9 V, 0.156 pJ a bit, decoding and tags included. The same is taken for a write. Macros of a core's
buffers are smaller (0.8 to 16 KiB) and much wider, so that this errs on the high side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .activity import MemoryActivity
from .outline import MemoryMacro
from .scaling import published

FJ_PER_BIT, NM, VOLTS = 10_000 / 64, 45.0, 0.9
"""Energy of a bit of an access, and where that was."""


@dataclass(frozen=True)
class MemoryEnergy:
    """An estimate.

    Members
    -------
    name : of the memory or stream
    bits : that were read or written in the run
    energy : fJ in the run
    """

    name: str
    bits: int
    energy: float

    def as_json(self, macs: int) -> dict[str, Any]:
        """As plain data."""
        return {"name": self.name, "bits": self.bits, "fj_per_mac": self.energy / macs}


def bit_energy(nm: float, volts: float) -> float:
    """fJ of a bit of an access in a technology."""
    return published(FJ_PER_BIT, NM, VOLTS, "hp", nm, volts)


def memories(
    found: Sequence[MemoryActivity], macros: Mapping[str, MemoryMacro], nm: float, volts: float
) -> list[MemoryEnergy]:
    """Energy of the memories in the design: bits written, and whole words read."""
    energies = []
    for one in found:
        bits = one.bits + one.reads * macros[one.module].width
        energies.append(MemoryEnergy(one.path.removesuffix("_memory"), bits, bits * bit_energy(nm, volts)))
    return energies


def operands(bits: Mapping[str, int], nm: float, volts: float) -> list[MemoryEnergy]:
    """Energy of reading operands, and writing outputs, in memories outside: bits of each stream's beats."""
    return [MemoryEnergy(name, count, count * bit_energy(nm, volts)) for name, count in bits.items()]
