"""Integer classes of the low-rank path (SVD-MP): ranks whose V, z and U are codes of one digit (INT4) or two (INT8)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from sevedo.gen.config import FP16, FP32

from .grouped import GroupedTensor, GroupScheme
from .quantize import quantize_weights
from .residual import residual
from .rounding import encode, round_to


@dataclass(frozen=True)
class IntegerClass:
    """The ranks of one class.

    Members
    -------
    digits : digits of all codes: 2 for INT8, 1 for INT4
    v : codes of V in the groups of the residual path, a row for each rank. With two digits they stand for V / 2^b,
        since x' then counts in units of a 2^b-th of the residual path's steps
    u : codes of U, int8 [N, ranks], -qmax..qmax
    scales : float64 [N], FP16 numbers: one for each output
    """

    digits: int
    v: GroupedTensor
    u: Tensor
    scales: Tensor

    @property
    def ranks(self) -> int:
        """How many there are."""
        return self.v.rows

    @property
    def qmax(self) -> int:
        """The largest code of z and U."""
        return largest_code_symmetric(self.v.scheme.code_bits, self.digits)

    @property
    def scale_bits(self) -> Tensor:
        """The scales of U as encodings."""
        return encode(self.scales, FP16)

    def matrix(self) -> Tensor:
        """``U V`` of the class, float64 [N, K], but for the rounding of x' and z."""
        unit = 2.0 ** (self.v.scheme.code_bits * (self.digits - 1))
        return (self.u.to(torch.float64) * self.scales[:, None]) @ (self.v.dequantize() * unit)


def largest_code_symmetric(bits: int, digits: int) -> int:
    """qmax of the contract: every digit 2^(bits - 1) - 1."""
    return ((1 << (bits - 1)) - 1) * (1 if digits == 1 else 1 + (1 << bits))


def low_digits(values: Tensor, x: GroupedTensor) -> Tensor:
    """Second digits of x', int8 [T, Kp]: what the codes of the residual path leave, in 2^b-ths of their steps.

    Numerics: ``clamp(round_half_even((x' / step - code) * 2^b), -2^(b-1), 2^(b-1) - 1)``; 0 where the step is not
    positive and finite. Exact: see `quantize`; ``2^b * code`` is even, so that taking it away moves no tie.

    Parameters
    ----------
    values : x', float64 [T, K], numbers of the data format
    x : the same, quantized to codes of one digit
    """
    scheme = x.scheme
    groups = scheme.cut(values)
    numbers = x.fine.reshape(groups.shape[:3]) if x.fine.numel() else torch.zeros(groups.shape[:3])
    steps = x.scales[..., None] * (scheme.factors(numbers) * 2.0**-scheme.places)
    usable = ((steps > 0) & torch.isfinite(steps))[..., None] & torch.isfinite(groups)
    whole, half = 1 << scheme.code_bits, 1 << (scheme.code_bits - 1)
    quotient = torch.where(usable, groups, 0.0) / torch.where(usable, steps[..., None], 1.0)
    codes = x.codes.reshape(groups.shape).to(torch.float64)
    low = (torch.round(quotient * whole) - codes * whole).clamp(-half, half - 1)
    return torch.where(usable, low, 0.0).reshape(x.codes.shape).to(torch.int8)


def z_codes(z: Tensor, qmax: int) -> Tensor:
    """Codes of z, int8: rounded half to even and clamped; NaN gives 0."""
    rounded = torch.round(torch.where(torch.isnan(z), 0.0, z.to(torch.float64)))
    return rounded.clamp(-qmax, qmax).to(torch.int8)


def expand(values: Tensor, x: GroupedTensor, part: IntegerClass) -> tuple[Tensor, Tensor]:
    """z codes [T, ranks] int8 and L of the class, float32 [T, N].

    Numerics: z is the residual path's chain over coarse groups, with the rows of V for weights and 2^b h + l, or h, for
    codes of x'; L = FP32(exact integer sum * scale).
    """
    if part.digits == 2:
        wide = GroupScheme(**{**x.scheme.__dict__, "digits": 2})
        codes = (x.codes.to(torch.int64) << x.scheme.code_bits) + low_digits(values, x)
        x = GroupedTensor(codes.to(torch.int8), x.fine, x.scales, x.inputs, wide)
    z = z_codes(residual(x, part.v), part.qmax)
    sums = z.to(torch.float64) @ part.u.T.to(torch.float64)
    return z, round_to(sums * part.scales[None, :], FP32).to(torch.float32)


def quantize_class(u: Tensor, v: Tensor, scheme: GroupScheme, activations: Tensor) -> IntegerClass:
    """A class from factors in floating point, offline: z fills its codes over the calibration.

    Parameters
    ----------
    u, v : [N, ranks] and [ranks, K], float64
    scheme : of the rows of V, its digits those of the class
    activations : smoothed calibration [*, K], finite
    """
    qmax = largest_code_symmetric(scheme.code_bits, scheme.digits)
    peaks = (activations @ v.T).abs().amax(dim=0)
    factors = torch.where(peaks > 0, qmax / torch.where(peaks > 0, peaks, 1.0), 1.0)
    unit = 2.0 ** (scheme.code_bits * (scheme.digits - 1))
    rows = quantize_weights(v * factors[:, None] / unit, scheme)
    columns = u / factors
    scales = round_to(columns.abs().amax(dim=1) / qmax, FP16)
    if not bool(torch.isfinite(scales).all()):
        raise ValueError("weight holds low-rank factors beyond the scales of an integer class")
    codes = torch.round(columns / torch.where(scales > 0, scales, 1.0)[:, None]).clamp(-qmax, qmax)
    return IntegerClass(
        scheme.digits, rows, torch.where(scales[:, None] > 0, codes, 0.0).to(torch.int8), scales
    )
