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
    shifts: list[int]
    scales: list[int]


def quantize(
    row: list[int], data: FloatFormat, scale: FloatFormat, bits: int, top: int, fine: int, coarse: int
) -> Row:
    """HGQ of the activations of one token, given as codes of `data`; `top` is K, the largest shift."""
    values = [data.decode(code) for code in row]
    values += [data.decode(0)] * (-len(values) % coarse)
    qmax = 2 ** (bits - 1) - 1
    result = Row([], [], [])
    for start in range(0, len(values), coarse):
        group = values[start : start + coarse]
        kinds = {value.kind for value in group}
        if Kind.NAN in kinds or INF in kinds:
            lost = Kind.NAN in kinds
            result.scales.append(scale.nan if lost else scale.infinity(False))
            result.shifts += [0] * (coarse // fine)
            signs = [(-qmax if v.negative else qmax) if v.kind is INF and not lost else 0 for v in group]
            result.codes += signs
            continue
        peak = max(value.magnitude for value in group)
        up = Rounding.NEAREST_EVEN if scale.has_zero else Rounding.TOWARD_POSITIVE
        encoded = scale.encode(Number(Kind.FINITE, False, peak / qmax), up)
        result.scales.append(encoded)
        step = scale.decode(encoded)
        if step.kind is not Kind.FINITE:
            result.shifts += [0] * (coarse // fine)
            result.codes += [0] * coarse
            continue
        for at in range(0, coarse, fine):
            part = [value.value for value in group[at : at + fine]]
            high = max(abs(value) for value in part)
            shift = sum(high * 2**j <= (qmax + 2) * step.magnitude for j in range(1, top + 1))
            result.shifts.append(shift)
            for value in part:
                exact = round(value * 2**shift / step.magnitude) if step.magnitude else 0
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
    numbers, groups = o.config.numbers, o.config.groups
    data, scale = numbers.data_format, numbers.scale_format
    kx, kw = 2**groups.activation_shift_bits - 1, 2**groups.weight_shift_bits - 1
    results = Results([], [], [], [], [], [])
    factor = [data.decode(m) for m in o.multiplier]
    for token in o.x:
        inner = [data.decode(data.encode(number(value))) for value in token]
        smoothed = [data.encode(times(value, m)) for value, m in zip(inner, factor, strict=True)]
        row = quantize(smoothed, data, scale, numbers.activation_bits, kx, groups.fine, groups.coarse)
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
                for k in range(g * groups.coarse, (g + 1) * groups.coarse):
                    f = k // groups.fine
                    exact += row.codes[k] * w_row.codes[k] << ((kx - row.shifts[f]) + (kw - w_row.shifts[f]))
                placed = FP32.encode(Number(Kind.FINITE, exact < 0, Fraction(abs(exact), 2 ** (kx + kw))))
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
