"""Rounding of weights onto their grid: to nearest, or with errors compensated by the columns after.

Source: GPTQ (arXiv 2210.17323). Columns are rounded in order; what a column loses is given to those after it, in the
metric of the Gram matrix of the inputs. Scale and fine numbers (shifts) of a coarse group are chosen when its first
column is reached, on the weights as compensated so far.
"""

from __future__ import annotations

import torch
from torch import Tensor

from sevedo.gen.config import FineLevel

from ..grouped import GroupedTensor, GroupScheme
from .grids import best_grid, steps


def upper_inverse(gram: Tensor, damping: float) -> Tensor:
    """The upper Cholesky factor of (G + damping * mean(diag G) I)^-1, float32 [K, K]."""
    g = gram.clone()
    diagonal = g.diagonal()
    mean = float(diagonal.mean())
    diagonal.copy_(torch.where(diagonal > 0, diagonal, mean if mean > 0 else 1.0))
    diagonal.add_(damping * (mean if mean > 0 else 1.0))
    for kind in (torch.float32, torch.float64):
        lower, failed = torch.linalg.cholesky_ex(g.to(kind))
        if not int(failed):
            upper, failed = torch.linalg.cholesky_ex(torch.cholesky_inverse(lower), upper=True)
            if not int(failed):
                return upper.to(torch.float32)
    return torch.diag(g.diagonal().rsqrt())


def round_weights(
    weight: Tensor, scheme: GroupScheme, factor: Tensor | None, clips: tuple[float, ...] = (1.0,)
) -> GroupedTensor:
    """The weight in groups.

    Parameters
    ----------
    weight : [N, K] float32
    scheme : of the weights
    factor : of `upper_inverse`; None: to nearest
    clips : factors on the scales that are tried
    """
    w = weight.clone()
    outputs, inputs = w.shape
    importance = torch.ones(inputs) if factor is None else factor.diagonal().square().reciprocal()
    codes = torch.zeros(-(-inputs // scheme.coarse) * scheme.coarse, outputs)
    scales, numbers = [], []
    for start in range(0, inputs, scheme.coarse):
        stop = min(start + scheme.coarse, inputs)
        scale, number = best_grid(w[:, start:stop], scheme, importance[start:stop], clips)
        scales.append(scale)
        numbers.append(number)
        step = steps(scale, number, scheme, stop - start).T.contiguous()
        inverse = torch.where(step > 0, 1 / step, 0.0)
        block = w[:, start:stop].T.contiguous()
        if factor is None:
            codes[start:stop] = (block * inverse).round_().clamp_(-scheme.qmax, scheme.qmax)
            continue
        local = factor[start:stop, start:stop]
        lost = torch.zeros_like(block)
        for k in range(stop - start):
            code = torch.mul(block[k], inverse[k]).round_().clamp_(-scheme.qmax, scheme.qmax)
            codes[start + k] = code
            loss = torch.addcmul(block[k], code, step[k], value=-1).div_(local[k, k])
            lost[k] = loss
            if k + 1 < stop - start:
                block[k + 1 :].addr_(local[k, k + 1 :], loss, alpha=-1.0)
        if stop < inputs:
            w[:, stop:].addmm_(lost.T, factor[start:stop, stop:], alpha=-1.0)
    fine = torch.stack(numbers, dim=1).flatten(1).to(torch.uint8)
    return GroupedTensor(
        codes.T.contiguous().to(torch.int8),
        fine[:, :0] if scheme.level is FineLevel.NONE else fine,
        torch.stack(scales, dim=1).double(),
        inputs,
        scheme,
    )
