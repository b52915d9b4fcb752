"""What a quantized model takes in memory."""

from __future__ import annotations

from sevedo.ref.artefact import Artefact
from sevedo.ref.grouped import GroupedTensor, GroupScheme


def value_bits(artefact: Artefact) -> tuple[float, float]:
    """Bits of an activation and of a weight, the mean of the layers by their weights."""
    layers = list(artefact.layers.values())
    sizes = [layer.inputs * layer.outputs for layer in layers]
    pairs = [(layer.activation_scheme.bits_per_value, layer.weight.scheme.bits_per_value) for layer in layers]
    x, w = (sum(size * pair[side] for size, pair in zip(sizes, pairs, strict=True)) for side in (0, 1))
    return x / sum(sizes), w / sum(sizes)


def memory_bits(artefact: Artefact) -> float:
    """Bits that the layers keep, for each of their weights."""
    data = artefact.config.numbers.data_format.width
    total = 0.0
    for layer in artefact.layers.values():
        total += rows_bits(layer.weight)
        total += data * (layer.u.numel() + layer.v.numel() + layer.multiplier.numel() + layer.bias.numel())
        for part in layer.classes:
            scheme: GroupScheme = part.v.scheme
            total += rows_bits(part.v) + part.u.numel() * scheme.code_bits * scheme.digits
            total += 16 * part.scales.numel()
    return total / sum(layer.inputs * layer.outputs for layer in artefact.layers.values())


def rows_bits(rows: GroupedTensor) -> float:
    """Bits of codes, fine groups' numbers and scales, the padding of the last group not counted."""
    scheme = rows.scheme
    codes = rows.rows * rows.inputs * scheme.code_bits * scheme.digits
    return codes + rows.fine.numel() * scheme.fine_bits + rows.scales.numel() * scheme.scale.width


def ranks(artefact: Artefact) -> tuple[int, int, int]:
    """The most ranks of any layer in FP16, INT8 and INT4."""
    found = [
        (
            layer.rank,
            layer.class_rank(2),
            layer.class_rank(1),
        )
        for layer in artefact.layers.values()
    ]
    first, second, third = (max(column) for column in zip(*found, strict=True))
    return first, second, third
