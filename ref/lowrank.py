"""The low-rank path: two chains of FP32 additions in ascending index, one rounding to the data format between them."""

from __future__ import annotations

import torch
from torch import Tensor

from sevedo.gen.config import FloatFormat

from .residual import require_ieee_float32
from .rounding import round_to

BLOCK = 1 << 16
"""Sums that are worked on at a time: they and their products stay in a core's cache."""


def chain(left: Tensor, right: Tensor) -> Tensor:
    """``sum_k left[i, k] * right[j, k]`` as the contract's chain: float32 [I, J].

    Numerics: from +0, k ascending, ``s = FP32(s + FP32(left * right))``. Product and sum are separate operations on
    whole tensors, so that nothing can contract them into a fused multiply-add.

    Parameters
    ----------
    left : [I, K], float32 numbers
    right : [J, K], float32 numbers
    """
    require_ieee_float32()
    rows, columns = left.T.to(torch.float32).contiguous(), right.T.to(torch.float32).contiguous()
    total = torch.zeros(rows.shape[1], columns.shape[1], dtype=torch.float32)
    share = max(1, BLOCK // max(total.shape[1], 1))
    product = torch.empty(min(share, len(total)), total.shape[1], dtype=torch.float32)
    for start in range(0, len(total), share):
        block = total[start : start + share]
        place = product[: len(block)]
        for row, column in zip(rows[:, start : start + share, None], columns, strict=True):
            torch.mul(row, column, out=place)
            block += place
    return total


def low_rank(x: Tensor, u: Tensor, v: Tensor, data: FloatFormat) -> tuple[Tensor, Tensor]:
    """z [T, r] (numbers of `data`, float64) and L [T, N] (float32).

    Parameters
    ----------
    x : smoothed activations x' [T, K], numbers of `data`
    u : [N, r], numbers of `data`
    v : [r, K], numbers of `data`
    data : format that z is rounded to
    """
    z = round_to(chain(x, v), data)
    return z, chain(z, u)
