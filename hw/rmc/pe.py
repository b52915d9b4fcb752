"""Processing element: dot product, fine dequantization by shifts, exact accumulation over a coarse group."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import *
from amaranth.lib import data
from amaranth.lib.wiring import In, Out

from sevedo.hw.integer.compress import BitHeap
from sevedo.hw.integer.dot import DotProduct
from sevedo.hw.unit import Unit

_KEPT, _SHIFTED = 0.6, 1.1
"""When the accumulator and the shifted product are there, in units of the adders' delays."""


class ProcessingElement(Unit):
    """One output element's coarse group: a dot product per cycle, shifted and accumulated exactly.

    The accumulator stays while the operands pass (output-stationary). Its sum leaves through a drain register, which
    is one place of a shift chain through the PEs that share a coarse-scale unit.

    Timing: no back pressure. Operands of cycle c, with `product_enable` in c, are in the product register in c + 1 and
    in the accumulator in c + 2; with `capture` in c + 2 the accumulator is at `drain_out` in c + 3: `latency` cycles in
    all. Without `product_enable` the product is zero, so that the accumulator, which adds in every cycle, stays.
    `first` in c + 1 drops what the accumulator held. A group may follow another without a gap: `capture` may coincide
    with the `first` of the next group and takes the accumulator as it was before. The drain chain moves in every cycle:
    the PE's own sum is at `drain_out` in the cycle after `capture`, its n-th neighbour's n cycles later.
    Numerics: exact, A_G of docs/numerics.md; `accumulator_bits` of `Config` cannot overflow in a coarse group.

    Parameters
    ----------
    lanes : products per cycle
    x_bits, w_bits : width of an activation code and of a weight code, two's complement
    x_shift_bits, w_shift_bits : width of the fine shifts, 0 to 4; with 0 the port is absent
    accumulator_bits : width of the accumulator, at least that of one dot product shifted by the most
    operators : write products and sums, see `DotProduct`

    Members
    -------
    x_codes, w_codes : In(ArrayLayout(signed(x_bits), lanes)), In(ArrayLayout(signed(w_bits), lanes))
    x_shift, w_shift : In(x_shift_bits), In(w_shift_bits), k of the contract: codes are worth 2^-k of the largest step
    product_enable : In(1), take the dot product and not zero
    first : In(1), start from zero with the product in the product register
    capture : In(1), copy the accumulator into the drain register, which otherwise takes `drain_in`
    drain_in : In(signed(accumulator_bits)), from the next PE of the chain
    drain_out : Out(signed(accumulator_bits)), the drain register

    Raises
    ------
    ValueError : when a parameter is out of its range.
    """

    latency = 3

    def __init__(
        self,
        lanes: int,
        x_bits: int,
        w_bits: int,
        x_shift_bits: int,
        w_shift_bits: int,
        accumulator_bits: int,
        operators: bool = False,
    ) -> None:
        for name, bits in ("x_shift_bits", x_shift_bits), ("w_shift_bits", w_shift_bits):
            if not 0 <= bits <= 4:
                raise ValueError(f"{name}={bits} must be between 0 and 4")
        self._dot = DotProduct(lanes, x_bits, w_bits, operators=operators)
        self.max_shift = (1 << x_shift_bits) - 1 + (1 << w_shift_bits) - 1
        least = self._dot.sum_bits + self.max_shift
        if accumulator_bits < least:
            raise ValueError(
                f"accumulator_bits={accumulator_bits} must be at least {least}, one shifted dot product"
            )
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
                "first": In(1),
                "capture": In(1),
                "drain_in": In(signed(accumulator_bits)),
                "drain_out": Out(signed(accumulator_bits)),
            }
        )

    @property
    def module_name(self) -> str:
        codes = f"{self._dot.lanes}_s{self._dot.a_shape.width}_s{self._dot.b_shape.width}"
        shifts = "_".join(str(bits) for bits in self.shift_bits)
        form = "_operators" if self._dot.operators else ""
        return f"processing_element_{codes}_shift_{shifts}_acc_{self.accumulator_bits}{form}"

    def build(self) -> Module:
        m = Module()
        m.submodules.dot = dot = self._dot
        m.d.comb += [dot.a.eq(self.x_codes), dot.b.eq(self.w_codes)]

        product = Signal(signed(dot.sum_bits), reset_less=True)
        m.d.sync += product.eq(Mux(self.product_enable, dot.sum, 0))

        # Kx - kx is kx with every bit inverted. Two shifts in a row take no adder for the amount.
        shifted: Value = product
        for name, bits in zip(("w_shift", "x_shift"), reversed(self.shift_bits), strict=True):
            if bits:
                places = Signal(bits, name=f"{name}_places", reset_less=True)
                m.d.sync += places.eq(~getattr(self, name))
                shifted = shifted << places
        addend = Signal(signed(self.accumulator_bits))
        m.d.comb += addend.eq(shifted)

        accumulator = Signal(signed(self.accumulator_bits), reset_less=True)
        kept = Signal(signed(self.accumulator_bits))
        m.d.comb += kept.eq(Mux(self.first, 0, accumulator))
        m.d.sync += accumulator.eq(kept + addend if dot.operators else self._add(m, kept, addend))

        drained = Signal(signed(self.accumulator_bits), reset_less=True)
        m.d.sync += drained.eq(Mux(self.capture, accumulator, self.drain_in))
        m.d.comb += self.drain_out.eq(drained)
        return m

    def _add(self, m: Module, kept: Value, addend: Value) -> Value:
        heap = BitHeap(self.accumulator_bits)
        for place in range(self.accumulator_bits):  # modulo its width, the sum needs no signs
            heap.add(kept[place], place, arrival=_KEPT)
            heap.add(addend[place], place, arrival=_SHIFTED)
        return heap.sum(m)
