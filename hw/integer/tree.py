"""Timing of a carry-save tree: which bits meet in which adder, and which adders must be fast.

Delays are those of sky130_fd_sc_hd in ns, typical corner, with one adder as load (docs/integer.md); only their ratios
shape the tree, and they are much the same elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from heapq import heappop, heappush


@dataclass(frozen=True)
class Kind:
    """A kind of adder and its delays; of three inputs the third is the one that arrives last."""

    name: str
    early_to_sum: float
    early_to_carry: float
    late_to_sum: float
    late_to_carry: float


CELL = Kind("cell", 0.56, 0.44, 0.51, 0.39)
"""The library's adder cell, 20.0 um2."""
FAST = Kind("fast", 0.43, 0.37, 0.21, 0.16)
"""Two exclusive ors and three gates, 28.8 um2."""
ONE = Kind("one", 0.21, 0.15, 0.21, 0.15)
"""A full adder with one input tied to one: two gates."""
HALF = Kind("half", 0.21, 0.15, 0.21, 0.15)
"""A half adder: two gates."""


@dataclass(eq=False)
class Adder:
    """An adder of three bits, or of two, in the order in which they arrive."""

    inputs: tuple[Bit, ...]
    kind: Kind
    sum: Bit = field(init=False)
    carry: Bit = field(init=False)

    def __post_init__(self) -> None:
        self.sum = Bit(0.0)
        self.carry = Bit(0.0)
        self.settle()

    def settle(self) -> None:
        """Arrival of the outputs from arrival of the inputs."""
        early = max(bit.arrival for bit in self.inputs[:2])
        late = max(bit.arrival for bit in self.inputs[2:] or self.inputs)
        self.sum.arrival = max(early + self.kind.early_to_sum, late + self.kind.late_to_sum)
        self.carry.arrival = max(early + self.kind.early_to_carry, late + self.kind.late_to_carry)

    def require(self) -> None:
        """Tighten what is required of the inputs to what is required of the outputs."""
        for place, bit in enumerate(self.inputs):
            kind = self.kind
            to_sum, to_carry = kind.early_to_sum, kind.early_to_carry
            if place == 2:
                to_sum, to_carry = kind.late_to_sum, kind.late_to_carry
            bit.required = min(bit.required, self.sum.required - to_sum, self.carry.required - to_carry)


@dataclass(eq=False)
class Bit:
    """A bit of the tree: when it arrives, and when it must."""

    arrival: float
    required: float = float("inf")


def three_greedy(columns: list[list[Bit]], constant: int) -> tuple[list[Adder], list[list[Bit]], int]:
    """Reduce every column to at most two bits, always adding the three that arrive first; all adders are fast.

    Stelling, Martel, Oklobdzija, Ravi: Optimal circuits for parallel multipliers, IEEE Trans. Computers 47(3), 1998.
    A bit of `constant` stands for one of the three. Half adders are not needed.

    Returns
    -------
    The adders, each after those that feed it; the columns that are left; what is left of the constant.
    """
    adders: list[Adder] = []
    left: list[list[Bit]] = []
    heaps: list[list[tuple[float, int, Bit]]] = [[] for _ in range(len(columns) + 1)]
    number = 0

    def push(column: int, bit: Bit) -> None:
        nonlocal number
        heappush(heaps[column], (bit.arrival, number, bit))
        number += 1

    for place, column in enumerate(columns):
        for bit in column:
            push(place, bit)
        heap = heaps[place]
        while len(heap) > 2 or (len(heap) == 2 and constant >> place & 1):
            one = constant >> place & 1
            constant &= ~(1 << place)
            adder = Adder(tuple(heappop(heap)[2] for _ in range(2 if one else 3)), ONE if one else FAST)
            adders.append(adder)
            push(place, adder.sum)
            push(place + 1, adder.carry)
        left.append([bit for _, _, bit in sorted(heap)])
    return adders, left, constant


def carry_chain(left: list[list[Bit]], two: Kind) -> tuple[list[Adder], list[list[Bit]]]:
    """Add what a reduction left, column after column, to one bit in each; `two` is the kind that adds two bits."""
    adders: list[Adder] = []
    total: list[list[Bit]] = []
    carry: list[Bit] = []
    for column in left:
        bits = column + carry
        carry = []
        if len(bits) > 1:
            adders.append(Adder(tuple(bits), FAST if len(bits) == 3 else two))
            bits, carry = [adders[-1].sum], [adders[-1].carry]
        total.append(bits)
    return adders, total


def relax(adders: list[Adder], left: list[list[Bit]], deadline: float) -> None:
    """Make every fast adder a cell that need not be fast for the bits in `left` to arrive by `deadline`.

    The first adders go first. Bits that cannot meet the deadline are made no later than they are.
    """
    for column in left:
        for bit in column:
            bit.required = max(deadline, bit.arrival)
    for adder in reversed(adders):
        adder.require()
    for adder in adders:
        fastest, adder.kind = adder.kind, CELL if adder.kind is FAST else adder.kind
        adder.settle()
        if adder.sum.arrival > adder.sum.required or adder.carry.arrival > adder.carry.required:
            adder.kind = fastest
            adder.settle()
