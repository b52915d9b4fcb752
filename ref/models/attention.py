"""Attention as a function of its two products, so that these can be computed in floating point or in quantized groups.

A model's blocks have a member `attend`; `swap_attention` gives all of them another one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from sevedo.gen.config import Config

from ..grouped import GroupScheme
from ..residual import residual
from ..rounding import round_to
from ..rows import quantize_activations

Product = Callable[[Tensor, Tensor], Tensor]
"""``a b^T`` over the last dimension: [B, H, I, K] and [B, H, J, K] to [B, H, I, J]."""


class Attention(Protocol):
    """``softmax(Q K^T / sqrt(D)) V``, float32.

    Parameters
    ----------
    q : [B, H, T, D]
    k, v : [B, S, T, D]; S divides H, neighbouring query heads share one of S
    mask : bool [B, T], True for keys that are there; None: all are
    causal : a token sees itself and what is before it
    """

    def __call__(
        self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None, causal: bool = False
    ) -> Tensor:
        """Context [B, H, T, D]."""


def fused_attention(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None, causal: bool = False
) -> Tensor:
    """`Attention` by PyTorch's fused kernel: the products never leave it."""
    seen = None if mask is None else _seen(mask, q.shape[2], causal)
    return scaled_dot_product_attention(
        q, k, v, attn_mask=seen, is_causal=causal and mask is None, enable_gqa=True
    )


def float_product(a: Tensor, b: Tensor) -> Tensor:
    """`Product` in float32."""
    return a @ b.transpose(-1, -2)


@dataclass(frozen=True)
class GroupedProduct:
    """`Product` on operands quantized as the configuration's activations are, as the residual path computes it.

    Numerics: both operands are rounded to the data format and quantized along the dimension of the sum by the rule for
    activations, one digit (docs/numerics.md, "Quantization of a row"; rows shorter than a coarse group are padded with
    zeros); the product is the residual path's, exact integers inside coarse groups and FP32 across them. Bit for bit
    what the array would give with the second operand's codes in place of weights.

    Members
    -------
    config : formats and groups
    """

    config: Config

    def __call__(self, a: Tensor, b: Tensor) -> Tensor:
        """[B, H, I, J], float32."""
        scheme, data = GroupScheme.activations(self.config), self.config.numbers.data_format
        left, right = a.flatten(0, 1), b.flatten(0, 1)
        found = [
            residual(*(quantize_activations(round_to(rows, data), scheme) for rows in pair))
            for pair in zip(left, right, strict=True)
        ]
        return torch.stack(found).unflatten(0, a.shape[:2])


@dataclass(frozen=True)
class PlainAttention:
    """`Attention` step by step, with any product; scale and softmax in float32.

    Members
    -------
    product : gives Q K^T and P V, the second along the keys: P is [.., T, T], V^T [.., D, T]
    """

    product: Product = float_product

    def __call__(
        self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None, causal: bool = False
    ) -> Tensor:
        """Context [B, H, T, D]."""
        batch, heads, tokens, width = q.shape
        shared = k.shape[1]
        # Query heads that share keys are further rows of one product.
        rows = q.reshape(batch, shared, heads // shared * tokens, width)
        scores = self.product(rows, k) / math.sqrt(width)
        if causal or mask is not None:
            there = k.new_ones(batch, k.shape[2], dtype=torch.bool) if mask is None else mask
            seen = _seen(there, tokens, causal).expand(batch, 1, tokens, -1).repeat(1, 1, heads // shared, 1)
            scores = scores.masked_fill(~seen, -torch.inf)
        weights = torch.softmax(scores, dim=-1)
        return self.product(weights, v.transpose(-1, -2)).reshape(q.shape)


def _seen(mask: Tensor, tokens: int, causal: bool) -> Tensor:
    """Which keys a query sees: bool [B, 1, T or 1, T] of mask [B, T]."""
    seen = mask[:, None, None, :]
    return seen & torch.ones(tokens, tokens, dtype=torch.bool, device=mask.device).tril() if causal else seen


def swap_attention(model: nn.Module, attend: Attention) -> None:
    """Give every block of a model (every module with a member `attend`) this attention.

    Raises
    ------
    ValueError : the model has no such module.
    """
    blocks = [module for module in model.modules() if hasattr(module, "attend")]
    if not blocks:
        raise ValueError(f"{type(model).__name__} must have modules with a member attend; it has none")
    for block in blocks:
        block.attend = attend  # type: ignore[assignment]
