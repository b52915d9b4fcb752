"""Carry-save reduction of any set of weighted bits, and its sum."""

from __future__ import annotations

from amaranth.hdl import *

from .adder import FullAdder
from .tree import FAST, HALF, ONE, Adder, Bit, carry_chain, relax, three_greedy

SLACK = 0.07
"""How much later than in the fastest tree the result may be, as a fraction: every adder that this allows is a cell."""


class BitHeap:
    """A sum of weighted bits modulo 2^width, reduced in one tree.

    Bits of negative weight are added as their complement and a constant; all constants are one number in the end and
    enter the tree once. An *inverted* heap holds the complement of its sum: then the bits of *positive* weight go in
    complemented, which saves area when there are more of those, as a NAND is smaller than an AND.

    Parameters
    ----------
    width : bits of the result, 1 or more
    inverted : hold the complement of the sum
    slack : see `SLACK`
    """

    def __init__(self, width: int, inverted: bool = False, slack: float = SLACK) -> None:
        if width < 1:
            raise ValueError(f"width={width} must be at least 1")
        self.width = width
        self.inverted = inverted
        self.slack = slack
        self._constant = 0
        self._columns: list[list[Bit]] = [[] for _ in range(width)]
        self._values: dict[Bit, Value] = {}

    def add(self, value: Value, weight: int = 0, negative: bool = False, arrival: float = 0.0) -> None:
        """Add ``value * 2^weight`` of a bit, or subtract it. `arrival` is in units of the adders' delays."""
        if weight >= self.width:
            return
        bit = Bit(arrival)
        self._columns[weight].append(bit)
        complemented = negative != self.inverted
        self._values[bit] = ~value if complemented else value
        if complemented:
            self._constant -= 1 << weight

    def add_constant(self, value: int) -> None:
        """Add a constant."""
        self._constant += -value if self.inverted else value

    def add_vector(self, value: Value, weight: int = 0, negative: bool = False, arrival: float = 0.0) -> None:
        """Add ``value * 2^weight``, or subtract it; a signed value's top bit has negative weight."""
        shape = value.shape()
        for i in range(shape.width):
            top = shape.signed and i == shape.width - 1
            self.add(value[i], i + weight, negative != top, arrival)

    def rows(self, m: Module) -> tuple[Value, Value]:
        """Reduce to two rows; the sum of everything added is ``rows[0] + rows[1]`` modulo 2^width."""
        if self.inverted:  # ~r + ~s == -(r + s) - 2
            self._constant -= 2
        adders, left = self._reduce()
        self._relax(adders, left)
        self._emit(m, adders)
        return self._row(left, 0), self._row(left, 1)

    def sum(self, m: Module) -> Value:
        """Reduce to the sum of everything added, modulo 2^width: the tree and one addition.

        The addition is a chain, as its columns are ready one after the other.
        """
        if self.inverted:  # ~r + ~s + 1 == -(r + s) - 1
            self._constant -= 1
        adders, left = self._reduce()
        # Complemented, the columns take the chain's +1 where it first matters: ONE in place of HALF.
        chain, total = carry_chain(left, ONE if self.inverted else HALF)
        self._relax(adders + chain, total)
        self._emit(m, adders)
        if self.inverted:
            for bit in (bit for column in left for bit in column):
                self._values[bit] = ~self._values[bit]
        self._emit(m, chain)
        return Cat(self._values[column[0]] if column else Const(self.inverted, 1) for column in total)

    def _reduce(self) -> tuple[list[Adder], list[list[Bit]]]:
        adders, left, constant = three_greedy(self._columns, self._constant % (1 << self.width))
        for place, column in enumerate(left):
            if constant >> place & 1:
                column.append(one := Bit(0.0))
                self._values[one] = Const(1, 1)
        return adders, left

    def _relax(self, adders: list[Adder], ends: list[list[Bit]]) -> None:
        fastest = max((bit.arrival for column in ends for bit in column), default=0.0)
        relax(adders, ends, (1 + self.slack) * fastest)

    def _emit(self, m: Module, adders: list[Adder]) -> None:
        """The hardware of `adders`."""
        values = self._values
        for adder in adders:
            a, b, *c = (values[bit] for bit in adder.inputs)
            if adder.kind is ONE:
                values[adder.sum], values[adder.carry] = ~(a ^ b), a | b
            elif adder.kind is HALF:
                values[adder.sum], values[adder.carry] = a ^ b, a & b
            else:
                m.submodules += (cell := FullAdder(fast=adder.kind is FAST))
                m.d.comb += [cell.a.eq(a), cell.b.eq(b), cell.c.eq(c[0])]
                values[adder.sum], values[adder.carry] = cell.sum, cell.carry

    def _row(self, columns: list[list[Bit]], place: int) -> Value:
        bits = [self._values[column[place]] if place < len(column) else Const(0, 1) for column in columns]
        return ~Cat(bits) if self.inverted else Cat(bits)
