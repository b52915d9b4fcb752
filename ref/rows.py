"""Quantization of rows in any scale scheme: activations as the hardware does it, weights offline.

What all schemes share is here: the codes, the special values, the search for the least error. What they differ in, the
scales and the numbers of fine groups, is in `quantizers`. The exact rules are in docs/numerics.md.
"""

from __future__ import annotations

import torch
from torch import Tensor

from sevedo.gen.config import FineLevel

from .grouped import GroupedTensor, GroupScheme
from .quantizers import quantizer


def _codes(groups: Tensor, scales: Tensor, numbers: Tensor, scheme: GroupScheme) -> Tensor:
    """Codes (float64) of finite cut values for given scales and numbers; 0 where the step is not positive, finite."""
    # The step is exact: 11 significand bits times at most 8.
    steps = scales[..., None] * (scheme.factors(numbers) * 2.0**-scheme.places)
    usable = (steps > 0) & torch.isfinite(steps)
    # Rounding the float64 quotient is rounding the exact one: the quotient of significands of 11 and 19 bits is on a
    # tie h/2 in the range of the codes or at least 2^-20 from it, and float64 is within 2^-46. Over infinity it is 0.
    quotients = groups / torch.where(usable, steps, torch.inf)[..., None]
    return quotients.round_().clamp_(-scheme.qmax, scheme.qmax)


def _assemble(
    codes: Tensor, numbers: Tensor, scales: Tensor, inputs: int, scheme: GroupScheme
) -> GroupedTensor:
    rows = codes.shape[0]
    fine = numbers.reshape(rows, -1).to(torch.uint8)
    if scheme.level is FineLevel.NONE:
        fine = fine[:, :0]
    return GroupedTensor(codes.reshape(rows, -1).to(torch.int8), fine, scales, inputs, scheme)


def quantize_activations(values: Tensor, scheme: GroupScheme) -> GroupedTensor:
    """Quantize rows of data-format numbers as the hardware does.

    Numerics: exact by docs/numerics.md, for numbers of at most 11 significand bits (FP16, BF16), infinities and NaN
    included.

    Parameters
    ----------
    values : float64 [R, K]
    scheme : how
    """
    groups, rules = scheme.cut(values), quantizer(scheme)
    # All that the rules ask of a fine group is its maximum, which NaN and infinities dominate.
    peaks = groups.abs().amax(dim=3, keepdim=True)
    scales = rules.scales(peaks)
    finite = torch.isfinite(peaks).all(dim=3).all(dim=2)
    sound = (finite & torch.isfinite(scales))[..., None]
    numbers = torch.where(sound, rules.numbers(peaks, scales), scheme.plain_number)
    if bool(finite.all()):
        return _assemble(_codes(groups, scales, numbers, scheme), numbers, scales, values.shape[1], scheme)
    whole = finite[..., None, None]
    codes = _codes(torch.where(whole, groups, 0.0), scales, numbers, scheme)
    has_nan = torch.isnan(peaks).any(dim=3).any(dim=2)
    extremes = torch.where(torch.isinf(groups) & ~has_nan[..., None, None], groups.sign() * scheme.qmax, 0.0)
    codes = torch.where(whole, codes, extremes)
    return _assemble(codes, numbers, scales, values.shape[1], scheme)


def quantize_weights(values: Tensor, scheme: GroupScheme) -> GroupedTensor:
    """Quantize rows of weights, offline: fine groups take the number of least squared error, the finer of equals.

    Numerics: divisions and errors in float64.

    Raises
    ------
    ValueError : values that are not finite or too large for the scale format.
    """
    if not bool(torch.isfinite(values).all()):
        raise ValueError("weight holds values that are not finite; every weight must be finite")
    groups, rules = scheme.cut(values), quantizer(scheme)
    trials = [(scales, *_best(groups, scales, scheme)) for scales in rules.weight_scales(groups)]
    scales, codes, numbers, error = trials[0]
    for other, other_codes, other_numbers, other_error in trials[1:]:
        better = other_error < error
        scales, error = torch.where(better, other, scales), torch.where(better, other_error, error)
        numbers = torch.where(better[..., None], other_numbers, numbers)
        codes = torch.where(better[..., None, None], other_codes, codes)
    if not bool(torch.isfinite(scales).all()):
        raise ValueError(
            f"weight, after smoothing and the low-rank split, holds magnitude {float(values.abs().max()):.6g}; "
            f"a scale of format {scheme.scale.name} must reach it with code {scheme.qmax} (groups.scale; or a "
            f"calibration with smaller activations)"
        )
    return _assemble(codes, numbers, scales, values.shape[1], scheme)


def _best(groups: Tensor, scales: Tensor, scheme: GroupScheme) -> tuple[Tensor, Tensor, Tensor]:
    """Codes, numbers and squared errors [R, G] of each fine group's best number; infinite for scales that are not."""
    shape = groups.shape[:3]
    best = torch.zeros(shape, dtype=torch.int64)
    least = torch.full(shape, torch.inf, dtype=torch.float64)
    codes = torch.zeros_like(groups)
    numbers = range(scheme.largest_number + 1)
    for number in reversed(numbers) if scheme.level is FineLevel.SHIFT else numbers:
        trial_numbers = torch.full_like(best, number)
        trial = _codes(groups, scales, trial_numbers, scheme)
        steps = scales[..., None] * (scheme.factors(trial_numbers) * 2.0**-scheme.places)
        error = (groups - trial * steps[..., None]).square().sum(dim=3)
        better = error < least
        best = torch.where(better, number, best)
        least = torch.where(better, error, least)
        codes = torch.where(better[..., None], trial, codes)
    total = least.sum(dim=2)
    return codes, best, torch.where(torch.isfinite(scales), total, torch.inf)
