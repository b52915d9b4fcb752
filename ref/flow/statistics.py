"""What a layer's inputs look like over the calibration: all that fitting a layer needs to know of them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

SAMPLE = 1024
"""Tokens of the sample, about."""


@dataclass(frozen=True)
class LayerStatistics:
    """Inputs of a layer.

    Members
    -------
    gram : mean of share * x^T x over the tokens, float32 [K, K]
    sample : some of the inputs, float32 [S, K]
    shares : their shares [S]
    tokens : how many tokens were seen
    """

    gram: Tensor
    sample: Tensor
    shares: Tensor
    tokens: int


class Collector:
    """Adds up statistics batch by batch.

    A token's share is 1 / (1 + e / median e), e the mean square of the layer's output: the error of a token counts
    relative to its output where that is large. The first token of a text has outputs a thousand times the others'
    in some layers ("massive activations", arXiv 2402.17762); without shares it would be all that is fitted.

    Parameters
    ----------
    inputs : K
    expected : tokens that will come, about; the sample is spread over them
    """

    def __init__(self, inputs: int, expected: int) -> None:
        self._stride = max(1, expected // SAMPLE)
        self._gram = torch.zeros(inputs, inputs)
        self._median = 0.0
        self._tokens = 0
        # In one piece: many small ones between tensors that come and go leave holes in the heap, with SmolLM2 88 MB
        # more for each window of 512 tokens.
        self._sample = torch.zeros(-(-expected // self._stride), inputs)
        self._shares = torch.zeros(len(self._sample))
        self._kept = 0

    def add(self, x: Tensor, y: Tensor) -> None:
        """Inputs [T, K] and the outputs [T, N] that the layer makes of them; what is not finite counts as 0."""
        x = torch.nan_to_num(x.to(torch.float32), 0.0, 0.0, 0.0)
        energy = torch.nan_to_num(y.to(torch.float32), 0.0, 0.0, 0.0).square().mean(1)
        if not self._median:
            self._median = float(energy.median())
        shares = 1 / (1 + energy / self._median) if self._median else torch.ones(len(x))
        weighted = x * shares.sqrt()[:, None]
        self._gram.addmm_(weighted.T, weighted)
        first = -self._tokens % self._stride
        chosen = x[first :: self._stride]
        end = self._kept + len(chosen)
        if end > len(self._sample):  # more came than was expected
            more = 2 * end - len(self._sample)
            self._sample = torch.cat([self._sample, torch.zeros(more, self._sample.shape[1])])
            self._shares = torch.cat([self._shares, torch.zeros(more)])
        self._sample[self._kept : end] = chosen
        self._shares[self._kept : end] = shares[first :: self._stride]
        self._kept = end
        self._tokens += len(x)

    def finish(self) -> LayerStatistics:
        """All that was seen."""
        return LayerStatistics(
            self._gram / max(1, self._tokens),
            self._sample[: self._kept],
            self._shares[: self._kept],
            self._tokens,
        )
