"""Fine dequantizers: a fine group's integer sum times the factors of its two fine groups, still an integer."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib import data
from amaranth.lib.wiring import In, Out

from sevedo.hw.integer.compress import BitHeap
from sevedo.hw.unit import Unit


class ShiftDequantizer(Unit):
    """Shift-based fine dequantizer: a dot product shifted left by what its two fine groups say.

    Two shifts in a row take no adder for the amount. The places are what the fine shifts leave of the largest ones:
    K - k, which is k with every bit inverted.

    Timing: combinational.
    Numerics: exact: ``product << (x_places + w_places)`` cannot overflow.
    Source: SeVeDo, arXiv 2512.12930.

    Parameters
    ----------
    product_bits : width of the dot product, two's complement
    x_bits, w_bits : width of the fine shifts; with 0 the port is absent

    Members
    -------
    product : In(signed(product_bits))
    x_places, w_places : In(x_bits), In(w_bits)
    result : Out(signed(product_bits + Kx + Kw))
    """

    def __init__(self, product_bits: int, x_bits: int, w_bits: int) -> None:
        self.widths = {"w_places": w_bits, "x_places": x_bits}
        self.result_bits = product_bits + sum((1 << bits) - 1 for bits in self.widths.values())
        ports = {name: In(bits) for name, bits in reversed(self.widths.items()) if bits}
        super().__init__(
            {"product": In(signed(product_bits))} | ports | {"result": Out(signed(self.result_bits))}
        )

    @property
    def module_name(self) -> str:
        return f"shift_dequantizer_{len(self.product)}_{self.widths['x_places']}_{self.widths['w_places']}"

    def build(self) -> Module:
        m = Module()
        shifted: Value = self.product
        for name, bits in self.widths.items():
            if bits:
                shifted = shifted << getattr(self, name)
        m.d.comb += self.result.eq(shifted)
        return m


class IntegerDequantizer(Unit):
    """A dot product times an unsigned integer scale, as two numbers to be added: what follows is an addition anyway.

    Timing: combinational.
    Numerics: exact modulo 2^width: ``product * scale == rows[0] + rows[1]``.
    Source: VS-Quant, arXiv 2102.04503.

    Parameters
    ----------
    product_bits : width of the dot product, two's complement
    scale_bits : width of the scale, unsigned
    width : width of the rows

    Members
    -------
    product : In(signed(product_bits))
    scale : In(scale_bits)
    rows : Out(ArrayLayout(unsigned(width), 2))
    """

    def __init__(self, product_bits: int, scale_bits: int, width: int) -> None:
        self.width = width
        super().__init__(
            {
                "product": In(signed(product_bits)),
                "scale": In(scale_bits),
                "rows": Out(data.ArrayLayout(unsigned(width), 2)),
            }
        )

    @property
    def module_name(self) -> str:
        return f"integer_dequantizer_{len(self.product)}_{len(self.scale)}_{self.width}"

    @property
    def definition(self) -> str:
        """The product in the first row."""
        return (
            f"  wire signed [{self.width - 1}:0] exact = $signed(product) * $signed({{1'b0, scale}});\n"
            f"  assign rows = {{{{{self.width}{{1'b0}}}}, exact}};\n"
        )

    def build(self) -> Module:
        m = Module()
        heap = BitHeap(self.width)
        top = len(self.product) - 1
        for place in range(len(self.product)):
            for weight in range(len(self.scale)):
                heap.add(self.product[place] & self.scale[weight], place + weight, place == top)
        m.d.comb += [Value.cast(row).eq(value) for row, value in zip(self.rows, heap.rows(m), strict=True)]
        return m
