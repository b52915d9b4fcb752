"""Beats of operands as bytes and back: the layout of `sevedo.gen.config.operands`, on whole arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from sevedo.gen.config.operands import Operand

Array = np.ndarray[Any, Any]


def pack_elements(values: Array, bits: int) -> Array:
    """Rows of integers [R, C] as bytes, uint8 [R, ceil(C * bits / 8)]: element c in bits c * bits upwards.

    Numerics: a value is taken modulo 2^bits, bits being at most 16.
    """
    if bits in (8, 16):
        return np.ascontiguousarray(values.astype(f"<u{bits // 8}")).view(np.uint8)
    if bits == 4:
        low = values.astype(np.uint8) & 15
        if low.shape[1] % 2:
            low = np.pad(low, ((0, 0), (0, 1)))
        packed: Array = low[:, 0::2] | low[:, 1::2] << 4
        return packed
    each = np.unpackbits(values.astype("<u2")[..., None].view(np.uint8), axis=2, bitorder="little")
    return np.packbits(each[..., :bits].reshape(len(values), -1), axis=1, bitorder="little")


def unpack_elements(raw: Array, count: int, bits: int, signed: bool) -> Array:
    """The inverse of `pack_elements`: [R, count], int8, uint8 or uint16, whichever holds them."""
    rows = len(raw)
    if bits == 16:
        return np.ascontiguousarray(raw[:, : 2 * count]).view("<u2")
    if bits == 8:
        found = raw[:, :count]
    elif bits == 4:
        found = np.stack([raw & 15, raw >> 4], axis=2).reshape(rows, -1)[:, :count]
    else:
        each = np.unpackbits(raw, axis=1, count=count * bits, bitorder="little")
        widened = np.packbits(each.reshape(rows, count, bits), axis=2, bitorder="little")
        if bits > 8:
            return np.ascontiguousarray(widened).view("<u2")[..., 0]
        found = widened[..., 0]
    found = np.ascontiguousarray(found)
    if not signed:
        return found
    # Up and down again: the shift to the right of a signed number repeats its sign.
    return (found << (8 - bits)).view(np.int8) >> (8 - bits)


def pack_sections(operand: Operand, values: Array, bus_bits: int) -> Array:
    """Sections of beats [sections, beats, *shape] as bytes, uint8 [sections, bytes of the section's bus words]."""
    sections, beats = values.shape[:2]
    elements = pack_elements(values.reshape(sections * beats, -1), operand.bits)
    slot = operand.slot(bus_bits) // 8
    found = np.zeros((sections, operand.words(beats, bus_bits) * bus_bits // 8), np.uint8)
    places = found[:, : beats * slot].reshape(sections, beats, slot)
    places[..., : elements.shape[1]] = elements.reshape(sections, beats, -1)
    return found


def unpack_sections(operand: Operand, raw: Array, beats: int, bus_bits: int) -> Array:
    """The inverse of `pack_sections`, whatever the padding holds: [sections, beats, *shape]."""
    sections, slot = len(raw), operand.slot(bus_bits) // 8
    elements = operand.width // operand.bits
    rows = raw[:, : beats * slot].reshape(sections * beats, slot)[:, : -(-operand.width // 8)]
    found = unpack_elements(np.ascontiguousarray(rows), elements, operand.bits, operand.signed)
    return found.reshape(sections, beats, *operand.shape)
