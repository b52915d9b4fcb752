"""Small layers and small configurations for the tests of the core: seeded, and rich in special cases."""

from __future__ import annotations

import random

import torch
from torch import Tensor

from sevedo.gen.config import SCHEMES, Config, preset
from sevedo.ref.linear import LayerInputs, LayerTrace, QuantizedLinear, quantize_linear

SMALL = preset("tiny").replace(
    rmc__rows=2, rmc__cols=4, rmc__lanes=4, groups__fine=4, groups__coarse=16, lvc__lanes=4, lvc__max_rank=8,
    limits__inputs=512, limits__outputs=256, limits__tokens=256, lvc__int8_ranks=0, lvc__int4_ranks=0,
)  # fmt: skip
"""A core that compiles in seconds, without integer classes."""

CLASSES = SMALL.replace(lvc__int8_ranks=5, lvc__int4_ranks=6)
"""The same with integer classes of several blocks."""

CONTENTS = ("normal", "outliers", "zeros", "subnormal", "limit", "infinite", "nan")
"""What activations can hold."""


def random_config(seed: int) -> Config:
    """Any valid small configuration."""
    rng = random.Random(seed)
    rows, cols = rng.randint(1, 3), rng.randint(1, 4)
    lanes = rng.choice([1, 2, 3, 4, 8])
    fine = lanes * rng.randint(1, 3)
    tokens = rng.choice([p for p in range(1, cols + 1) if cols % p == 0])
    passes = {"rmc__activation_passes": rng.randint(1, 2), "rmc__weight_passes": rng.randint(1, 2)}
    bits = {"numbers__activation_bits": rng.randint(2, 8), "numbers__weight_bits": rng.randint(2, 8)}
    if max(passes.values()) > 1:
        bits = dict.fromkeys(bits, rng.randint(2, 4))
    classes = {"lvc__int8_ranks": 0, "lvc__int4_ranks": 0}
    if bits["numbers__activation_bits"] <= 4:
        int_ranks = rng.randint(1, 3)
        classes = {
            "lvc__int8_ranks": rng.randint(0, 7) if len(set(bits.values())) == 1 else 0,
            "lvc__int4_ranks": rng.randint(0, 9),
            "lvc__int_ranks": int_ranks,
            "lvc__int_lanes": int_ranks * rng.randint(1, 4),
        }
    output_tokens = rng.choice([p for p in range(1, tokens + 1) if tokens % p == 0])
    config = preset("tiny").replace(
        numbers__data=rng.choice(["fp16", "fp16", "bf16"]),
        groups__scale=rng.choice(["fp16", "fp16", "bf16", "e8m0"]),
        groups__fine=fine,
        groups__coarse=fine * rng.randint(1, 5),
        groups__activation_shift_bits=rng.randint(0, 3),
        groups__weight_shift_bits=rng.randint(0, 3),
        rmc__rows=rows,
        rmc__cols=cols,
        rmc__lanes=lanes,
        lvc__lanes=rows * tokens * (rng.choice([1, 1, 2, 3]) if tokens == cols else 1),
        lvc__ranks=rng.randint(1, 5),
        lvc__max_rank=rng.randint(1, 9),
        lvc__queue=rng.randint(1, 3),
        lvc__output_tokens=output_tokens,
        lvc__int_tokens=rng.choice([p for p in range(1, cols + 1) if cols % p == 0 == p % output_tokens]),
        limits__inputs=rng.randint(100, 300),
        limits__outputs=rng.randint(20, 100),
        limits__tokens=rng.randint(20, 100),
        **bits,
        **passes,
        **classes,
    )
    # A third are HGQ; the others take its groups over.
    config = config.with_scheme(rng.choice(["hgq", "hgq", *SCHEMES]))
    if config.groups.scheme == "vs-quant":
        config = config.replace(
            groups__activation_scale_bits=rng.randint(1, 6), groups__weight_scale_bits=rng.randint(1, 6)
        )
    return config.replace(
        lvc__tokens=rng.choice([0, *(p for p in range(1, cols + 1) if cols % p == 0)]),
        pipeline__multiply=rng.randint(0, 4),
        pipeline__scale=rng.randint(0, 4),
        pipeline__add=rng.randint(0, 4),
        pipeline__convert=rng.randint(0, 2),
        pipeline__quantize=rng.randint(0, 2),
        pipeline__two_path=rng.random() < 0.5,
        pipeline__dot=rng.randint(0, 1),
    )


def random_shape(config: Config, seed: int) -> tuple[int, int, int, int]:
    """(T, K, N, rank) of a layer that the configuration can hold, tails included."""
    rng = random.Random(seed)
    inputs, outputs = rng.randint(1, 90), rng.randint(1, 3 * config.rmc.rows + 1)
    rank = rng.randint(0, min(config.lvc.max_rank, inputs, outputs))
    return rng.randint(1, 3 * config.rmc.cols + 1), inputs, outputs, rank


def activations(tokens: int, inputs: int, content: str, seed: int) -> Tensor:
    """Activations [T, K] with some of `content` in them."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(tokens, inputs, generator=generator, dtype=torch.float64)
    some = torch.rand(tokens, inputs, generator=generator) < 0.1
    match content:
        case "outliers":
            x = torch.where(some, x * 100, x)
        case "zeros":
            x[::2] = 0
            x[:, : inputs // 2] = 0
        case "subnormal":
            x = x * 2.0**-22
        case "limit":
            x = torch.where(some, torch.sign(x) * 65504.0, x * 1e4)
        case "infinite":
            x[0, -1] = torch.inf
        case "nan":
            x[-1, 0] = torch.nan
    return x


def layer(
    config: Config, shape: tuple[int, int, int, int], content: str = "normal", seed: int = 0
) -> tuple[QuantizedLinear, LayerInputs, LayerTrace]:
    """A quantized layer of random weights, its inputs, and what the golden model makes of them.

    Where the configuration allows for wide codes or integer classes, seeds alternate between all that it allows.
    """
    tokens, inputs, outputs, rank = shape
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(outputs, inputs, generator=generator, dtype=torch.float64)
    weight[:, seed % inputs] *= 8
    bias = torch.randn(outputs, generator=generator, dtype=torch.float64) if seed % 3 else None
    x = activations(tokens, inputs, content, seed)
    calibration = activations(tokens, inputs, "normal", seed + 1)
    quantized = quantize_linear(
        weight, bias, calibration, config, rank,
        activation_digits=1 + (seed % 2 if config.rmc.activation_passes > 1 else 0),
        weight_digits=1 + (seed // 2 % 2 if config.rmc.weight_passes > 1 else 0),
        int8_rank=(config.lvc.int8_ranks + 2 * seed) % (config.lvc.int8_ranks + 1),
        int4_rank=(config.lvc.int4_ranks + 3 * seed) % (config.lvc.int4_ranks + 1),
    )  # fmt: skip
    prepared = quantized.prepare(x)
    return quantized, prepared, quantized.compute(prepared)
