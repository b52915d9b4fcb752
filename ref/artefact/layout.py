"""What a layer looks like in a file: names, dtypes and shapes of its tensors, from its sizes and the configuration.

The page for readers is docs/artefact.md; its tables are checked against this module.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from sevedo.gen.config import FP16, Config, FloatFormat

from ..grouped import GroupScheme
from ..linear import QuantizedLinear
from ..rounding import decode, encode
from .packing import packed_length

STORED = {"fp16": torch.float16, "bf16": torch.bfloat16, "e8m0": torch.uint8}
"""How numbers of a format are stored: E8M0, which few readers know, as its encoding."""

CLASS_DIGITS = {"int8": 2, "int4": 1}
"""Classes of the low-rank path in integers, in the order in which they are added up, and the digits of their codes."""

MAX_SIZE = 1 << 24
"""Largest K, N and rank that is believed."""


@dataclass(frozen=True)
class LayerSizes:
    """Everything that decides which tensors a layer has.

    Members
    -------
    inputs, outputs : K, N
    rank : ranks in floating point
    int8_rank, int4_rank : ranks of the integer classes
    activation_digits, weight_digits : digits of a code
    """

    inputs: int
    outputs: int
    rank: int
    int8_rank: int
    int4_rank: int
    activation_digits: int
    weight_digits: int

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            low, high = (1, 2) if name.endswith("digits") else (int(name.endswith("puts")), MAX_SIZE)
            if type(value) is not int or not low <= value <= high:
                raise ValueError(f"{name}={value!r} must be an integer between {low} and {high}")

    @classmethod
    def of(cls, layer: QuantizedLinear) -> LayerSizes:
        """The sizes of a layer.

        Raises
        ------
        ValueError : classes of other digits, or in another order, than INT8 and INT4.
        """
        ranks = {part.digits: part.ranks for part in layer.classes}
        if list(ranks) != sorted(ranks, reverse=True) or len(ranks) != len(layer.classes):
            raise ValueError(
                f"classes have digits {[p.digits for p in layer.classes]}; they must be 2, then 1"
            )
        return cls(
            layer.inputs,
            layer.outputs,
            layer.rank,
            ranks.get(CLASS_DIGITS["int8"], 0),
            ranks.get(CLASS_DIGITS["int4"], 0),
            layer.activation_scheme.digits,
            layer.weight.scheme.digits,
        )

    def classes(self) -> dict[str, int]:
        """Names and ranks of the integer classes that there are."""
        return {name: rank for name in CLASS_DIGITS if (rank := getattr(self, f"{name}_rank"))}

    def data(self) -> dict[str, Any]:
        """For the JSON."""
        return asdict(self)


Expected = dict[str, tuple[torch.dtype, tuple[int, ...]]]
"""Names of tensors with their dtypes and shapes."""


def expected(sizes: LayerSizes, config: Config) -> Expected:
    """The tensors of a layer, without the layer's name.

    Raises
    ------
    ValueError : the configuration has no codes of so many digits.
    """
    data = STORED[config.numbers.data]
    n, k = sizes.outputs, sizes.inputs
    found = _rows("weight", n, k, GroupScheme.weights(config, sizes.weight_digits))
    found |= {"u": (data, (n, sizes.rank)), "v": (data, (sizes.rank, k))}
    found |= {"multiplier": (data, (k,)), "bias": (data, (n,))}
    for name, rank in sizes.classes().items():
        scheme = GroupScheme.weights(config, CLASS_DIGITS[name])
        found |= _rows(f"{name}.v", rank, k, scheme)
        found[f"{name}.u.codes"] = (torch.uint8, (n, packed_length(rank, scheme.code_bits * scheme.digits)))
        found[f"{name}.u.scales"] = (torch.float16, (n,))
    return found


def _rows(name: str, rows: int, inputs: int, scheme: GroupScheme) -> Expected:
    """Tensors of rows in groups."""
    groups = -(-inputs // scheme.coarse)
    found: Expected = {
        f"{name}.codes": (
            torch.uint8,
            (rows, packed_length(groups * scheme.coarse, scheme.code_bits * scheme.digits)),
        ),
        f"{name}.scales": (STORED[scheme.scale.name], (rows, groups)),
    }
    if scheme.fine_bits:
        fine = groups * (scheme.coarse // scheme.fine)
        found[f"{name}.fine"] = (torch.uint8, (rows, packed_length(fine, scheme.fine_bits)))
    return found


def to_stored(name: str, values: Tensor, fmt: FloatFormat) -> Tensor:
    """Numbers of `fmt`, float64, as they are stored.

    Raises
    ------
    ValueError : a value is not finite, or no number of the format.
    """
    stored = encode(values, fmt).to(torch.uint8) if fmt.name == "e8m0" else values.to(STORED[fmt.name])
    if not torch.equal(from_stored(name, stored, fmt), values):
        raise ValueError(f"{name} holds values that are no numbers of {fmt.name}")
    return stored.contiguous()


def from_stored(name: str, stored: Tensor, fmt: FloatFormat) -> Tensor:
    """The inverse of `to_stored`: float64.

    Raises
    ------
    ValueError : NaN or infinity.
    """
    values = decode(stored, fmt) if fmt.name == "e8m0" else stored.to(torch.float64)
    if count := int((~torch.isfinite(values)).sum()):
        raise ValueError(f"{name} holds {count} NaN or infinite values; every value must be finite")
    return values


CLASS_SCALE = FP16
"""Format of the scales of an integer class' U."""
