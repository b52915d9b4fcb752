"""docs/numerics.md a second time, slowly: Python integers and fractions, NumPy float32 scalars, one value at a time.

Shares nothing with `sevedo.ref` but the definitions of the formats. FP32 additions and multiplications are NumPy's
scalar ones (IEEE 754 in hardware); everything else is exact rationals.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from sevedo.gen.config import FP32, Config, FloatFormat, Kind, Number, Rounding

NAN, INF, ZERO = Number(Kind.NAN, False, Fraction(0)), Kind.INFINITE, Fraction(0)


def number(value: float) -> Number:
    """The exact meaning of a float64."""
    if math.isnan(value):
        return NAN
    negative = math.copysign(1, value) < 0
    if math.isinf(value):
        return Number(INF, negative, ZERO)
    return Number(Kind.FINITE, negative, abs(Fraction(value)))


def times(a: Number, b: Number) -> Number:
    """The exact product."""
    negative = a.negative != b.negative
    if NAN in (a, b):
        return NAN
    if INF in (a.kind, b.kind):
        zero = any(n.kind is Kind.FINITE and n.magnitude == 0 for n in (a, b))
        return NAN if zero else Number(INF, negative, ZERO)
    return Number(Kind.FINITE, negative, a.magnitude * b.magnitude)


def single(bits: int, fmt: FloatFormat) -> np.float32:
    """A code of any format as float32 (exact for the formats of the contract)."""
    return np.uint32(FP32.encode(fmt.decode(bits))).view(np.float32)


def single_bits(value: np.float32) -> int:
    """The bits of a float32, NaN canonical."""
    return FP32.nan if np.isnan(value) else int(np.float32(value).view(np.uint32))


def data_bits(value: np.float32, fmt: FloatFormat) -> int:
    """A float32 rounded to `fmt`, as bits."""
    return fmt.encode(FP32.decode(single_bits(value)))


@dataclass
class Row:
    """One quantized row: lists of integers, scales as bits."""

    codes: list[int]
    fine: list[int]
    scales: list[int]


@dataclass(frozen=True)
class Side:
    """What decides the codes of activations or weights, as plain integers."""

    scheme: str
    bits: int
    digits: int
    fine_bits: int
    fine: int
    coarse: int

    @classmethod
    def of(cls, config: Config, name: str, digits: int) -> Side:
        """`name` is activation or weight."""
        groups, bits = config.groups, getattr(config.numbers, f"{name}_bits")
        field = {"hgq": f"{name}_shift_bits", "vs-quant": f"{name}_scale_bits"}.get(groups.scheme)
        fine_bits = getattr(groups, field) if field else 0
        return cls(groups.scheme, bits, digits, fine_bits, groups.fine, groups.coarse)

    @property
    def qmax(self) -> int:
        """7 for INT4, 119 for two digits of it."""
        top = 2 ** (self.bits - 1) - 1
        return top + (2**self.bits * top if self.digits == 2 else 0)

    @property
    def lowest(self) -> int:
        """The lowest code that the hardware takes: -8 for INT4, -136 for two digits of it."""
        return -(2 ** (self.bits - 1)) * (1 + (2**self.bits if self.digits == 2 else 0))

    @property
    def limit(self) -> int:
        """What the maximum may reach: 9 and 120 for INT4."""
        return (
            2 ** (self.bits - 1) + 1 if self.digits == 1 else 2 ** (2 * self.bits - 1) - 2 ** (self.bits - 1)
        )

    @property
    def top(self) -> int:
        """The largest number of a fine group: K for shifts."""
        return 2**self.fine_bits - 1

    @property
    def places(self) -> int:
        """Binary places of the factors."""
        return self.top if self.scheme == "hgq" else 0

    @property
    def leveled(self) -> bool:
        """Whether fine groups have numbers."""
        return self.scheme in ("hgq", "vs-quant")

    def factor(self, row: Row, k: int) -> int:
        """The factor of value k, in units of 2^-places."""
        if self.scheme == "hgq":
            return 2 ** (self.top - row.fine[k // self.fine])
        return row.fine[k // self.fine] if self.scheme == "vs-quant" else 1


def scale_of(peak: Fraction, side: Side, scale: FloatFormat) -> int:
    """The scale of a finite group, as bits."""
    divisor = {"vs-quant": side.qmax * side.top, "mx": side.limit}.get(side.scheme, side.qmax)
    up = Rounding.NEAREST_EVEN if scale.has_zero else Rounding.TOWARD_POSITIVE
    return scale.encode(Number(Kind.FINITE, False, peak / divisor), up)


def number_of(peak: Fraction, step: Fraction, side: Side) -> int:
    """The number of a fine group: `step` is the scale."""
    if side.scheme == "hgq":
        return sum(peak * 2**j <= side.limit * step for j in range(1, side.top + 1))
    good = [s for s in range(side.top + 1) if peak <= (side.qmax + Fraction(1, 2)) * s * step]
    return min(good, default=side.top)


def quantize(row: list[int], data: FloatFormat, scale: FloatFormat, side: Side) -> Row:
    """The activations of one token, given as codes of `data`."""
    coarse, fine, qmax = side.coarse, side.fine, side.qmax
    values = [data.decode(code) for code in row]
    values += [data.decode(0)] * (-len(values) % coarse)
    plain = [1 if side.scheme == "vs-quant" else 0] * (coarse // fine if side.leveled else 0)
    result = Row([], [], [])
    for start in range(0, len(values), coarse):
        group = values[start : start + coarse]
        kinds = {value.kind for value in group}
        if Kind.NAN in kinds or INF in kinds:
            lost = Kind.NAN in kinds
            result.scales.append(scale.nan if lost else scale.infinity(False))
            result.fine += plain
            signs = [(-qmax if v.negative else qmax) if v.kind is INF and not lost else 0 for v in group]
            result.codes += signs
            continue
        encoded = scale_of(max(value.magnitude for value in group), side, scale)
        result.scales.append(encoded)
        step = scale.decode(encoded)
        if step.kind is not Kind.FINITE:
            result.fine += plain
            result.codes += [0] * coarse
            continue
        for at in range(0, coarse, fine):
            part = [value.value for value in group[at : at + fine]]
            worth = step.magnitude
            if side.leveled:
                number = number_of(max(abs(value) for value in part), step.magnitude, side)
                result.fine.append(number)
                worth *= Fraction(1, 2**number) if side.scheme == "hgq" else number
            for value in part:
                exact = round(value / worth) if worth else 0
                result.codes.append(max(-qmax, min(qmax, exact)))
    return result


@dataclass
class Operands:
    """A layer and its activations as plain integers: codes, and bits of the formats."""

    config: Config
    x: list[list[float]]
    multiplier: list[int]
    w: list[Row]
    u: list[list[int]]
    v: list[list[int]]
    bias: list[int]
    digits: tuple[int, int] = (1, 1)

    @property
    def sides(self) -> tuple[Side, Side]:
        """Activations and weights."""
        return Side.of(self.config, "activation", self.digits[0]), Side.of(
            self.config, "weight", self.digits[1]
        )


@dataclass
class Results:
    """Everything that the contract defines, as bits: `y` and `low_rank` of FP32, the rest of the data format."""

    smoothed: list[list[int]]
    x: list[Row]
    y: list[list[int]]
    z: list[list[int]]
    low_rank: list[list[int]]
    output: list[list[int]]


def compute(o: Operands) -> Results:
    """The whole contract, element by element."""
    with np.errstate(all="ignore"):
        return _compute(o)


def _compute(o: Operands) -> Results:
    data, scale = o.config.numbers.data_format, o.config.groups.scale_format
    x_side, w_side = o.sides
    coarse, places = x_side.coarse, x_side.places + w_side.places
    results = Results([], [], [], [], [], [])
    factor = [data.decode(m) for m in o.multiplier]
    for token in o.x:
        inner = [data.decode(data.encode(number(value))) for value in token]
        smoothed = [data.encode(times(value, m)) for value, m in zip(inner, factor, strict=True)]
        row = quantize(smoothed, data, scale, x_side)
        lanes = [single(code, data) for code in smoothed]
        z = []
        for v_row in o.v:
            total = np.float32(0)
            for value, weight in zip(lanes, v_row, strict=True):
                product = np.float32(value * single(weight, data))
                total = np.float32(total + product)
            z.append(data_bits(total, data))
        y_row, low_row, out_row = [], [], []
        for n, w_row in enumerate(o.w):
            y = np.float32(0)
            for g in range(len(row.scales)):
                exact = 0
                for k in range(g * coarse, (g + 1) * coarse):
                    factors = x_side.factor(row, k) * w_side.factor(w_row, k)
                    exact += row.codes[k] * w_row.codes[k] * factors
                placed = FP32.encode(Number(Kind.FINITE, exact < 0, Fraction(abs(exact), 2**places)))
                scales = times(scale.decode(row.scales[g]), scale.decode(w_row.scales[g]))
                term = FP32.encode(times(FP32.decode(placed), scales))
                y = np.float32(y + single(term, FP32))
            low = np.float32(0)
            for code, factor_u in zip(z, o.u[n], strict=True):
                low = np.float32(low + np.float32(single(code, data) * single(factor_u, data)))
            out = np.float32(np.float32(y + low) + single(o.bias[n], data))
            y_row.append(single_bits(y))
            low_row.append(single_bits(low))
            out_row.append(data_bits(out, data))
        results.smoothed.append(smoothed)
        results.x.append(row)
        results.y.append(y_row)
        results.z.append(z)
        results.low_rank.append(low_row)
        results.output.append(out_row)
    return results
