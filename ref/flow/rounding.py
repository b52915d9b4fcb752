"""Error-compensated rounding of weights on two-level scales.

Source: GPTQ (arXiv 2210.17323). Columns are rounded in order; what a column loses is given to the columns
after it, in the metric of the Hessian H = sum x x^T. Here the scale and the shifts of a coarse group are
chosen when its first column is reached, on the weights as compensated so far.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..grouped import GroupScheme
from .fast import expand, weight_steps


def upper_inverse(hessian: Tensor, damping: float) -> Tensor:
    """The upper Cholesky factor of (H + damping * mean(diag H) I)^-1, float32 [K, K]."""
    h = hessian.to(torch.float64).clone()
    dead = h.diagonal() <= 0
    h.diagonal()[dead] = h.diagonal().mean().clamp(min=1e-30)
    h.diagonal().add_(damping * h.diagonal().mean())
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(h))
    return torch.linalg.cholesky(inverse, upper=True).to(torch.float32)


def round_weights(
    w: Tensor,
    factor: Tensor,
    scheme: GroupScheme,
    clips: tuple[float, ...] = (1.0,),
    signed: bool = False,
    compensate: bool = True,
) -> tuple[Tensor, Tensor, Tensor]:
    """Codes [N, K], scales [N, G], shifts [N, G, F] of weights.

    Parameters
    ----------
    w : [N, K] float32
    factor : of `upper_inverse`, [K, K]
    scheme : grid
    clips, signed : as `weight_steps`
    compensate : False rounds each weight to nearest
    """
    w = w.clone()
    inputs = w.shape[1]
    low, high = -scheme.qmax - int(signed), scheme.qmax
    importance = factor.diagonal().square().reciprocal()
    codes = torch.zeros_like(w)
    scales, shifts = [], []
    for start in range(0, inputs, scheme.coarse):
        stop = min(start + scheme.coarse, inputs)
        scale, shift = weight_steps(w[:, start:stop], scheme, importance[start:stop], clips, signed)
        scales.append(scale)
        shifts.append(shift)
        step = expand(scale, shift, scheme, stop - start)
        usable = step != 0
        inverse = torch.where(usable, 1 / step, 0.0)
        if not compensate:
            codes[:, start:stop] = (w[:, start:stop] * inverse).round().clamp(low, high)
            continue
        block = w[:, start:stop].T.contiguous()
        step, inverse = step.T.contiguous(), inverse.T.contiguous()
        local = factor[start:stop, start:stop]
        lost = torch.zeros_like(block)
        for k in range(stop - start):
            column = block[k]
            code = (column * inverse[k]).round_().clamp_(low, high)
            codes[:, start + k] = code
            loss = (column - code * step[k]) / local[k, k]
            lost[k] = loss
            if k + 1 < stop - start:
                block[k + 1 :].addr_(local[k, k + 1 :], loss, alpha=-1.0)
        if stop < inputs:
            w[:, stop:].addmm_(lost.T, factor[start:stop, stop:], alpha=-1.0)
    return codes, torch.cat(scales, dim=1), torch.cat(shifts, dim=1)
