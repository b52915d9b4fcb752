"""Codes and small numbers as bytes: several values a byte, the first in the lowest bits."""

from __future__ import annotations

import torch
from torch import Tensor

WIDTHS = (1, 2, 4, 8)
"""Bits that a value can take in memory; a value of b bits takes the first that is at least b."""


def field_bits(bits: int) -> int:
    """Bits that a value of `bits` takes: 1, 2, 4 or 8; 0 for none.

    Raises
    ------
    ValueError : more than 8 bits.
    """
    if not 0 <= bits <= WIDTHS[-1]:
        raise ValueError(f"bits={bits} must be between 0 and {WIDTHS[-1]}")
    return 0 if not bits else next(width for width in WIDTHS if width >= bits)


def packed_length(values: int, bits: int) -> int:
    """Bytes of a row of values."""
    return -(-values * field_bits(bits) // 8)


def pack(values: Tensor, bits: int) -> Tensor:
    """Rows of integers [R, C] as bytes, uint8 [R, ceil(C * width / 8)]; what is left of a row's last byte is 0.

    Numerics: a value is stored in two's complement, modulo 2^width, width = `field_bits`; value c of a row is in byte
    ``c * width // 8``, from bit ``c * width % 8`` upwards.
    """
    width = field_bits(bits)
    if not width:
        return values.new_zeros((values.shape[0], 0), dtype=torch.uint8)
    share = 8 // width
    low = (values.to(torch.int16) & ((1 << width) - 1)).to(torch.uint8)
    low = torch.nn.functional.pad(low, (0, -low.shape[1] % share)).unflatten(1, (-1, share))
    found = low[..., 0].clone(memory_format=torch.contiguous_format)
    for place in range(1, share):
        found |= low[..., place] << (place * width)
    return found


def unpack(packed: Tensor, values: int, bits: int, signed: bool) -> Tensor:
    """The inverse of `pack`: int8 [R, values] (signed) or uint8.

    Raises
    ------
    ValueError : a row has another length than `values` need, or bits behind the last value are not 0.
    """
    width, rows = field_bits(bits), packed.shape[0]
    if packed.shape != (rows, packed_length(values, bits)):
        raise ValueError(f"shape {tuple(packed.shape)} must be [rows, {packed_length(values, bits)}]")
    if not width:
        return torch.zeros((rows, values), dtype=torch.int8 if signed else torch.uint8)
    mask = (1 << width) - 1
    places = [(packed >> shift) & mask for shift in range(0, 8, width)]
    found = torch.stack(places, dim=2).flatten(1)
    if bool(found[:, values:].any()):
        raise ValueError("bits behind a row's last value must be 0")
    found = found[:, :values]
    if not signed:
        return found.contiguous()
    # Up and down again: the shift to the right of a signed number repeats its sign.
    return (found << (8 - width)).view(torch.int8) >> (8 - width)
