"""Conversions between integers and floating-point numbers."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib.wiring import In, Out

from sevedo.gen.config.formats import FloatFormat, Rounding
from sevedo.hw.float import definition
from sevedo.hw.float.pipeline import check_stages, float_name, held
from sevedo.hw.float.round import Round
from sevedo.hw.float.unpack import Unpack
from sevedo.hw.float.window import Window
from sevedo.hw.unit import Unit


class IntegerToFloat(Unit):
    """``a * 2**exponent`` as a floating-point number, a being an integer.

    Timing: `stages` cycles, one result per cycle. Cuts: before rounding; then also at the operand.
    Numerics: rounded once, as `FloatFormat.encode`; 0 becomes +0.

    Parameters
    ----------
    width : bits of the integer
    signed : whether it is in two's complement
    target : the format
    rounding : direction
    exponent : of the power of two that the integer is multiplied by
    stages : 0 to 2

    Members
    -------
    a : In(signed(width)) or In(unsigned(width))
    result : Out(target.width)

    Raises
    ------
    ValueError : width below 1; stages out of range.
    """

    def __init__(
        self,
        width: int,
        signed: bool,
        target: FloatFormat,
        rounding: Rounding = Rounding.NEAREST_EVEN,
        exponent: int = 0,
        stages: int = 0,
    ) -> None:
        if width < 1:
            raise ValueError(f"width={width} must be at least 1")
        check_stages(stages, 2)
        self._width, self._signed, self._target, self._rounding = width, signed, target, rounding
        self._exponent, self._stages = exponent, stages
        super().__init__({"a": In(Shape(width, signed)), "result": Out(target.width)})

    @property
    def module_name(self) -> str:
        scale = (
            "" if not self._exponent else f"_{'up' if self._exponent > 0 else 'down'}{abs(self._exponent)}"
        )
        return float_name(
            f"from_{'int' if self._signed else 'uint'}{self._width}{scale}",
            self._target,
            rounding=self._rounding,
            stages=self._stages,
        )

    @property
    def latency(self) -> int:
        """Cycles from operand to result."""
        return self._stages

    @property
    def definition(self) -> str | None:
        """A double, scaled and rounded, as Verilog; None where that is not the same."""
        target = self._target
        writable = definition.is_writable(target, self._rounding)
        if not writable or not definition.is_exact_integer(self._width, self._exponent):
            return None
        number = definition.integer_to_real("a", self._width, self._signed, self._exponent)
        return definition.functions((), (target,)) + definition.assign(
            "result", target.width, definition.from_real(target, number), self._stages
        )

    def build(self) -> Module:
        m = Module()
        a = Signal(Shape(self._width, self._signed))
        m.d.comb += a.eq(held(m, self._stages > 1, self.a)[0])
        top = self._width - 1 + self._exponent
        window = Window(self._target, self._width, lowest=top, highest=top)
        negative = a[-1] if self._signed else Const(0, 1)
        m.submodules.round = rounder = Round(
            self._target,
            window.width,
            window.exponent_bits,
            self._rounding,
            int(self._stages > 0),
            window.subnormal,
            window.overflow,
        )
        m.d.comb += [
            # the magnitude of the smallest integer, too, fits as an unsigned word
            rounder.magnitude.eq(Mux(negative, -a, a)[: self._width]),
            rounder.exponent.eq(window.exponent(m, Const(0, 1), -top)),
            rounder.negative.eq(negative),
            self.result.eq(rounder.result),
        ]
        return m


class FloatToInteger(Unit):
    """A floating-point number rounded to a symmetric integer code.

    Timing: `stages` cycles, one result per cycle. Cut: at the operand.
    Numerics: rounded once to an integer, then clamped to ``-qmax..qmax`` with ``qmax = 2**(code_bits - 1) - 1``
    (the code ``-qmax - 1`` is never made); infinities clamp, NaN gives 0.

    Parameters
    ----------
    source : the format
    code_bits : width of the code, two's complement, 2 to 32
    rounding : direction
    stages : 0 or 1

    Members
    -------
    a : In(source.width)
    result : Out(signed(code_bits))

    Raises
    ------
    ValueError : code_bits or stages out of range.
    """

    def __init__(
        self, source: FloatFormat, code_bits: int, rounding: Rounding = Rounding.NEAREST_EVEN, stages: int = 0
    ) -> None:
        if not 2 <= code_bits <= 32:
            raise ValueError(f"code_bits={code_bits} must be between 2 and 32")
        check_stages(stages, 1)
        self._source, self._code_bits, self._rounding, self._stages = source, code_bits, rounding, stages
        super().__init__({"a": In(source.width), "result": Out(signed(code_bits))})

    @property
    def module_name(self) -> str:
        return float_name(
            "to_code", self._source, str(self._code_bits), rounding=self._rounding, stages=self._stages
        )

    @property
    def latency(self) -> int:
        """Cycles from operand to result."""
        return self._stages

    def build(self) -> Module:
        m = Module()
        source, bits = self._source, self._code_bits
        m.submodules.unpack = a = Unpack(source)
        m.d.comb += a.encoding.eq(held(m, self._stages > 0, self.a)[0])

        # Integer bits, half bit, rest: the top bit of the word is worth 2^(bits - 2).
        distance = Signal(signed(max(source.exponent_bits, bits.bit_length()) + 2))
        shift = Signal(range(bits + 1))
        word = Signal(bits + source.precision)
        rounded = Signal(bits)
        largest = (1 << (bits - 1)) - 1
        m.d.comb += [
            distance.eq(bits - 2 + source.bias - a.exponent),
            shift.eq(Mux(distance > bits, bits, distance)),
            word.eq(Cat(Const(0, bits), a.significand) >> shift),
            rounded.eq(
                word[source.precision + 1 :]
                + self._rounding.increment(
                    negative=a.negative,
                    odd=word[source.precision + 1],
                    half=word[source.precision],
                    rest=word[: source.precision].any(),
                )
            ),
        ]
        magnitude = Signal(bits - 1)
        with m.If(a.nan):
            m.d.comb += magnitude.eq(0)
        with m.Elif(a.infinite | (distance < 0) | rounded[-1]):
            m.d.comb += magnitude.eq(largest)
        with m.Else():
            m.d.comb += magnitude.eq(rounded)
        m.d.comb += self.result.eq(Mux(a.negative, -magnitude, magnitude))
        return m
