"""Random small layers over every field that decides an output bit, and the golden model's answer to them.

NaN, infinity, subnormals, values near the limit of the format, zero groups, K tails and the code -2^(bits-1) included.
"""

from __future__ import annotations

import random

import contract_oracle as oracle
import torch

from sevedo.gen.config import FP32, Config, ConfigError, FloatFormat, preset
from sevedo.ref.hgq import HgqScheme, HgqTensor
from sevedo.ref.linear import LayerTrace, QuantizedLinear
from sevedo.ref.rounding import decode, encode

KINDS = ("normal", "normal", "wide", "subnormal", "limit", "zeros", "outlier", "nan", "infinity", "both")


def draw_config(rng: random.Random) -> Config:
    """A configuration with every arithmetic field drawn; draws that `Config` refuses are drawn again."""
    while True:
        fine = rng.choice((1, 2, 4, 8, 16))
        try:
            return preset("tiny").replace(
                numbers__data=rng.choice(("fp16", "fp16", "bf16")),
                numbers__scale=rng.choice(("fp16", "bf16", "e8m0")),
                numbers__activation_bits=rng.choice((4, 4, 2, 3, 5, 6, 7, 8)),
                numbers__weight_bits=rng.choice((4, 4, 2, 3, 5, 6, 7, 8)),
                groups__fine=fine,
                groups__coarse=fine * rng.choice((1, 2, 3, 4)),
                groups__activation_shift_bits=rng.randint(0, 4),
                groups__weight_shift_bits=rng.randint(0, 4),
                rmc__lanes=1,
            )
        except ConfigError:
            continue


def draw_value(rng: random.Random, kind: str, data: FloatFormat) -> float:
    """One activation of a kind of row."""
    limit, tiny = float(data.max_finite), float(data.min_positive)
    plain = rng.gauss(0, 1)
    match kind:
        case "wide":
            return plain * 2.0 ** rng.randint(-14, 10)
        case "subnormal":
            return tiny * rng.choice((0, 0, 0.5, 1, 1, 2, 3, 7, rng.randint(0, 40))) * rng.choice((1, -1))
        case "limit":
            return limit * rng.choice((1, 1.0004, 1.01, 0.999, 0.5, rng.random())) * rng.choice((1, -1))
        case "zeros":
            return rng.choice((0.0, -0.0))
        case "outlier":
            return plain * (1000 if rng.random() < 0.05 else 1)
        case "nan":
            return float("nan") if rng.random() < 0.03 else plain
        case "infinity":
            return rng.choice((-1, 1)) * float("inf") if rng.random() < 0.05 else plain
        case "both":
            return rng.choice((float("nan"), float("-inf"), plain, plain * 100, 0.0))
    return plain


def draw_layer(seed: int) -> oracle.Operands:
    """A random small layer with its activations."""
    rng = random.Random(seed)
    config = draw_config(rng)
    numbers, groups = config.numbers, config.groups
    data, scale = numbers.data_format, numbers.scale_format
    tokens, outputs, inputs, rank = (
        rng.randint(1, 4),
        rng.randint(1, 5),
        rng.randint(1, 70),
        rng.randint(0, 4),
    )
    padded = -(-inputs // groups.coarse) * groups.coarse
    low = -(1 << (numbers.weight_bits - 1))

    def bits(spread: float, fmt: FloatFormat = data) -> int:
        return fmt.encode(oracle.number(rng.gauss(0, 1) * spread))

    def weight_row() -> oracle.Row:
        codes = [rng.randint(low, -low - 1) if k < inputs else 0 for k in range(padded)]
        shifts = [rng.randint(0, (1 << groups.weight_shift_bits) - 1) for _ in range(padded // groups.fine)]
        spread = rng.choice((1e-3, 0.1, 1, 1e4 if rng.random() < 0.3 else 1))
        scales = [
            scale.encode(oracle.number(abs(rng.gauss(0, 1)) * spread)) for _ in range(padded // groups.coarse)
        ]
        return oracle.Row(codes, shifts, scales)

    kinds = [rng.choice(KINDS) for _ in range(tokens)]
    return oracle.Operands(
        config,
        [[draw_value(rng, kind, data) for _ in range(inputs)] for kind in kinds],
        [rng.choice((data.encode(oracle.number(1.0)), bits(2.0))) for _ in range(inputs)],
        [weight_row() for _ in range(outputs)],
        [[bits(0.5) for _ in range(rank)] for _ in range(outputs)],
        [[bits(0.5) for _ in range(inputs)] for _ in range(rank)],
        [bits(1.0) for _ in range(outputs)],
    )


def golden(o: oracle.Operands) -> tuple[QuantizedLinear, torch.Tensor]:
    """The same layer and activations for `sevedo.ref`."""
    data, scale = o.config.numbers.data_format, o.config.numbers.scale_format
    inputs, rank = len(o.multiplier), len(o.v)
    weight = HgqTensor(
        torch.tensor([row.codes for row in o.w], dtype=torch.int8),
        torch.tensor([row.shifts for row in o.w], dtype=torch.uint8),
        decode(torch.tensor([row.scales for row in o.w]), scale),
        inputs,
        HgqScheme.weights(o.config),
    )
    layer = QuantizedLinear(
        o.config,
        weight,
        decode(torch.tensor(o.u, dtype=torch.int64).reshape(len(o.w), rank), data),
        decode(torch.tensor(o.v, dtype=torch.int64).reshape(rank, inputs), data),
        decode(torch.tensor(o.multiplier), data),
        decode(torch.tensor(o.bias), data),
    )
    return layer, torch.tensor(o.x, dtype=torch.float64)


def differences(o: oracle.Operands, expected: oracle.Results) -> list[str]:
    """Names of what differs in any bit."""
    data = o.config.numbers.data_format
    layer, activations = golden(o)
    inputs = layer.prepare(activations)
    trace: LayerTrace = layer.compute(inputs)
    found = {
        "smoothed": (encode(inputs.values, data), expected.smoothed),
        "codes": (inputs.quantized.codes, [row.codes for row in expected.x]),
        "shifts": (inputs.quantized.shifts, [row.shifts for row in expected.x]),
        "scales": (inputs.quantized.scale_bits, [row.scales for row in expected.x]),
        "y": (encode(trace.residual.double(), FP32), expected.y),
        "z": (encode(trace.z, data), expected.z),
        "low_rank": (encode(trace.low_rank.double(), FP32), expected.low_rank),
        "output": (trace.output_bits, expected.output),
        "output values": (encode(trace.output, data), expected.output),
    }
    return [name for name, (ours, theirs) in found.items() if ours.tolist() != theirs]
