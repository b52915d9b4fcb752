"""The models that are evaluated, each with its measure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from sevedo.gen.cli import UserError
from sevedo.gen.evaluate.measure import Measure, Perplexity, Similarity
from sevedo.ref.checkpoint import Checkpoint, read
from sevedo.ref.flow.layer import linears
from sevedo.ref.models.minilm import MAX_TOKENS
from sevedo.ref.workloads import news, rated_news

MODELS = ("smollm2", "minilm")
"""Packaged models, by name."""

EVALUATION = 110
"""Articles of Lee's news, from the first on, that are evaluated on. Calibration and tuning read later ones."""


@dataclass(frozen=True)
class Subject:
    """A model and what it is judged by.

    Members
    -------
    checkpoint : the model in float32, its tokenizer, where it comes from
    measure : what it is judged by
    """

    checkpoint: Checkpoint
    measure: Measure

    @property
    def name(self) -> str:
        """The model's."""
        return self.checkpoint.name

    @property
    def module(self) -> nn.Module:
        """In float32; not to be changed."""
        return self.checkpoint.module

    @property
    def layers(self) -> dict[str, nn.Linear]:
        """The linear layers, which quantization swaps."""
        return linears(self.module)

    @property
    def facts(self) -> Mapping[str, Any]:
        """Plain data: the model and the measure."""
        model = self.checkpoint
        return {
            "name": model.name,
            "kind": model.kind,
            "sha256": model.sha256,
            "measure": dict(self.measure.facts),
        }


def subject(name: str, tokens: int, context: int) -> Subject:
    """A packaged model.

    Parameters
    ----------
    name : one of `MODELS`
    tokens, context : of the text of a language model, and of its windows

    Raises
    ------
    WorkloadError : a package is missing.
    UserError : tokens or context that do not fit the text.
    """
    if tokens < context:
        raise UserError(
            f"tokens={tokens} must be at least context={context}: perplexity is measured in whole windows"
        )
    checkpoint = read(name)
    if checkpoint.kind == "llama":
        text = f"Lee's news (gensim), articles 0 to {EVALUATION - 1} joined by line ends"
        return Subject(checkpoint, Perplexity(text, _text(checkpoint, tokens), context))
    documents, rated = rated_news()
    checkpoint.tokenizer.enable_truncation(MAX_TOKENS)
    rows = [checkpoint.tokens(document) for document in documents]
    text = f"Lee's {len(documents)} documents (gensim) with the mean ratings of people"
    return Subject(checkpoint, Similarity(text, rows, rated, checkpoint.module))


def _text(checkpoint: Checkpoint, tokens: int) -> Tensor:
    """The first tokens of the evaluation text."""
    known = checkpoint.tokens("\n".join(news()[:EVALUATION]))
    if tokens > len(known):
        raise UserError(
            f"tokens={tokens} must be at most {len(known)}, those of {EVALUATION} articles; "
            f"later articles are for calibration"
        )
    return known[:tokens]
