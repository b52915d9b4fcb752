"""Hierarchical group quantization (HGQ): one floating-point scale a coarse group, one right shift a fine group.

Source: SeVeDo (arXiv 2512.12930); the exact rules are ours, in docs/numerics.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from sevedo.gen.config import Config, FloatFormat, Rounding

from .rounding import encode, power_of_two, round_to


@dataclass(frozen=True)
class HgqScheme:
    """How a row is quantized.

    Parameters
    ----------
    code_bits : bits of a code, two's complement
    shift_bits : bits of a fine group's shift
    fine : values that share a shift
    coarse : values that share a scale, a multiple of `fine`
    scale : format of the scales

    Raises
    ------
    ValueError : naming the field, its value and the rule.
    """

    code_bits: int
    shift_bits: int
    fine: int
    coarse: int
    scale: FloatFormat

    def __post_init__(self) -> None:
        if not 2 <= self.code_bits <= 8:
            raise ValueError(f"code_bits={self.code_bits} must be between 2 and 8")
        if not 0 <= self.shift_bits <= 4:
            raise ValueError(f"shift_bits={self.shift_bits} must be between 0 and 4")
        if self.fine < 1:
            raise ValueError(f"fine={self.fine} must be at least 1")
        if self.coarse < 1 or self.coarse % self.fine:
            raise ValueError(f"coarse={self.coarse} must be a positive multiple of fine={self.fine}")

    @classmethod
    def activations(cls, config: Config) -> HgqScheme:
        """The scheme of the activations of `config`."""
        groups, numbers = config.groups, config.numbers
        return cls(
            numbers.activation_bits,
            groups.activation_shift_bits,
            groups.fine,
            groups.coarse,
            numbers.scale_format,
        )

    @classmethod
    def weights(cls, config: Config) -> HgqScheme:
        """The scheme of the weights of `config`."""
        groups, numbers = config.groups, config.numbers
        return cls(
            numbers.weight_bits, groups.weight_shift_bits, groups.fine, groups.coarse, numbers.scale_format
        )

    @property
    def qmax(self) -> int:
        """The largest code that the quantizer emits."""
        return (1 << (self.code_bits - 1)) - 1

    @property
    def max_shift(self) -> int:
        """K of the contract."""
        return (1 << self.shift_bits) - 1

    @property
    def shift_limit(self) -> int:
        """What a shifted activation may reach, in steps of the coarse scale: 2^(code_bits - 1) + 1.

        Two steps beyond the largest code: clamping the group's maximum that far costs less than a step of twice the
        size costs all its other values. Measured in docs/numerics.md.
        """
        return self.qmax + 2

    def cut(self, values: Tensor) -> Tensor:
        """Rows [R, K], padded with zeros and cut: [R, coarse groups, fine groups of each, fine]."""
        rows, inputs = values.shape
        padded = torch.nn.functional.pad(values, (0, -inputs % self.coarse))
        return padded.reshape(rows, -1, self.coarse // self.fine, self.fine)


@dataclass(frozen=True)
class HgqTensor:
    """Quantized rows. A value is ``code * scale * 2^-shift``.

    Members
    -------
    codes : int8 [R, Kp], Kp = `inputs` rounded up to whole coarse groups
    shifts : uint8 [R, Kp / fine]
    scales : float64 [R, Kp / coarse], numbers of ``scheme.scale``
    inputs : K, the values of a row
    scheme : how they were quantized
    """

    codes: Tensor
    shifts: Tensor
    scales: Tensor
    inputs: int
    scheme: HgqScheme

    @property
    def rows(self) -> int:
        """R."""
        return self.codes.shape[0]

    @property
    def groups(self) -> int:
        """Coarse groups of a row."""
        return self.scales.shape[1]

    @property
    def scale_bits(self) -> Tensor:
        """The scales as encodings, int64."""
        return encode(self.scales, self.scheme.scale)

    def integers(self) -> Tensor:
        """Codes in units of the coarse scale times 2^-K: ``code << (K - shift)``, int64 [R, Kp]."""
        left = (self.scheme.max_shift - self.shifts.to(torch.int64)).repeat_interleave(
            self.scheme.fine, dim=1
        )
        return self.codes.to(torch.int64) << left

    def dequantize(self) -> Tensor:
        """The values, float64 [R, K], exact for finite scales."""
        scales = self.scales.repeat_interleave(self.scheme.coarse, dim=1) * 2.0**-self.scheme.max_shift
        return (self.integers() * scales)[:, : self.inputs]


def _coarse_scales(groups: Tensor, scheme: HgqScheme) -> Tensor:
    # One rounding in effect: an 11-bit significand over a divisor below 2^7 lies at least 2^-19 (relative) from a
    # rounding boundary or on it, far more than the 2^-53 of the division in float64.
    rounding = Rounding.NEAREST_EVEN if scheme.scale.has_zero else Rounding.TOWARD_POSITIVE
    return round_to(groups.abs().amax(dim=(2, 3)) / scheme.qmax, scheme.scale, rounding)


def _codes(groups: Tensor, scales: Tensor, shifts: Tensor, scheme: HgqScheme) -> Tensor:
    """Codes (float64) of cut values for given scales and shifts; 0 wherever the scale is not positive and finite."""
    usable = (scales > 0) & torch.isfinite(scales)
    # The quotient of two 11-bit significands near a tie h/2 in the range of the codes is at least 2^-13 from it, or on
    # it: rounding the float64 quotient is rounding the exact one.
    steps = groups * power_of_two(shifts)[..., None] / torch.where(usable, scales, 1.0)[..., None, None]
    codes = torch.round(steps).clamp(-scheme.qmax, scheme.qmax)
    return torch.where(usable[..., None, None], codes, 0.0)


def _assemble(codes: Tensor, shifts: Tensor, scales: Tensor, inputs: int, scheme: HgqScheme) -> HgqTensor:
    rows = codes.shape[0]
    return HgqTensor(
        codes.reshape(rows, -1).to(torch.int8),
        shifts.reshape(rows, -1).to(torch.uint8),
        scales,
        inputs,
        scheme,
    )


def quantize_activations(values: Tensor, scheme: HgqScheme) -> HgqTensor:
    """Quantize rows of data-format numbers as the hardware does.

    Numerics: exact by docs/numerics.md, for numbers of at most 11 significand bits (FP16, BF16), infinities and NaN
    included.

    Parameters
    ----------
    values : float64 [R, K]
    scheme : how
    """
    groups = scheme.cut(values)
    finite = torch.isfinite(groups).all(dim=3).all(dim=2)
    scales = _coarse_scales(groups, scheme)
    peaks = groups.abs().amax(dim=3)
    limits = (scales * scheme.shift_limit)[..., None]
    shifts = sum(
        (peaks * 2.0**shift <= limits).to(torch.int64) for shift in range(1, scheme.max_shift + 1)
    ) + torch.zeros(peaks.shape, dtype=torch.int64)
    shifts = torch.where((finite & torch.isfinite(scales))[..., None], shifts, 0)
    codes = _codes(torch.where(finite[..., None, None], groups, 0.0), scales, shifts, scheme)
    has_nan = torch.isnan(groups).any(dim=3).any(dim=2)
    extremes = torch.where(torch.isinf(groups) & ~has_nan[..., None, None], groups.sign() * scheme.qmax, 0.0)
    codes = torch.where(finite[..., None, None], codes, extremes)
    return _assemble(codes, shifts, scales, values.shape[1], scheme)


def quantize_weights(values: Tensor, scheme: HgqScheme) -> HgqTensor:
    """Quantize rows of weights, offline: each fine group takes the shift of least squared error, the larger of equals.

    Numerics: divisions and errors in float64.

    Raises
    ------
    ValueError : values that are not finite or too large for the scale format.
    """
    if not bool(torch.isfinite(values).all()):
        raise ValueError("weight holds values that are not finite; every weight must be finite")
    groups = scheme.cut(values)
    scales = _coarse_scales(groups, scheme)
    if not bool(torch.isfinite(scales).all()):
        raise ValueError(
            f"weight, after smoothing and the low-rank split, holds magnitude {float(values.abs().max()):.6g}; "
            f"a scale of format {scheme.scale.name} must reach it with code {scheme.qmax} (numbers.scale; or a "
            f"calibration with smaller activations)"
        )
    best = torch.zeros(groups.shape[:3], dtype=torch.int64)
    least = torch.full(groups.shape[:3], torch.inf, dtype=torch.float64)
    codes = torch.zeros_like(groups)
    for shift in range(scheme.max_shift, -1, -1):
        shifts = torch.full_like(best, shift)
        trial = _codes(groups, scales, shifts, scheme)
        error = (groups - trial * (scales * 2.0**-shift)[..., None, None]).square().sum(dim=3)
        better = error < least
        best = torch.where(better, shifts, best)
        least = torch.where(better, error, least)
        codes = torch.where(better[..., None], trial, codes)
    return _assemble(codes, best, scales, values.shape[1], scheme)
