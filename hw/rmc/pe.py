"""Processing element: dot product, fine dequantization, exact accumulation over a coarse group."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import *
from amaranth.lib import data
from amaranth.lib.wiring import In, Out

from sevedo.gen.config import Config, FineLevel
from sevedo.hw.integer.dot import DotProduct
from sevedo.hw.unit import Unit

from .accumulate import AccumulatorAdder
from .dequantize import IntegerDequantizer, ShiftDequantizer


class ProcessingElement(Unit):
    """One output element's coarse group: a dot product per cycle, dequantized within the group and accumulated exactly.

    The accumulator stays while the operands pass (output-stationary). Its sum leaves through a drain register, which
    is one place of a shift chain through the PEs that share a coarse-scale unit.

    Timing: no back pressure. Operands of cycle c, with `product_enable` in c, are in the product register in c + 1 and
    in the accumulator in c + 2; with `capture` in c + 2 the accumulator is at `drain_out` in c + 3: `latency` cycles in
    all. With `registered` everything after c is a cycle later. Without `product_enable` the product is zero, so that
    the accumulator, which adds in every cycle, stays. `first` in c + 1 drops what the accumulator held, `promote`
    multiplies it by 2^digit_bits first. A group may follow another without a gap: `capture` may coincide with the
    `first` of the next group and takes the accumulator as it was before. The drain chain moves in every cycle: the
    PE's own sum is at `drain_out` in the cycle after `capture`, its n-th neighbour's n cycles later.
    A PE that does not accumulate is the dot product and its register: `latency` is 1, and the register stays without
    `product_enable`.
    Numerics: exact, A_G of docs/numerics.md; `accumulator_bits` of `Config` cannot overflow in a coarse group.

    Parameters
    ----------
    lanes : products per cycle
    x_bits, w_bits : width of an activation code and of a weight code (of a digit), two's complement
    level : what the numbers of the fine groups mean
    x_fine_bits, w_fine_bits : width of these numbers, 0 to 8 (shifts: 4); with 0 the port is absent
    accumulator_bits : width of the accumulator, at least that of one dequantized dot product
    digit_bits : what `promote` shifts by; with 0 the port is absent
    accumulate : whether there is an accumulator
    operators, registered : see `DotProduct`; with a register there everything after it is a cycle later

    Members
    -------
    x_codes, w_codes : In(ArrayLayout(signed(x_bits), lanes)), In(ArrayLayout(signed(w_bits), lanes))
    x_fine, w_fine : In(x_fine_bits), In(w_fine_bits), the fine groups' shifts or integer scales
    product_enable : In(1), take the dot product
    first : In(1), start from zero with the product in the product register
    promote : In(1), start from what there is times 2^digit_bits: the codes' next lower digits follow
    capture : In(1), copy the accumulator into the drain register, which otherwise takes `drain_in`
    drain_in : In(signed(accumulator_bits)), from the next PE of the chain
    drain_out : Out(signed(accumulator_bits)), the drain register, or the product register

    Raises
    ------
    ValueError : when a parameter is out of its range.
    """

    def __init__(
        self,
        lanes: int,
        x_bits: int,
        w_bits: int,
        level: FineLevel,
        x_fine_bits: int,
        w_fine_bits: int,
        accumulator_bits: int,
        digit_bits: int = 0,
        accumulate: bool = True,
        operators: bool = False,
        registered: bool = False,
    ) -> None:
        least, most = {FineLevel.NONE: (0, 0), FineLevel.SHIFT: (0, 4), FineLevel.INTEGER: (1, 8)}[level]
        for name, bits in ("x_fine_bits", x_fine_bits), ("w_fine_bits", w_fine_bits):
            if not least <= bits <= most:
                raise ValueError(f"{name}={bits} must be between {least} and {most} with level={level.value}")
        self._dot = DotProduct(lanes, x_bits, w_bits, operators=operators, registered=registered)
        self.level = level
        self.fine_bits = {"x_fine": x_fine_bits, "w_fine": w_fine_bits}
        factor = level.largest_factor(x_fine_bits) * level.largest_factor(w_fine_bits)
        least = (self._dot.sum_range[1] * factor).bit_length() + 1
        if accumulator_bits < least:
            raise ValueError(
                f"accumulator_bits={accumulator_bits} must be at least {least}, one dequantized dot product"
            )
        if not accumulate and (digit_bits or any(self.fine_bits.values())):
            raise ValueError("accumulate=False must come without fine levels and digits")
        self.accumulator_bits = accumulator_bits
        self.digit_bits = digit_bits
        self.accumulate = accumulate
        ports: dict[str, Any] = {"x_codes": In(data.ArrayLayout(signed(x_bits), lanes))}
        if x_fine_bits:
            ports["x_fine"] = In(x_fine_bits)
        ports["w_codes"] = In(data.ArrayLayout(signed(w_bits), lanes))
        if w_fine_bits:
            ports["w_fine"] = In(w_fine_bits)
        ports["product_enable"] = In(1)
        if accumulate:
            ports |= {"first": In(1)} | ({"promote": In(1)} if digit_bits else {})
            ports |= {"capture": In(1), "drain_in": In(signed(accumulator_bits))}
        super().__init__(ports | {"drain_out": Out(signed(accumulator_bits))})

    @classmethod
    def of(cls, config: Config) -> ProcessingElement:
        """The PE of a configuration."""
        groups, numbers = config.groups, config.numbers
        # Where both have several digits, these have the same width.
        wide = numbers.activation_bits if config.rmc.activation_passes > 1 else numbers.weight_bits
        return cls(
            lanes=config.rmc.lanes,
            x_bits=numbers.activation_bits,
            w_bits=numbers.weight_bits,
            level=groups.level,
            x_fine_bits=groups.activation_fine_bits,
            w_fine_bits=groups.weight_fine_bits,
            accumulator_bits=config.accumulator_bits,
            digit_bits=wide if config.passes > 1 else 0,
            accumulate=config.accumulates,
            registered=config.pipeline.dot > 0,
        )

    @property
    def latency(self) -> int:
        """Cycles from operands to `drain_out`."""
        return (3 if self.accumulate else 1) + self._dot.latency

    @property
    def module_name(self) -> str:
        codes = f"{self._dot.lanes}_s{self._dot.a_shape.width}_s{self._dot.b_shape.width}"
        fine = "_".join(str(bits) for bits in self.fine_bits.values())
        level = "" if self.level is FineLevel.NONE else f"_{self.level.value}_{fine}"
        form = f"_acc_{self.accumulator_bits}" if self.accumulate else "_direct"
        digits = f"_digits_{self.digit_bits}" if self.digit_bits else ""
        ending = "_operators" * self._dot.operators + "_registered" * self._dot.registered
        return f"processing_element_{codes}{level}{form}{digits}{ending}"

    def build(self) -> Module:
        m = Module()
        m.submodules.dot = dot = self._dot
        m.d.comb += [dot.a.eq(self.x_codes), dot.b.eq(self.w_codes)]
        product = Signal(signed(dot.sum_bits), reset_less=True)
        enable = self._later(m, "enable", self.product_enable)
        if not self.accumulate:
            with m.If(enable):
                m.d.sync += product.eq(dot.sum)
            m.d.comb += self.drain_out.eq(product)
            return m
        m.d.sync += product.eq(Mux(enable, dot.sum, 0))

        addends = self._dequantized(m, product)
        m.submodules.adder = adder = AccumulatorAdder(self.accumulator_bits, len(addends), dot.operators)
        accumulator = Signal(signed(self.accumulator_bits), reset_less=True)
        held: Value = accumulator
        if self.digit_bits:
            held = Mux(self.promote, accumulator << self.digit_bits, accumulator)
        m.d.comb += adder.kept.eq(Mux(self.first, 0, held))
        m.d.comb += [Value.cast(port).eq(value) for port, value in zip(adder.addends, addends, strict=True)]
        m.d.sync += accumulator.eq(adder.sum)

        drained = Signal(signed(self.accumulator_bits), reset_less=True)
        m.d.sync += drained.eq(Mux(self.capture, accumulator, self.drain_in))
        m.d.comb += self.drain_out.eq(drained)
        return m

    def _later(self, m: Module, name: str, value: Value) -> Value:
        """What comes with the operands, when their dot product is there."""
        if not self._dot.registered:
            return value
        kept = Signal(value.shape(), name=name, reset_less=True)
        m.d.sync += kept.eq(value)
        return kept

    def _dequantized(self, m: Module, product: Signal) -> list[Value]:
        """The product times the fine groups' factors, as numbers to be added, sign-extended."""
        x_bits, w_bits = self.fine_bits.values()
        if not x_bits and not w_bits:
            return [product]
        if self.level is FineLevel.SHIFT:
            m.submodules.dequantizer = shifter = ShiftDequantizer(len(product), x_bits, w_bits)
            m.d.comb += shifter.product.eq(product)
            for name, bits in (("x", x_bits), ("w", w_bits)):
                if bits:  # K - k is k with every bit inverted
                    places = Signal(bits, name=f"{name}_places", reset_less=True)
                    m.d.sync += places.eq(~self._later(m, f"{name}_fine_kept", getattr(self, f"{name}_fine")))
                    m.d.comb += getattr(shifter, f"{name}_places").eq(places)
            return [shifter.result]
        m.submodules.scales = scales = DotProduct(1, x_bits, w_bits, a_signed=False, b_signed=False)
        m.submodules.dequantizer = multiplier = IntegerDequantizer(
            len(product), x_bits + w_bits, self.accumulator_bits
        )
        scale = Signal(x_bits + w_bits, reset_less=True)
        m.d.comb += [
            scales.a[0].eq(self._later(m, "x_fine_kept", self.x_fine)),
            scales.b[0].eq(self._later(m, "w_fine_kept", self.w_fine)),
            multiplier.product.eq(product),
            multiplier.scale.eq(scale),
        ]
        m.d.sync += scale.eq(scales.sum)
        return [Value.cast(row) for row in multiplier.rows]
