"""What a register map is, as plain data. The processor's is `register_map.REGISTERS`, made from SystemRDL."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class Kind(Enum):
    """What stands behind a field, and who may write it."""

    CONSTANT = "constant"
    """Its reset value. Software reads."""
    VALUE = "value"
    """What the hardware gives. Software reads."""
    PULSE = "pulse"
    """Writing 1 gives the hardware a pulse. Software writes; it reads as 0."""
    STORED = "stored"
    """What software wrote. Software reads and writes."""
    LOCKED = "locked"
    """The same, but it can be written only while the processor does not run."""
    STICKY = "sticky"
    """Set by the hardware. Software reads, and clears by writing 1."""
    COUNTER = "counter"
    """The lower half of a counter. Software reads, which keeps the upper half for LATCH."""
    LATCH = "latch"
    """The upper half of the counter whose lower half was read last. Software reads."""

    @property
    def written(self) -> bool:
        """Whether software may write it."""
        return self in (Kind.PULSE, Kind.STORED, Kind.LOCKED, Kind.STICKY)

    @property
    def access(self) -> str:
        """As tables tell it."""
        return {
            Kind.PULSE: "w", Kind.STORED: "rw", Kind.LOCKED: "rw, not while running", Kind.STICKY: "r, 1 clears",
        }.get(self, "r")  # fmt: skip


class Meaning(NamedTuple):
    """A value of a field that has a name."""

    name: str
    value: int
    description: str


class Field(NamedTuple):
    """Bits `low` to `low + width - 1` of a register. `increment`: bits of what a counter grows by in a cycle."""

    name: str
    low: int
    width: int
    kind: Kind
    reset: int
    description: str = ""
    increment: int = 0
    meanings: tuple[Meaning, ...] = ()

    @property
    def mask(self) -> int:
        """Its bits in the register."""
        return ((1 << self.width) - 1) << self.low


class Register(NamedTuple):
    """32 bits at byte `offset`. A value of 64 bits is two registers, ``<name>_LOW`` and ``<name>_HIGH``."""

    name: str
    offset: int
    fields: tuple[Field, ...]
    description: str

    @property
    def written(self) -> bool:
        """Whether software may write it."""
        return any(field.kind.written for field in self.fields)

    @property
    def reset(self) -> int:
        """What it reads as after reset, where that does not depend on the hardware."""
        return sum(field.reset << field.low for field in self.fields)

    def field(self, name: str) -> Field:
        """Its field of that name."""
        return next(field for field in self.fields if field.name == name)


def stem(name: str) -> tuple[str, int]:
    """The name of the value that register `name` has a part of, and the place of the part's lowest bit in it."""
    for ending, place in (("_LOW", 0), ("_HIGH", 32)):
        if name.endswith(ending):
            return name.removesuffix(ending), place
    return name, 0
