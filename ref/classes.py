"""Integer classes of the low-rank path (SVD-MP): ranks whose V and U are codes of one digit (INT4) or two (INT8).

What moves, x' and z, is INT8 in both classes; V and U are static, so that the residual takes up what their rounding
leaves.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from sevedo.gen.config import FP16, FP32, Config

from .grouped import GroupedTensor, GroupScheme, balanced_digits
from .residual import residual
from .rounding import encode, round_to
from .rows import quantize_weights

Z_DIGITS = 2
"""Digits of the codes of x' and z."""


@dataclass(frozen=True)
class IntegerClass:
    """The ranks of one class.

    Members
    -------
    v : codes of V in the groups of the residual path, a row for each rank; its digits are those of the class: 2 for
        INT8, 1 for INT4
    u : codes of U, int8 [N, ranks], -qmax..qmax
    scales : float64 [N], FP16 numbers: one for each output
    """

    v: GroupedTensor
    u: Tensor
    scales: Tensor

    @property
    def digits(self) -> int:
        """Digits of the codes of V and U."""
        return self.v.scheme.digits

    @property
    def ranks(self) -> int:
        """How many there are."""
        return self.v.rows

    @property
    def qmax(self) -> int:
        """The largest code of U."""
        return self.v.scheme.qmax

    @property
    def scale_bits(self) -> Tensor:
        """The scales of U as encodings."""
        return encode(self.scales, FP16)

    def u_digits(self) -> Tensor:
        """The balanced digits of U, int8 [digits, N, ranks], the highest first."""
        return balanced_digits(self.u, self.v.scheme.code_bits, self.digits)

    def matrix(self) -> Tensor:
        """``U V`` of the class, float64 [N, K], but for the rounding of x' and z."""
        return (self.u.to(torch.float64) * self.scales[:, None]) @ self.v.dequantize()


def wide_scheme(config: Config) -> GroupScheme:
    """How x' is quantized for the integer classes: as activations of two digits.

    Raises
    ------
    ValueError : codes of two digits would have more than 8 bits.
    """
    return GroupScheme.activations(config, Z_DIGITS)


def z_codes(z: Tensor, qmax: int) -> Tensor:
    """Codes of z, int8: rounded half to even and clamped; NaN gives 0."""
    rounded = torch.round(torch.where(torch.isnan(z), 0.0, z.to(torch.float64)))
    return rounded.clamp(-qmax, qmax).to(torch.int8)


def expand(x: GroupedTensor, part: IntegerClass) -> tuple[Tensor, Tensor]:
    """z codes [T, ranks] int8 and L of the class, float32 [T, N].

    Numerics: z is the residual path's chain over coarse groups, with the rows of V for weights; L = FP32(exact integer
    sum * scale).

    Parameters
    ----------
    x : x' in codes of two digits, see `wide_scheme`
    part : the class
    """
    z = z_codes(residual(x, part.v), x.scheme.qmax)
    sums = z.to(torch.float64) @ part.u.T.to(torch.float64) + 0.0  # an integer 0 has no sign
    return z, round_to(sums * part.scales[None, :], FP32).to(torch.float32)


def quantize_class(u: Tensor, v: Tensor, config: Config, digits: int, activations: Tensor) -> IntegerClass:
    """A class from factors in floating point, offline: z fills its codes over the calibration.

    Parameters
    ----------
    u, v : [N, ranks] and [ranks, K], float64
    config : formats and groups
    digits : of the codes of V and U
    activations : smoothed calibration [*, K], finite
    """
    peaks = (activations @ v.T).abs().amax(dim=0)
    factors = torch.where(peaks > 0, wide_scheme(config).qmax / torch.where(peaks > 0, peaks, 1.0), 1.0)
    return code_class(u / factors, v * factors[:, None], config, digits)


def code_class(u: Tensor, v: Tensor, config: Config, digits: int) -> IntegerClass:
    """A class from factors in floating point whose products ``v x'`` are codes of z but for their rounding.

    Parameters
    ----------
    u, v : [N, ranks] and [ranks, K], float64
    config : formats and groups
    digits : of the codes of V and U

    Raises
    ------
    ValueError : u reaches beyond the scales.
    """
    scheme = GroupScheme.weights(config, digits)
    rows = quantize_weights(v, scheme)
    scales = round_to(u.abs().amax(dim=1) / scheme.qmax, FP16)
    if not bool(torch.isfinite(scales).all()):
        raise ValueError("weight holds low-rank factors beyond the scales of an integer class")
    codes = torch.round(u / torch.where(scales > 0, scales, 1.0)[:, None])
    codes = torch.where(scales[:, None] > 0, codes.clamp(-scheme.qmax, scheme.qmax), 0.0)
    return IntegerClass(rows, codes.to(torch.int8), scales)
