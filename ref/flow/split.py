"""The low-rank split of one layer: leading singular components, by subspace iteration in float32."""

from __future__ import annotations

import torch
from torch import Tensor

from sevedo.gen.config import FP16, FloatFormat

from .fake import rounded

ITERATIONS = 5
OVERSAMPLING = 16
Z_EXPONENT = 8
"""The largest |z| of the calibration is brought to about 2^8: seven octaves below the overflow of FP16."""


def leading(weight: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """U [N, r], orthogonal columns times singular values in descending order, and orthonormal V [r, K].

    Randomized subspace iteration (Halko, Martinsson, Tropp, arXiv 0909.4061), seeded: a twentieth of the time of an
    eigendecomposition of the Gram matrix at 576 x 576. What it misses the residual keeps.
    """
    outputs, inputs = weight.shape
    rank = min(rank, outputs, inputs)
    if not rank:
        return torch.zeros(outputs, 0), torch.zeros(0, inputs)
    start = torch.Generator().manual_seed(0)
    basis = torch.randn(inputs, min(rank + OVERSAMPLING, outputs, inputs), generator=start)
    for _ in range(ITERATIONS):
        basis = torch.linalg.qr(weight @ basis).Q
        basis = torch.linalg.qr(weight.T @ basis).Q
    image = weight @ basis
    turn = torch.linalg.eigh(image.T @ image).eigenvectors[:, -rank:].flip(1)
    return image @ turn, turn.T @ basis.T


def placed(u: Tensor, v: Tensor, x: Tensor, data: FloatFormat = FP16) -> tuple[Tensor, Tensor]:
    """The factors as numbers of `data`, with powers of two that bring z = V x to about 2^8 at most.

    Parameters
    ----------
    u, v : [N, r], [r, K]
    x : smoothed inputs [S, K]
    """
    if not v.shape[0]:
        return u, v
    peak_z = (x @ v.T).abs().amax(0).clamp(min=1e-30)
    wanted = Z_EXPONENT - torch.log2(peak_z)
    # The largest entries stay inside FP16's normal numbers.
    log_u = torch.log2(u.abs().amax(0).clamp(min=1e-30))
    log_v = torch.log2(v.abs().amax(1).clamp(min=1e-30))
    lowest, highest = torch.maximum(-6 - log_v, log_u - 12), torch.minimum(12 - log_v, log_u + 6)
    place = torch.exp2(torch.minimum(torch.maximum(wanted, lowest), highest).round())
    return rounded(u / place, data), rounded(v * place[:, None], data)
