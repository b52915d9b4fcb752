"""Which rank components are computed in FP16, INT8 and INT4: SVD-MP, decided by what each precision costs each of them.

A component u v adds ``u z`` with ``z = v x'`` to the output. In an integer class

* x' is INT8: z errs by ``sum_k v_k^2 n8_k``, n8_k the mean square error of channel k at two digits;
* z is INT8 with a step fixed offline, its largest magnitude over the calibration / 119: it errs by step^2 / 12. Tokens
  with outputs a thousand times the usual make that step large;
* both reach the output times |u|^2. This is the price of leaving floating point, ``dynamic``;
* u and v are rounded, to 8 or to 4 bits. The residual is taken afterwards and so takes up what is lost,
  D = u v - u' v'; what remains is what the residual path loses of D by quantizing x': ``sum_k n4_k |D_k|^2``,
  ``static``. The price of INT4 is the difference of `static` at 4 and at 8 bits.

All are mean squares of the same output, so they can be compared across components. The hardware has so many ranks of
each class: the components with the largest price of leaving FP16 get it; of the others those with the largest price of
INT4 get INT8. docs/accuracy.md has the figures.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from sevedo.gen.config import Config

from ..classes import quantize_class, wide_scheme
from ..grouped import GroupScheme
from .fake import fake_activations
from .recipe import Recipe


class Assignment(NamedTuple):
    """Components of each class, ascending numbers.

    Members
    -------
    fp16, int8, int4 : they partition 0..r-1
    """

    fp16: Tensor
    int8: Tensor
    int4: Tensor


@dataclass(frozen=True)
class Prices:
    """Mean square error of the output that a component adds, float32 [r] each.

    Members
    -------
    dynamic : in any integer class
    static8, static4 : of u and v rounded to two digits, to one
    """

    dynamic: Tensor
    static8: Tensor
    static4: Tensor


def prices(u: Tensor, v: Tensor, x: Tensor, shares: Tensor, config: Config) -> Prices:
    """What integer classes cost each component.

    Parameters
    ----------
    u, v : [N, r], [r, K]
    x : smoothed inputs [S, K]
    shares : weights of their errors [S]
    config : formats and groups
    """
    weights = shares[:, None] / shares.sum()
    narrow = (fake_activations(x, GroupScheme.activations(config)) - x).square().mul_(weights).sum(0)
    scheme = wide_scheme(config)
    wide = (fake_activations(x, scheme) - x).square().mul_(weights).sum(0)
    size = u.square().sum(0)
    step = (x @ v.T).abs().amax(0) / scheme.qmax
    dynamic = size * (v.square() @ wide + step.square() / 12)
    static = []
    for digits in (2, 1):
        part = quantize_class(u.double(), v.double(), config, digits, x.double())
        coded_v = part.v.dequantize().float()
        coded_u = part.u.float() * part.scales.float()[:, None]
        # |u v_k - u' v'_k|^2 of every component and channel.
        lost = (
            size[:, None] * v.square()
            - 2 * (u * coded_u).sum(0)[:, None] * v * coded_v
            + coded_u.square().sum(0)[:, None] * coded_v.square()
        )
        static.append(lost.clamp(min=0) @ narrow)
    return Prices(dynamic, *static)


def assign(u: Tensor, v: Tensor, x: Tensor, shares: Tensor, config: Config, recipe: Recipe) -> Assignment:
    """The class of every component, by the recipe."""
    rank = u.shape[1]
    everything, none = torch.arange(rank), torch.arange(0)
    if recipe.classes == "fp16" or not rank:
        return Assignment(everything, none, none)
    if recipe.classes == "int8":
        return Assignment(none, everything, none)
    if recipe.classes == "random":
        order = torch.randperm(rank, generator=torch.Generator().manual_seed(rank))
    else:
        found = prices(u, v, x, shares, config)
        floating = found.dynamic.argsort(descending=True)[: recipe.fp_rank]
        others = everything[~torch.isin(everything, floating)]
        gain = (found.static4 - found.static8)[others]
        order = torch.cat([floating, others[gain.argsort(descending=True)]])
    first, second = recipe.fp_rank, recipe.fp_rank + recipe.int8_rank
    return Assignment(order[:first].sort()[0], order[first:second].sort()[0], order[second:].sort()[0])
