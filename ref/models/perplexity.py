"""How well a language model foretells a text."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy


def windows(tokens: Tensor, context: int) -> Tensor:
    """Tokens [T] cut into rows [T // context, context]; what is left over is dropped."""
    return tokens[: len(tokens) // context * context].reshape(-1, context)


@torch.no_grad()
def perplexity(model: Callable[[Tensor], Tensor], tokens: Tensor, context: int = 512) -> float:
    """exp of the mean negative log-likelihood of every token but the first of each window, windows apart.

    Parameters
    ----------
    model : token numbers [B, T] to logits [B, T, V]
    tokens : the text's token numbers
    context : tokens of a window; a rest of fewer is not used

    Raises
    ------
    ValueError : fewer tokens than one window.
    """
    rows = windows(tokens, context)
    if not len(rows):
        raise ValueError(f"tokens={len(tokens)} must be at least context={context}")
    total, count = 0.0, 0
    for row in rows:
        logits = model(row[None])[0, :-1]
        total += float(cross_entropy(logits, row[1:], reduction="sum"))
        count += len(row) - 1
    # PyTorch's gives infinity where Python's raises.
    return float(torch.tensor(total / count, dtype=torch.float64).exp())
