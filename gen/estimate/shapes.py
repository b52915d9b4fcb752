"""Shapes of layers, and the linear layers of known models."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import NamedTuple

from sevedo.gen.config import Config, ConfigError

DEFAULT_RANK = 32
"""Rank of the low-rank path where none is given; less for small layers and small vector cores."""

MAX_SIZE = 1 << 32
"""Larger sizes are refused as unreadable, before any limit is looked at."""


Ranks = tuple[int, int, int]
"""Ranks in floating point, INT8 and INT4."""


class ShapeError(ValueError):
    """A shape that cannot be read. The message is one line: the value and the rule."""


@dataclass(frozen=True)
class LayerShape:
    """A linear layer: T x K activations times N x K weights.

    Parameters
    ----------
    name : for the reader
    tokens, inputs, outputs : T, K, N
    rank : of the low-rank path in floating point, 0 without one
    activation_passes, weight_passes : 2 for codes of twice the configuration's bits, else 1
    count : how many such layers there are
    int8_rank, int4_rank : ranks of the integer classes
    """

    name: str
    tokens: int
    inputs: int
    outputs: int
    rank: int = 0
    activation_passes: int = 1
    weight_passes: int = 1
    count: int = 1
    int8_rank: int = 0
    int4_rank: int = 0

    @property
    def alone(self) -> LayerShape:
        """The same without a low-rank path."""
        return replace(self, rank=0, int8_rank=0, int4_rank=0)

    def with_ranks(self, ranks: Ranks) -> LayerShape:
        """The same with a low-rank path, its ranks cut to what the layer can have."""
        rank, int8, int4 = (min(each, self.inputs, self.outputs) for each in ranks)
        return replace(self, rank=rank, int8_rank=int8, int4_rank=int4)

    @property
    def ranks(self) -> str:
        """The rank in words, class by class: floating point, INT8, INT4."""
        classes = f" + {self.int8_rank} + {self.int4_rank}" if self.int8_rank + self.int4_rank else ""
        return f"{self.rank}{classes}"

    @property
    def passes(self) -> int:
        """Beats in which a PE takes `lanes` products of whole codes: 1, 2 or 4."""
        return self.activation_passes * self.weight_passes

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one of the layers, without its low-rank path: T K N."""
        return self.tokens * self.inputs * self.outputs

    def check(self, config: Config) -> None:
        """Refuse a layer that the core of `config` cannot run.

        Raises
        ------
        ConfigError : naming the size, the limit and the field that raises it.
        """
        config.check_layer(self.tokens, self.inputs, self.outputs, self.rank, self.int8_rank, self.int4_rank)
        for name in ("activation_passes", "weight_passes"):
            passes, most = getattr(self, name), getattr(config.rmc, name, 1)
            if passes > most:
                raise ConfigError(
                    f"{name}={passes} must be at most rmc.{name}={most}; a configuration can raise it"
                )


@dataclass(frozen=True)
class Workload:
    """Layers that run one after the other, under a name."""

    name: str
    layers: tuple[LayerShape, ...]


class Model(NamedTuple):
    """A transformer: its tokens where none are given (one workload each), and (name, K, N, count) of its layers."""

    tokens: tuple[int, ...]
    layers: tuple[tuple[str, int, int, int], ...]


MODELS = {
    "vit-base": Model((197,), (("q k v o", 768, 768, 48), ("fc1", 768, 3072, 12), ("fc2", 3072, 768, 12))),
    "llama2-7b": Model(
        (128, 1), (("q k v o", 4096, 4096, 128), ("gate up", 4096, 11008, 64), ("down", 11008, 4096, 32))
    ),
    "minilm": Model((128,), (("q k v o", 384, 384, 24), ("fc1", 384, 1536, 6), ("fc2", 1536, 384, 6))),
    "smollm2-135m": Model(
        (512, 1),
        (("q o", 576, 576, 60), ("k v", 576, 192, 60), ("gate up", 576, 1536, 60), ("down", 1536, 576, 30)),
    ),
}
"""The linear layers of all blocks: ViT-Base/16 (a 224 x 224 image is 197 tokens), Llama2-7B (prefill of 128 tokens, and
decode), all-MiniLM-L6-v2, SmolLM2-135M. Embeddings, attention products and heads are not among them."""


def workload(
    model: str, tokens: int, ranks: Ranks, activation_passes: int = 1, weight_passes: int = 1
) -> Workload:
    """The layers of one of `MODELS` on so many tokens; each rank is cut to what a layer can have."""
    layers = tuple(
        LayerShape(
            name, tokens, k, n, activation_passes=activation_passes, weight_passes=weight_passes, count=count
        ).with_ranks(ranks)
        for name, k, n, count in MODELS[model].layers
    )
    return Workload(f"{model}, T = {tokens}{' (decode)' if tokens == 1 else ''}", layers)


def parse_shape(text: str, ranks: Ranks, activation_passes: int = 1, weight_passes: int = 1) -> LayerShape:
    """A layer from ``T,K,N``, ``T,K,N,rank`` or ``T,K,N,rank,int8,int4``; ranks that are not said are those of
    `ranks`, cut to what the layer can have.

    Raises
    ------
    ShapeError : naming the text and the rule.
    """
    parts = [part.strip() for part in text.split(",")]
    sizes = [int(part) for part in parts if re.fullmatch(r"[0-9]{1,12}", part)]
    wrong = len(sizes) != len(parts) or len(sizes) not in (3, 4, 6)
    if wrong or min(sizes[:3]) < 1 or max(sizes) > MAX_SIZE:
        raise ShapeError(
            f"shape={text[:60]} must be T,K,N or T,K,N,rank or T,K,N,rank,int8,int4: whole numbers, T, K, N at least 1"
        )
    tokens, k, n = sizes[:3]
    said = sizes[3:]
    for rank in said:
        if rank > min(k, n):
            raise ShapeError(f"shape={text[:60]}: rank {rank} must be at most min(K, N)={min(k, n)}")
    rank, int8, int4 = said + [min(each, k, n) for each in ranks[len(said) :]]
    return LayerShape(
        f"{tokens} x {k} x {n}", tokens, k, n, rank, activation_passes, weight_passes, 1, int8, int4
    )
