"""The low-rank split of a weight: W ~ R + U V, by singular values.

Source: SVDQuant (arXiv 2411.05007) and SeVeDo (arXiv 2512.12930). The factors are rounded to the data format *before*
the residual is taken, so that the residual absorbs their rounding.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from sevedo.gen.config import FloatFormat

from .rounding import round_to

Z_EXPONENT = 8
"""The largest |z| of the calibration is brought to about 2^8: seven octaves below the overflow of FP16."""
_LOWEST_PEAK, _HIGHEST_PEAK = -6, 12
"""Exponents between which the largest entry of every row of V and column of U is kept, inside FP16's normals."""


class Split(NamedTuple):
    """``u @ v + residual`` is the weight, in float64.

    Members
    -------
    u : float64 [N, r], numbers of the data format
    v : float64 [r, K], numbers of the data format
    residual : float64 [N, K]
    """

    u: Tensor
    v: Tensor
    residual: Tensor


def _exponent(values: Tensor) -> Tensor:
    """log2 of the largest magnitude of every row, 0 for rows of zeros."""
    peaks = values.abs().amax(dim=1)
    return torch.log2(torch.where(peaks > 0, peaks, 1.0))


def _leading(weight: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """Orthonormal basis [N, rank] of the leading left singular vectors, and the weight's coordinates in it [rank, K].

    Through the smaller Gram matrix: an eighth of the time of a full decomposition at 1536 x 1536, and U V is a
    projection of the weight whatever the basis' error.
    """
    peak = weight.abs().max()
    scaled = weight / peak if peak > 0 else weight  # squares must not underflow
    if weight.shape[0] <= weight.shape[1]:
        basis = torch.linalg.eigh(scaled @ scaled.T).eigenvectors.flip(1)[:, :rank]
        return basis, basis.T @ weight
    basis = torch.linalg.eigh(scaled.T @ scaled).eigenvectors.flip(1)[:, :rank]
    return weight @ basis, basis.T


def split(weight: Tensor, rank: int, data: FloatFormat, activations: Tensor | None = None) -> Split:
    """The `rank` leading singular components of `weight`, rounded, and what is left.

    Each component carries a power of two, chosen such that z = V x' sits near 2^8 over the calibration and no factor
    under- or overflows.

    Parameters
    ----------
    weight : [N, K] float64, finite, already smoothed
    rank : components to take; at most min(N, K) are
    data : format of U and V
    activations : smoothed calibration [*, K], finite; without it, factors are balanced

    Raises
    ------
    ValueError : negative rank, or factors that overflow `data`.
    """
    if rank < 0:
        raise ValueError(f"rank={rank} must be at least 0")
    u, v = _leading(weight, rank)
    if u.shape[1]:
        log_u, log_v = _exponent(u.T), _exponent(v)
        wanted = (log_u - log_v) / 2 if activations is None else Z_EXPONENT - _exponent(v @ activations.T)
        lowest = torch.maximum(_LOWEST_PEAK - log_v, log_u - _HIGHEST_PEAK)
        highest = torch.minimum(_HIGHEST_PEAK - log_v, log_u - _LOWEST_PEAK)
        places = torch.exp2(torch.round(torch.minimum(torch.maximum(wanted, lowest), highest)))
        u, v = round_to(u / places, data), round_to(v * places[:, None], data)
        if not bool(torch.isfinite(u).all() and torch.isfinite(v).all()):
            peak = float(weight.abs().max())
            raise ValueError(f"weight holds magnitude {peak:.6g}; its low-rank factors must fit {data.name}")
    return Split(u, v, weight - u @ v)
