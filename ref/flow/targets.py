"""What a trained model answered, kept small, and how far another answer is from it."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import log_softmax

VOCABULARY = 4096
"""Outputs of so many classes are taken for logits."""
KEPT = 512
"""Logits kept of each token; the probability of all others is one number."""


class Leading(NamedTuple):
    """The likeliest classes of every token.

    Members
    -------
    which : int32 [T, k]
    log : float16 [T, k], their log-probabilities
    rest : float32 [T], the probability of all others
    """

    which: Tensor
    log: Tensor
    rest: Tensor


def remember(output: Tensor, objective: str) -> Tensor | Leading:
    """What `loss` needs of an output [..., C], by the objective of the recipe."""
    if objective == "error" or (objective == "auto" and output.shape[-1] < VOCABULARY):
        return output.detach().clone()
    log = log_softmax(output.detach().flatten(0, -2).float(), dim=-1)
    kept = log.topk(min(KEPT, log.shape[1]), dim=-1)
    rest = (1 - kept.values.exp().sum(-1)).clamp(min=0)
    return Leading(kept.indices.to(torch.int32), kept.values.to(torch.float16), rest)


def loss(output: Tensor, target: Tensor | Leading) -> Tensor:
    """Mean Kullback-Leibler divergence of a token in nats; or the squared error relative to the target's square."""
    if isinstance(target, Tensor):
        return (output - target).square().sum() / target.square().sum().clamp(min=1e-30)
    log = log_softmax(output.flatten(0, -2).float(), dim=-1).gather(1, target.which.long())
    wanted = target.log.float()
    inside = (wanted.exp() * (wanted - log)).sum(-1)
    outside = (1 - log.exp().sum(-1)).clamp(min=1e-7)
    # What is constant of the rest's term is left out where it is 0 log 0.
    rest = target.rest * (target.rest.clamp(min=1e-30).log() - outside.log())
    return (inside + rest).mean()
