"""Order of floating-point numbers."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib.wiring import In, Out

from sevedo.gen.config.formats import FloatFormat
from sevedo.hw.float.pipeline import float_name
from sevedo.hw.float.unpack import Unpack
from sevedo.hw.unit import Unit


class Compare(Unit):
    """The order of two floating-point numbers (IEEE 754-2019, 5.11).

    Timing: combinational.
    Numerics: exact. -0 equals +0; in a format without subnormals these are zeros. With a NaN on either side the two
    are unordered and neither less nor equal.

    Parameters
    ----------
    format : both operands

    Members
    -------
    a, b : In(format.width)
    less : Out(1), a < b
    equal : Out(1), a == b
    unordered : Out(1)
    """

    def __init__(self, format: FloatFormat) -> None:
        self._format = format
        super().__init__(
            {
                "a": In(format.width),
                "b": In(format.width),
                "less": Out(1),
                "equal": Out(1),
                "unordered": Out(1),
            }
        )

    @property
    def module_name(self) -> str:
        return float_name("compare", self._format)

    @property
    def latency(self) -> int:
        """Cycles from operands to outputs."""
        return 0

    def build(self) -> Module:
        m = Module()
        m.submodules.unpack_a = a = Unpack(self._format)
        m.submodules.unpack_b = b = Unpack(self._format)
        size_a, size_b = _magnitude(self._format, self.a, a), _magnitude(self._format, self.b, b)
        smaller = Signal()
        same = Signal()
        m.d.comb += [
            a.encoding.eq(self.a),
            b.encoding.eq(self.b),
            smaller.eq(size_a < size_b),
            same.eq(size_a == size_b),
            self.unordered.eq(a.nan | b.nan),
            self.equal.eq(~self.unordered & same & ((a.negative == b.negative) | a.zero)),
            self.less.eq(
                ~self.unordered
                & Mux(
                    a.negative, Mux(b.negative, ~smaller & ~same, ~(a.zero & b.zero)), ~b.negative & smaller
                )
            ),
        ]
        return m


class Maximum(Unit):
    """The larger of two magnitudes: ``max(abs(a), abs(b))``.

    Timing: combinational.
    Numerics: exact; the sign of the result is 0. A NaN on either side gives the canonical NaN, as a maximum over a
    group must not hide one.

    Parameters
    ----------
    format : operands and result

    Members
    -------
    a, b : In(format.width)
    result : Out(format.width)
    """

    def __init__(self, format: FloatFormat) -> None:
        self._format = format
        super().__init__({"a": In(format.width), "b": In(format.width), "result": Out(format.width)})

    @property
    def module_name(self) -> str:
        return float_name("maximum", self._format)

    @property
    def latency(self) -> int:
        """Cycles from operands to result."""
        return 0

    def build(self) -> Module:
        m = Module()
        m.submodules.unpack_a = a = Unpack(self._format)
        m.submodules.unpack_b = b = Unpack(self._format)
        size_a, size_b = _magnitude(self._format, self.a, a), _magnitude(self._format, self.b, b)
        m.d.comb += [
            a.encoding.eq(self.a),
            b.encoding.eq(self.b),
            self.result.eq(Mux(a.nan | b.nan, self._format.nan, Mux(size_a < size_b, size_b, size_a))),
        ]
        return m


def _magnitude(format: FloatFormat, encoding: Value, parts: Unpack) -> Value:
    """The bits below the sign, which order as the numbers do; 0 for what the format reads as zero."""
    bits = encoding[: format.exponent_bits + format.fraction_bits]
    if format.has_zero and not format.subnormals:
        return bits & (~parts.zero).replicate(len(bits))
    return bits
