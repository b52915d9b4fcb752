"""Processing element: dot product, fine dequantization by shifts, exact accumulation over a coarse group."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import *
from amaranth.lib import data
from amaranth.lib.wiring import In, Out

from sevedo.hw.integer.dot import DotProduct
from sevedo.hw.unit import Unit


class ProcessingElement(Unit):
    """One output element's coarse group: a dot product per cycle, shifted and accumulated exactly.

    The accumulator stays while the operands pass (output-stationary). Its sum leaves through a drain register, which
    is one place of a shift chain through the PEs that share a coarse-scale unit.

    Timing: no back pressure. Operands of cycle c, with `product_enable` in c, are in the product register in c + 1;
    with `accumulate` in c + 1 they are in the accumulator in c + 2; with `capture` in c + 2 the accumulator is at
    `drain_out` in c + 3: `latency` cycles in all. A group may follow another without a gap: `capture` may
    coincide with the `accumulate` and `first` of the next group and takes the accumulator as it was before.
    Numerics: exact, A_G of docs/numerics.md; `accumulator_bits` of `Config` cannot overflow in a coarse group.

    Parameters
    ----------
    lanes : products per cycle
    x_bits, w_bits : width of an activation code and of a weight code, two's complement
    x_shift_bits, w_shift_bits : width of the fine shifts, 0 to 4; with 0 the port is absent
    accumulator_bits : width of the accumulator, at least that of one dot product shifted by the most

    Members
    -------
    x_codes, w_codes : In(ArrayLayout(signed(x_bits), lanes)), In(ArrayLayout(signed(w_bits), lanes))
    x_shift, w_shift : In(x_shift_bits), In(w_shift_bits), k of the contract: codes are worth 2^-k of the largest step
    product_enable : In(1), take the dot product and its shift; otherwise they are kept
    accumulate : In(1), add the shifted product
    first : In(1), with `accumulate`: add it to zero instead
    capture : In(1), copy the accumulator into the drain register; goes before `drain`
    drain : In(1), the drain register takes `drain_in`
    drain_in : In(signed(accumulator_bits)), from the next PE of the chain
    drain_out : Out(signed(accumulator_bits)), the drain register

    Raises
    ------
    ValueError : when a parameter is out of its range.
    """

    latency = 3

    def __init__(
        self, lanes: int, x_bits: int, w_bits: int, x_shift_bits: int, w_shift_bits: int, accumulator_bits: int
    ) -> None:
        for name, bits in ("x_shift_bits", x_shift_bits), ("w_shift_bits", w_shift_bits):
            if not 0 <= bits <= 4:
                raise ValueError(f"{name}={bits} must be between 0 and 4")
        self._dot = DotProduct(lanes, x_bits, w_bits)
        self.max_shift = (1 << x_shift_bits) - 1 + (1 << w_shift_bits) - 1
        least = self._dot.sum_bits + self.max_shift
        if accumulator_bits < least:
            raise ValueError(f"accumulator_bits={accumulator_bits} must be at least {least}, one shifted dot product")
        self.accumulator_bits = accumulator_bits
        self.shift_bits = (x_shift_bits, w_shift_bits)
        ports: dict[str, Any] = {"x_codes": In(data.ArrayLayout(signed(x_bits), lanes))}
        if x_shift_bits:
            ports["x_shift"] = In(x_shift_bits)
        ports["w_codes"] = In(data.ArrayLayout(signed(w_bits), lanes))
        if w_shift_bits:
            ports["w_shift"] = In(w_shift_bits)
        super().__init__(
            ports
            | {
                "product_enable": In(1),
                "accumulate": In(1),
                "first": In(1),
                "capture": In(1),
                "drain": In(1),
                "drain_in": In(signed(accumulator_bits)),
                "drain_out": Out(signed(accumulator_bits)),
            }
        )

    @property
    def module_name(self) -> str:
        codes = f"{self._dot.lanes}_s{self._dot.a_shape.width}_s{self._dot.b_shape.width}"
        shifts = "_".join(str(bits) for bits in self.shift_bits)
        return f"processing_element_{codes}_shift_{shifts}_acc_{self.accumulator_bits}"

    def build(self) -> Module:
        m = Module()
        m.submodules.dot = dot = self._dot
        m.d.comb += [dot.a.eq(self.x_codes), dot.b.eq(self.w_codes)]

        # Kx - kx is kx with every bit inverted: the sum of both is the places to the left.
        places = Const(0, 1)
        for name, bits in zip(("x_shift", "w_shift"), self.shift_bits, strict=True):
            if bits:
                places = places + ~getattr(self, name)
        product = Signal(signed(dot.sum_bits), reset_less=True)
        shift = Signal(range(self.max_shift + 1), reset_less=True)
        with m.If(self.product_enable):
            m.d.sync += [product.eq(dot.sum), shift.eq(places)]

        accumulator = Signal(signed(self.accumulator_bits), reset_less=True)
        shifted = Signal(signed(dot.sum_bits + self.max_shift))
        m.d.comb += shifted.eq(product << shift)
        with m.If(self.accumulate):
            m.d.sync += accumulator.eq(Mux(self.first, 0, accumulator) + shifted)

        sum_out = Signal(signed(self.accumulator_bits), reset_less=True)
        with m.If(self.capture):
            m.d.sync += sum_out.eq(accumulator)
        with m.Elif(self.drain):
            m.d.sync += sum_out.eq(self.drain_in)
        m.d.comb += self.drain_out.eq(sum_out)
        return m
