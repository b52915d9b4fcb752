"""Carry-save reduction: any set of weighted bits to two rows, by the arrival time of each bit.

The order is that of the three-greedy algorithm (Stelling, Martel, Oklobdzija, Ravi: Optimal circuits for parallel
multipliers, IEEE Trans. Computers 47(3), 1998): in every column the three bits that arrive first are added first.
A column of n bits takes n // 2 - 1 + n % 2 full adders and no half adder; one or two bits are left.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from itertools import count

from amaranth.hdl import *

from .adder import FullAdder

AB_SUM, AB_CARRY = 0.38, 0.35
"""Delays of a full adder from its inputs a and b, in ns of sky130_fd_sc_hd__fa_1; only their ratios matter."""
C_SUM, C_CARRY = 0.37, 0.33
"""The same from its input c, which takes the latest of the three bits."""


class BitHeap:
    """A sum of weighted bits modulo 2^width, reduced in one tree.

    Bits of negative weight are added as their complement and a constant; all constants are one number in the end and
    enter the tree once. An *inverted* heap holds the complement of its sum: then the bits of *positive* weight go in
    complemented, which saves area when there are more of those, as a NAND is smaller than an AND.

    Parameters
    ----------
    width : bits of the result, 1 or more
    inverted : hold the complement of the sum
    """

    def __init__(self, width: int, inverted: bool = False) -> None:
        if width < 1:
            raise ValueError(f"width={width} must be at least 1")
        self.width = width
        self.inverted = inverted
        self.constant = 0
        """What is still to be added to the sum of the bits."""
        self._columns: list[list[tuple[float, int, Value]]] = [[] for _ in range(width)]
        self._order = count()

    def add(self, bit: Value, weight: int = 0, negative: bool = False, arrival: float = 0.0) -> None:
        """Add ``bit * 2^weight``, or subtract it. `arrival` is in units of the adders' delays above."""
        if weight >= self.width:
            return
        if negative != self.inverted:
            self._push(weight, ~bit, arrival)
            self.constant -= 1 << weight
        else:
            self._push(weight, bit, arrival)

    def add_constant(self, value: int) -> None:
        """Add a constant."""
        self.constant += -value if self.inverted else value

    def add_vector(self, value: Value, shift: int = 0, negative: bool = False, arrival: float = 0.0) -> None:
        """Add ``value * 2^shift``, or subtract it; a signed value's top bit has negative weight."""
        shape = value.shape()
        for i in range(shape.width):
            top = shape.signed and i == shape.width - 1
            self.add(value[i], i + shift, negative != top, arrival)

    def rows(self, m: Module) -> tuple[Value, Value]:
        """Reduce to two rows; the sum of everything added is ``rows[0] + rows[1]`` modulo 2^width."""
        if self.inverted:  # ~r + ~s == -(r + s) - 2
            self.constant -= 2
        first, second = self._reduce(m)
        return (~first, ~second) if self.inverted else (first, second)

    def sum(self, m: Module) -> Value:
        """Reduce to the sum of everything added, modulo 2^width: the tree and one addition."""
        if self.inverted:  # ~t == -t - 1
            self.constant -= 1
        first, second = self._reduce(m)
        total = (first + second)[: self.width]
        return ~total if self.inverted else total

    def _push(self, weight: int, bit: Value, arrival: float) -> None:
        if weight < self.width:
            heappush(self._columns[weight], (arrival, next(self._order), bit))

    def _reduce(self, m: Module) -> tuple[Value, Value]:
        constant = self.constant % (1 << self.width)
        first: list[Value] = []
        second: list[Value] = []
        for weight, column in enumerate(self._columns):
            heapify(column)
            if constant >> weight & 1:
                self._add_one(column, weight)
            while len(column) > 2:
                (_, _, a), (middle, _, b), (last, _, c) = (heappop(column) for _ in range(3))
                m.submodules += (adder := FullAdder())
                m.d.comb += [adder.a.eq(a), adder.b.eq(b), adder.c.eq(c)]
                self._push(weight, adder.sum, max(middle + AB_SUM, last + C_SUM))
                self._push(weight + 1, adder.carry, max(middle + AB_CARRY, last + C_CARRY))
            bits = [bit for _, _, bit in sorted(column)] + [Const(0, 1)] * 2
            first.append(bits[0])
            second.append(bits[1])
        return Cat(*first), Cat(*second)

    def _add_one(self, column: list[tuple[float, int, Value]], weight: int) -> None:
        """Put a constant one into a column: a full adder with that input tied is two gates."""
        if len(column) < 2:
            self._push(weight, Const(1, 1), 0.0)
            return
        (_, _, a), (last, _, b) = heappop(column), heappop(column)
        self._push(weight, ~(a ^ b), last + AB_SUM / 2)
        self._push(weight + 1, a | b, last + AB_CARRY / 2)
