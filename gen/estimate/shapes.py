"""Shapes of layers, and the linear layers of known models."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

from sevedo.gen.config import Config, ConfigError

DEFAULT_RANK = 32
"""Rank of the low-rank path where none is given; less for small layers and small vector cores."""

MAX_SIZE = 1 << 32
"""Larger sizes are refused as unreadable, before any limit is looked at."""


class ShapeError(ValueError):
    """A shape that cannot be read. The message is one line: the value and the rule."""


@dataclass(frozen=True)
class LayerShape:
    """A linear layer: T x K activations times N x K weights.

    Parameters
    ----------
    name : for the reader
    tokens, inputs, outputs : T, K, N
    rank : of the low-rank path, 0 without one
    activation_passes, weight_passes : 2 for codes of twice the configuration's bits, else 1
    count : how many such layers there are
    """

    name: str
    tokens: int
    inputs: int
    outputs: int
    rank: int = 0
    activation_passes: int = 1
    weight_passes: int = 1
    count: int = 1

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
        config.check_layer(self.tokens, self.inputs, self.outputs, self.rank)
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
    model: str, tokens: int, rank: int, activation_passes: int = 1, weight_passes: int = 1
) -> Workload:
    """The layers of one of `MODELS` on so many tokens; the rank is cut to what a layer can have."""
    layers = tuple(
        LayerShape(name, tokens, k, n, min(rank, k, n), activation_passes, weight_passes, count)
        for name, k, n, count in MODELS[model].layers
    )
    return Workload(f"{model}, T = {tokens}{' (decode)' if tokens == 1 else ''}", layers)


def parse_shape(text: str, rank: int, activation_passes: int = 1, weight_passes: int = 1) -> LayerShape:
    """A layer from ``T,K,N`` or ``T,K,N,rank``; without one, the rank is `rank`, cut to what the layer can have.

    Raises
    ------
    ShapeError : naming the text and the rule.
    """
    parts = [part.strip() for part in text.split(",")]
    sizes = [int(part) for part in parts if re.fullmatch(r"[0-9]{1,12}", part)]
    if len(sizes) != len(parts) or not 3 <= len(sizes) <= 4 or min(sizes[:3]) < 1 or max(sizes) > MAX_SIZE:
        raise ShapeError(f"shape={text[:60]} must be T,K,N or T,K,N,rank: whole numbers, T, K, N at least 1")
    tokens, k, n = sizes[:3]
    if len(sizes) == 3:
        sizes.append(min(rank, k, n))
    if sizes[3] > min(k, n):
        raise ShapeError(f"shape={text[:60]}: rank {sizes[3]} must be at most min(K, N)={min(k, n)}")
    return LayerShape(f"{tokens} x {k} x {n}", tokens, k, n, sizes[3], activation_passes, weight_passes)
