"""Calibration texts as the inputs of a model, and whether they are enough."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .errors import CheckpointError
from .read import Checkpoint

CONTEXT = {"llama": 512, "bert": 256}
"""Most tokens of an input, by the kind of model."""

TOKENS_PER_INPUT = 2
"""Calibration tokens that the widest layer needs for each of its inputs K.

Rounding compensates errors by the K x K covariance of a layer's inputs. From fewer than K tokens that matrix is
singular; from few more its smallest eigenvalues are noise (Marchenko-Pastur: with 2 K tokens those of white inputs are
still spread from 0.09 to 2.9), and weights are fitted to the calibration text instead of to the model.
"""


@dataclass(frozen=True)
class Calibration:
    """What a model is quantized on.

    Members
    -------
    name : of the texts
    texts : how many there were to take from
    tokens : how many were taken
    sha256 : over the token numbers, 32 bits each, little-endian
    inputs : what the model is called with, one after the other: token numbers [1, T]
    """

    name: str
    texts: int
    tokens: int
    sha256: str
    inputs: list[Tensor]

    def data(self) -> dict[str, object]:
        """For the JSON."""
        return {"name": self.name, "texts": self.texts, "tokens": self.tokens, "sha256": self.sha256}


def tokens_needed(checkpoint: Checkpoint) -> int:
    """The fewest tokens that a model can be calibrated with: `TOKENS_PER_INPUT` times its largest K."""
    return TOKENS_PER_INPUT * checkpoint.largest_input


def calibrate_on(checkpoint: Checkpoint, name: str, texts: Sequence[str], tokens: int) -> Calibration:
    """The first `tokens` tokens of texts as a model's inputs.

    A "llama" reads the texts joined with line ends, in windows of 512 tokens; a rest that does not fill a window is
    left out. A "bert" reads each text by itself, its first 256 tokens.

    Parameters
    ----------
    checkpoint : the model and its tokenizer
    name : of the texts, for messages and for the artefact
    texts : in order
    tokens : most tokens that are used; the last text may go beyond

    Raises
    ------
    CheckpointError : fewer tokens than `tokens_needed`, asked for or there.
    """
    needed, context = tokens_needed(checkpoint), CONTEXT[checkpoint.kind]
    rule = f"{TOKENS_PER_INPUT} for each of the {checkpoint.largest_input} inputs of the widest layer"
    if checkpoint.kind == "llama":
        needed = -(-needed // context) * context
        rule += f", in whole windows of {context}"
    if tokens < needed:
        raise CheckpointError(f"calibration-tokens={tokens} must be at least {needed}: {rule}")
    inputs: list[Tensor] = []
    if checkpoint.kind == "llama":
        found = _joined(checkpoint, texts, tokens)
        rows = found[: len(found) // context * context].reshape(-1, context)
        inputs = [row[None] for row in rows]
    else:
        for text in texts:
            if sum(part.shape[1] for part in inputs) >= tokens:
                break
            row = checkpoint.tokens(text)[:context]
            if len(row):
                inputs.append(row[None])
    count = sum(part.shape[1] for part in inputs)
    if count < needed:
        raise CheckpointError(
            f"calibration {name} has {count} tokens that can be used; at least {needed} are needed: {rule}"
        )
    content = b"".join(part.to(torch.int32).numpy().astype("<i4").tobytes() for part in inputs)
    return Calibration(name, len(texts), count, hashlib.sha256(content).hexdigest(), inputs)


def _joined(checkpoint: Checkpoint, texts: Sequence[str], tokens: int) -> Tensor:
    """The first tokens of the texts joined; no more texts are read than it takes."""
    found = torch.zeros(0, dtype=torch.int64)
    for count in range(64, len(texts) + 64, 64):
        found = checkpoint.tokens("\n".join(texts[:count]))
        if len(found) >= tokens:
            break
    return found[:tokens]
