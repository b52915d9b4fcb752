"""The product of two significands and an addend, in one carry-save tree."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib.wiring import In, Out

from sevedo.hw.float.pipeline import check_stages, held
from sevedo.hw.integer.compress import BitHeap
from sevedo.hw.unit import Unit

_SELECTED = 0.5
"""When a partial product is there, in the unit of `sevedo.hw.integer.compress`: about a full adder and a half."""


class ProductSum(Unit):
    """``a * b * 2**below + addend`` of unsigned words: one carry-save tree and one addition.

    The factor b is recoded by Booth's algorithm (MacSorley: High-speed arithmetic in binary computers, Proc. IRE
    49(1), 1961), which halves the number of partial products.

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

    def __init__(
        self, a_bits: int, b_bits: int, below: int = 0, stages: int = 0, has_addend: bool = True
    ) -> None:
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

    @property
    def definition(self) -> str | None:
        """Product and addend, as Verilog; None with a pipeline stage."""
        if self._stages:
            return None
        product = f"((a * b) << {self._below})" if self._below else "a * b"
        return f"  assign sum = {product}{' + addend' if self._has_addend else ''};\n"

    def build(self) -> Module:
        m = Module()
        heap = BitHeap(len(self.sum))
        self._add_product(m, heap)
        if self._has_addend:
            heap.add_vector(self.addend)
        first, second = held(m, self._stages > 0, *heap.rows(m))
        m.d.comb += self.sum.eq(first + second)
        return m

    def _add_product(self, m: Module, heap: BitHeap) -> None:
        """The partial products: one for every two bits of b, ``a`` times -2 to 2 (Booth, radix 4)."""
        a = Cat(Const(0, 1), self.a, Const(0, 1))
        b = Cat(Const(0, 1), self.b, Const(0, 2))
        for i in range(self._b_bits // 2 + 1):
            place = 2 * i + self._below
            low, middle, high = b[2 * i], b[2 * i + 1], b[2 * i + 2]
            if 2 * i >= self._b_bits:  # 0 or 1
                for j in range(self._a_bits):
                    heap.add(self.a[j] & low, place + j)
                continue
            one = Signal(name=f"one_{i}")
            two = Signal(name=f"two_{i}")
            partial = Signal(self._a_bits + 1, name=f"partial_{i}")
            every = len(partial)
            m.d.comb += [
                one.eq(low ^ middle),
                two.eq((high & ~middle & ~low) | (~high & middle & low)),
                partial.eq(
                    ((one.replicate(every) & a[1:]) | (two.replicate(every) & a[:-1])) ^ high.replicate(every)
                ),
            ]
            heap.add_vector(partial, place, arrival=_SELECTED)
            if 2 * i + 1 < self._b_bits:  # a negative multiple is a complement, one more, and a sign
                heap.add(high, place)
                heap.add(high, place + self._a_bits + 1, negative=True)
