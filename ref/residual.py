"""The residual path: integer sums inside coarse groups, FP32 across them, in the contract's order."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from sevedo.gen.config import FineLevel, largest_code

from .grouped import GroupedTensor, GroupScheme


def require_ieee_float32() -> None:
    """Refuse a process whose float32 arithmetic is not IEEE 754.

    Raises
    ------
    RuntimeError : subnormals are flushed (``torch.set_flush_denormal(True)`` or a library that did the like).
    """
    smallest = torch.full((64,), 2.0**-126, dtype=torch.float32)
    # Bits, since a comparison of flushed numbers would call them equal.
    if not bool(((smallest * 0.5).view(torch.int32) == 1 << 22).all()):
        raise RuntimeError("float32 subnormals are flushed to zero; call torch.set_flush_denormal(False)")


def _require_match(x: GroupedTensor, w: GroupedTensor) -> None:
    if x.inputs != w.inputs:
        raise ValueError(f"inputs={x.inputs} of the activations must equal inputs={w.inputs} of the weights")
    if (x.scheme.name, x.scheme.fine, x.scheme.coarse) != (w.scheme.name, w.scheme.fine, w.scheme.coarse):
        raise ValueError(f"groups of {x.scheme} must equal those of {w.scheme}")


def _largest(scheme: GroupScheme) -> int:
    """The largest magnitude of a code times its fine factor."""
    return largest_code(scheme.code_bits, scheme.digits) * scheme.level.largest_factor(scheme.fine_bits)


def _integers(rows: GroupedTensor, dtype: torch.dtype) -> Tensor:
    """`GroupedTensor.integers` in a floating-point type that holds them: [R, Kp]."""
    codes = rows.codes.to(dtype)
    if rows.scheme.level is FineLevel.NONE:
        return codes
    factors = rows.scheme.factors(rows.fine).to(dtype)
    return codes.unflatten(1, (-1, rows.scheme.fine)).mul_(factors[..., None]).flatten(1)


def accumulators(x: GroupedTensor, w: GroupedTensor) -> Iterator[Tensor]:
    """A_G of each coarse group in ascending K: exact integers [T, N], in float32 or float64 as their size demands.

    Numerics: exact in any order of summation, since every partial sum is an integer that the type holds.

    Raises
    ------
    ValueError : `x` and `w` differ in inputs or groups, or sums would not fit float64.
    """
    _require_match(x, w)
    coarse = x.scheme.coarse
    bound = coarse * _largest(x.scheme) * _largest(w.scheme)
    if bound >= 1 << 53:
        raise ValueError(
            f"coarse={coarse} must keep sums below 2^53 (fewer bits of codes, shifts or integer scales help)"
        )
    single = bound <= 1 << 24 and torch.get_float32_matmul_precision() == "highest"
    dtype = torch.float32 if single else torch.float64
    left, right = _integers(x, dtype), _integers(w, dtype).T
    for start in range(0, left.shape[1], coarse):
        yield left[:, start : start + coarse] @ right[start : start + coarse]


def residual(x: GroupedTensor, w: GroupedTensor) -> Tensor:
    """y of the contract: float32 [T, N].

    Numerics: ``y = FP32(y + FP32(FP32(A_G * 2^-places) * Sx * Sw))``, coarse groups in ascending K, from +0. A_G
    converts to float32 with one rounding; its product with both scales has at most 24 + 22 significant bits and is
    exact in float64.

    Parameters
    ----------
    x : activations, T rows
    w : weights, N rows, with the same inputs and groups

    Raises
    ------
    ValueError : as `accumulators`.
    RuntimeError : as `require_ieee_float32`.
    """
    require_ieee_float32()
    # Times a power of two is exact: it goes into the scales of the activations.
    x_scales = x.scales * 2.0 ** -(x.scheme.places + w.scheme.places)
    w_scales = w.scales.T.contiguous()
    y = torch.zeros(x.rows, w.rows, dtype=torch.float32)
    # Memory that stays: fresh pages cost as much as the arithmetic.
    exact = torch.empty(y.shape, dtype=torch.float64)
    rounded = torch.empty_like(y)
    for group, sums in enumerate(accumulators(x, w)):
        exact.copy_(sums.to(torch.float32)).mul_(x_scales[:, group, None]).mul_(w_scales[group])
        y += rounded.copy_(exact)
    return y
