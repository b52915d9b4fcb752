"""What a model is judged by: a language model by perplexity, a sentence encoder by the likeness of its embeddings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from sevedo.ref.models.perplexity import perplexity, windows
from sevedo.ref.models.similarity import mean_cosine, pearson


class Measure(Protocol):
    """A measure of a module.

    Members
    -------
    unit : the figure that a plot shows
    forwards : calls of the module that it takes
    facts : what it is measured on, plain data
    content : the same to the last token, for telling measures apart
    """

    unit: str

    @property
    def forwards(self) -> int: ...

    @property
    def facts(self) -> Mapping[str, Any]: ...

    @property
    def content(self) -> bytes: ...

    def __call__(self, module: nn.Module) -> dict[str, float]:
        """Figures by name."""


@dataclass(frozen=True)
class Perplexity:
    """Perplexity of a text, in windows apart; a rest that does not fill one is not used.

    Parameters
    ----------
    text : what it is, in words
    tokens : token numbers [T]
    context : tokens of a window
    """

    text: str
    tokens: Tensor
    context: int
    unit = "perplexity"

    @property
    def forwards(self) -> int:
        """A window each."""
        return len(self.tokens) // self.context

    @property
    def facts(self) -> Mapping[str, Any]:
        """Text and sizes."""
        return {
            "text": self.text,
            "tokens": self.forwards * self.context,
            "context": self.context,
            "predictions": self.forwards * (self.context - 1),
        }

    @property
    def content(self) -> bytes:
        """Token numbers and context."""
        rows = windows(self.tokens, self.context).to(torch.int64)
        return rows.numpy().astype("<i8").tobytes() + self.context.to_bytes(8, "little")

    def __call__(self, module: nn.Module) -> dict[str, float]:
        """``perplexity``."""
        return {"perplexity": perplexity(module, self.tokens, self.context)}


@dataclass(frozen=True)
class Similarity:
    """Agreement of cosines with people's ratings, and likeness to the embeddings of the model in float32.

    Parameters
    ----------
    text : what the documents are, in words
    documents : token numbers [T] of each; each is read by itself
    rated : how alike people find every two, [D, D]
    trained : the model in float32
    """

    text: str
    documents: Sequence[Tensor]
    rated: Tensor
    trained: nn.Module
    unit = "cosine"

    @property
    def forwards(self) -> int:
        """A document each."""
        return len(self.documents)

    @property
    def facts(self) -> Mapping[str, Any]:
        """Text and sizes."""
        pairs = len(self.documents) * (len(self.documents) - 1) // 2
        tokens = sum(len(document) for document in self.documents)
        return {"text": self.text, "documents": len(self.documents), "pairs": pairs, "tokens": tokens}

    @property
    def content(self) -> bytes:
        """Token numbers and ratings."""
        numbers = b"".join(
            len(d).to_bytes(8, "little") + d.numpy().astype("<i8").tobytes() for d in self.documents
        )
        return numbers + self.rated.double().numpy().astype("<f8").tobytes()

    def __call__(self, module: nn.Module) -> dict[str, float]:
        """``pearson`` with the ratings, mean ``cosine`` to float32."""
        found = self._embeddings(module)
        return {"pearson": pearson(found, self.rated), "cosine": mean_cosine(found, self._reference)}

    @cached_property
    def _reference(self) -> Tensor:
        return self._embeddings(self.trained)

    @torch.no_grad()
    def _embeddings(self, module: nn.Module) -> Tensor:
        return torch.stack([module(document[None])[0] for document in self.documents])
