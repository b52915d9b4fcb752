"""Schemes in short, and rows quantized to plain lists."""

from __future__ import annotations

import math

import torch

from sevedo.gen.config import FP16, FineLevel, FloatFormat
from sevedo.ref.grouped import GroupScheme
from sevedo.ref.rows import quantize_activations

TINY, INF, NAN = 2.0**-24, math.inf, math.nan


def hgq(
    bits: int, shift_bits: int, fine: int, coarse: int, scale: FloatFormat, digits: int = 1
) -> GroupScheme:
    return GroupScheme("hgq", bits, digits, FineLevel.SHIFT, shift_bits, fine, coarse, scale)


def vs_quant(bits: int, scale_bits: int, scale: FloatFormat, digits: int = 1) -> GroupScheme:
    return GroupScheme("vs-quant", bits, digits, FineLevel.INTEGER, scale_bits, 2, 4, scale)


def plain(name: str, bits: int, scale: FloatFormat, digits: int = 1) -> GroupScheme:
    return GroupScheme(name, bits, digits, FineLevel.NONE, 0, 4, 4, scale)


INT4 = hgq(4, 2, 2, 4, FP16)


def quantize(row: list[float], scheme: GroupScheme = INT4) -> tuple[list[int], list[int], list[float]]:
    q = quantize_activations(torch.tensor([row], dtype=torch.float64), scheme)
    return q.codes[0].tolist(), q.fine[0].tolist(), q.scales[0].tolist()


def spread_weight(seed: int) -> torch.Tensor:
    """[5, 39] over many binades, with a coarse group of zeros."""
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(5, 39, generator=generator, dtype=torch.float64)
    weight *= torch.exp2(3 * torch.randn(5, 39, generator=generator, dtype=torch.float64))
    weight[2, 16:32] = 0
    return weight
