"""Random small layers over every field that decides an output bit, and the golden model's answer to them.

NaN, infinity, subnormals, values near the limit of the format, zero groups, K tails and the code -2^(bits-1) included.
"""

from __future__ import annotations

import random

import contract_oracle as oracle
import torch

from sevedo.gen.config import FP32, SCHEMES, Config, ConfigError, FloatFormat, preset
from sevedo.ref.grouped import GroupedTensor, GroupScheme
from sevedo.ref.linear import LayerTrace, QuantizedLinear
from sevedo.ref.rounding import decode, encode

KINDS = ("normal", "normal", "wide", "subnormal", "limit", "zeros", "outlier", "nan", "infinity", "both")


def draw_config(rng: random.Random) -> Config:
    """A configuration with every arithmetic field drawn; draws that `Config` refuses are drawn again."""
    while True:
        scheme = rng.choice(("hgq", "hgq", *SCHEMES))
        x_passes, w_passes = rng.randint(1, 2), rng.randint(1, 2)
        widths = {1: (4, 4, 2, 3, 5, 6, 7, 8), 2: (4, 4, 4, 3, 2)}
        fine = rng.choice((1, 2, 4, 8, 16))
        groups = {
            "fine": fine,
            "coarse": fine * rng.choice((1, 2, 3, 4)),
            "activation_shift_bits": rng.randint(0, 4),
            "weight_shift_bits": rng.randint(0, 4),
            "activation_scale_bits": rng.choice((4, rng.randint(1, 8))),
            "weight_scale_bits": rng.choice((4, rng.randint(1, 8))),
            "scale": rng.choice(("fp16", "bf16", "e8m0")),
        }
        try:
            return preset(
                "tiny"
            ).replace(
                numbers__data=rng.choice(("fp16", "fp16", "bf16")),
                numbers__activation_bits=rng.choice(widths[x_passes]),
                numbers__weight_bits=rng.choice(widths[w_passes]),
                groups__scheme=scheme,
                rmc__lanes=1,
                lvc__int8_ranks=0,  # classes need codes that can have two digits; test_lowrank_classes.py has them
                lvc__int4_ranks=0,
                rmc__activation_passes=x_passes,
                rmc__weight_passes=w_passes,
                **{
                    f"groups__{name}": groups[name] for name in SCHEMES[scheme].model_fields if name in groups
                },
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
    data, scale = config.numbers.data_format, config.groups.scale_format
    digits = (
        rng.choice((1, *[config.rmc.activation_passes] * 3)),
        rng.choice((1, *[config.rmc.weight_passes] * 3)),
    )
    side = oracle.Side.of(config, "weight", digits[1])
    tokens, outputs, inputs, rank = (
        rng.randint(1, 4),
        rng.randint(1, 5),
        rng.randint(1, 70),
        rng.randint(0, 4),
    )
    padded = -(-inputs // side.coarse) * side.coarse

    def bits(spread: float, fmt: FloatFormat = data) -> int:
        return fmt.encode(oracle.number(rng.gauss(0, 1) * spread))

    def weight_row() -> oracle.Row:
        codes = [rng.randint(side.lowest, side.qmax) if k < inputs else 0 for k in range(padded)]
        fine = [rng.randint(0, side.top) for _ in range(padded // side.fine if side.leveled else 0)]
        spread = rng.choice((1e-3, 0.1, 1, 1e4 if rng.random() < 0.3 else 1))
        scales = [
            scale.encode(oracle.number(abs(rng.gauss(0, 1)) * spread)) for _ in range(padded // side.coarse)
        ]
        return oracle.Row(codes, fine, scales)

    kinds = [rng.choice(KINDS) for _ in range(tokens)]
    return oracle.Operands(
        config,
        [[draw_value(rng, kind, data) for _ in range(inputs)] for kind in kinds],
        [rng.choice((data.encode(oracle.number(1.0)), bits(2.0))) for _ in range(inputs)],
        [weight_row() for _ in range(outputs)],
        [[bits(0.5) for _ in range(rank)] for _ in range(outputs)],
        [[bits(0.5) for _ in range(inputs)] for _ in range(rank)],
        [bits(1.0) for _ in range(outputs)],
        digits,
    )


def golden(o: oracle.Operands) -> tuple[QuantizedLinear, torch.Tensor]:
    """The same layer and activations for `sevedo.ref`."""
    data, scale = o.config.numbers.data_format, o.config.groups.scale_format
    inputs, rank = len(o.multiplier), len(o.v)
    weight = GroupedTensor(
        torch.tensor([row.codes for row in o.w], dtype=torch.int16 if o.digits[1] == 2 else torch.int8),
        torch.tensor([row.fine for row in o.w], dtype=torch.uint8),
        decode(torch.tensor([row.scales for row in o.w]), scale),
        inputs,
        GroupScheme.weights(o.config, o.digits[1]),
    )
    layer = QuantizedLinear(
        o.config,
        weight,
        decode(torch.tensor(o.u, dtype=torch.int64).reshape(len(o.w), rank), data),
        decode(torch.tensor(o.v, dtype=torch.int64).reshape(rank, inputs), data),
        decode(torch.tensor(o.multiplier), data),
        decode(torch.tensor(o.bias), data),
        GroupScheme.activations(o.config, o.digits[0]),
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
        "fine": (inputs.quantized.fine, [row.fine for row in expected.x]),
        "scales": (inputs.quantized.scale_bits, [row.scales for row in expected.x]),
        "y": (encode(trace.residual.double(), FP32), expected.y),
        "z": (encode(trace.z, data), expected.z),
        "low_rank": (encode(trace.low_rank.double(), FP32), expected.low_rank),
        "output": (trace.output_bits, expected.output),
        "output values": (encode(trace.output, data), expected.output),
    }
    return [name for name, (ours, theirs) in found.items() if ours.tolist() != theirs]
