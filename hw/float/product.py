"""The product of two significands and an addend, in one carry-save tree."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib.wiring import In, Out

from sevedo.hw.float.pipeline import check_stages, held
from sevedo.hw.integer.compress import BitHeap
from sevedo.hw.unit import Unit


class ProductSum(Unit):
    """``a * b * 2**below + addend`` of unsigned words: one carry-save tree and one addition.

    Timing: `stages` cycles, one result per cycle. The cut is before the addition.
    Numerics: exact.

    Parameters
    ----------
    a_bits, b_bits : widths of the factors
    below : bits of the addend below the product
    stages : 0 or 1
    has_addend : whether there is an addend

    Members
    -------
    a : In(a_bits)
    b : In(b_bits)
    addend : In(a_bits + b_bits + below); absent without `has_addend`
    sum : Out(a_bits + b_bits + below + 1), one bit less without addend

    Raises
    ------
    ValueError : stages out of range.
    """

    def __init__(self, a_bits: int, b_bits: int, below: int = 0, stages: int = 0,
                 has_addend: bool = True) -> None:
        check_stages(stages, 1)
        self._a_bits, self._b_bits, self._below, self._stages = a_bits, b_bits, below, stages
        self._has_addend = has_addend
        width = a_bits + b_bits + below
        members = {"a": In(a_bits), "b": In(b_bits), "sum": Out(width + has_addend)}
        super().__init__(members | ({"addend": In(width)} if has_addend else {}))

    @property
    def module_name(self) -> str:
        name = f"product{'_sum' if self._has_addend else ''}_{self._a_bits}_{self._b_bits}_{self._below}"
        return name + ("_stages1" if self._stages else "")

    @property
    def latency(self) -> int:
        """Cycles from operands to sum."""
        return self._stages

    def build(self) -> Module:
        m = Module()
        heap = BitHeap(len(self.sum), inverted=INVERTED)
        for i in range(self._a_bits):
            for j in range(self._b_bits):
                heap.add(self.a[i] & self.b[j], i + j + self._below)
        if self._has_addend:
            heap.add_vector(self.addend)
        first, second = held(m, self._stages > 0, *heap.rows(m))
        m.d.comb += self.sum.eq(first + second)
        return m


INVERTED = False
