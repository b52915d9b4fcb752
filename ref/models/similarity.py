"""How well embeddings of texts agree with people, and with other embeddings."""

from __future__ import annotations

import torch
from torch import Tensor


def pearson(embeddings: Tensor, rated: Tensor) -> float:
    """Correlation of the cosines of every two embeddings with how alike people find the two texts.

    Numerics: float64. NaN where all cosines, or all ratings, are one.

    Parameters
    ----------
    embeddings : [D, width], of any length but 0
    rated : [D, D]; what is above the diagonal counts

    Raises
    ------
    ValueError : shapes that do not match, or fewer than 3 texts.
    """
    texts = len(embeddings)
    if rated.shape != (texts, texts) or texts < 3:
        raise ValueError(
            f"rated has shape {tuple(rated.shape)}; it must be [{texts}, {texts}], of at least 3 texts"
        )
    unit = torch.nn.functional.normalize(embeddings.double(), dim=1)
    one, other = torch.triu_indices(texts, texts, 1)
    cosines = (unit @ unit.T)[one, other]
    return float(torch.corrcoef(torch.stack([cosines, rated.double()[one, other]]))[0, 1])


def mean_cosine(embeddings: Tensor, reference: Tensor) -> float:
    """The mean of the cosines between two embeddings of each text, [D, width] both, in float64.

    Raises
    ------
    ValueError : shapes differ.
    """
    if embeddings.shape != reference.shape:
        raise ValueError(
            f"embeddings have shape {tuple(embeddings.shape)}; it must be {tuple(reference.shape)}, the reference's"
        )
    return float(torch.nn.functional.cosine_similarity(embeddings.double(), reference.double(), dim=1).mean())
