"""The operands that a processor streams from DRAM: what a beat of each holds, how it lies in memory, how much waits.

Hardware (`hw`), compiler (`gen`) and the Python machine (`ref`) read this one description; docs/image.md shows it.

A **beat** is what the core takes at once: elements in C order of `shape`, the first in the lowest bits. It fills a
**slot** of memory: the next power of two of bits (at least 8) where that is no more than a word of the bus, else the
next multiple of a bus word; the rest is zero. A **section**, some beats, starts at a bus word and is padded with zeros
to a whole one. Bytes are little-endian: bit 0 of a bus word is bit 0 of the byte with the lowest address.
"""

from __future__ import annotations

from math import prod
from typing import NamedTuple

from .design import Config
from .formats import FP16


class Operand(NamedTuple):
    """One operand stream of the core.

    Members
    -------
    name : of its buffer and of its count in a STREAM instruction
    index : place in a bundle, and among the counts
    shape : elements of a beat, the last dimension lowest
    bits : of an element
    signed : whether elements are two's complement
    depth : beats that its buffer holds, at least
    """

    name: str
    index: int  # type: ignore[assignment]  # a tuple's method, of no use here
    shape: tuple[int, ...]
    bits: int
    signed: bool
    depth: int

    @property
    def width(self) -> int:
        """Bits of a beat."""
        return prod(self.shape) * self.bits

    def slot(self, bus_bits: int) -> int:
        """Bits that a beat takes in memory."""
        slot = 8
        while slot < self.width and slot < bus_bits:
            slot *= 2
        return slot if slot >= self.width else -(-self.width // bus_bits) * bus_bits

    def beats_in_word(self, bus_bits: int) -> int:
        """Beats of a bus word; 1 where a beat takes one or more words."""
        return max(bus_bits // self.slot(bus_bits), 1)

    def words_of_beat(self, bus_bits: int) -> int:
        """Bus words of a beat; 1 where a word holds one or more beats."""
        return max(self.slot(bus_bits) // bus_bits, 1)

    def words(self, beats: int, bus_bits: int) -> int:
        """Bus words of a section."""
        return -(-beats // self.beats_in_word(bus_bits)) * self.words_of_beat(bus_bits)


NAMES = (
    "v", "int_v_scale", "int_v_fine", "int_v", "bias", "u", "int_u_scale", "int_u", "w_scale", "w_fine", "w",
)  # fmt: skip
"""All operands in the order in which a bundle has them: small ones first, so that residual weights never wait."""

_FLOW = 64
"""Beats that operands have room for which the core takes as they come."""


def operands(config: Config) -> dict[str, Operand]:
    """The operands that the processor of `config` has, in the order of bundles; the others' counts must be 0."""
    rmc, lvc, numbers, groups = config.rmc, config.lvc, config.numbers, config.groups
    data, scale = numbers.data_format.width, groups.scale_format.width
    weight, fine = numbers.weight_bits, groups.weight_fine_bits
    in_row, tiles = config.operand_groups, config.lvc_tiles
    beats = in_row * config.beats
    # Shape, bits, signed, and beats that must be there at once; two of these fit. In a bundle the last operand is
    # taken together with all others, which must therefore fit whole: they may not wait for it.
    found: dict[str, tuple[tuple[int, ...], int, bool, int]] = {
        "v": ((lvc.ranks,), data, False, _FLOW),
        "bias": ((rmc.rows,), data, False, tiles),
        "u": ((config.lvc_tiles * rmc.rows,), data, False, lvc.max_rank),
        "w_scale": ((rmc.rows,), scale, False, tiles * in_row),
        "w": ((rmc.rows, rmc.lanes), weight, True, 0),
    }
    if fine:
        found["w_fine"] = ((rmc.rows,), fine, False, tiles * beats)
    if config.rank_classes:
        digits = max(each.digits for each in config.rank_classes)
        columns = sum(each.digits * -(-each.ranks // lvc.int_lanes) for each in config.rank_classes)
        found |= {
            "int_v_scale": ((lvc.int_ranks,), scale, False, in_row),
            "int_v": ((lvc.int_ranks, rmc.lanes), weight, True, max(_FLOW, digits * config.beats)),
            "int_u_scale": ((rmc.rows,), FP16.width, False, tiles * len(config.rank_classes)),
            "int_u": ((rmc.rows, lvc.int_lanes), weight, True, tiles * columns),
        }
        if fine:
            found["int_v_fine"] = ((lvc.int_ranks,), fine, False, beats)
    result = {}
    for index, name in enumerate(NAMES):
        if name in found:
            shape, bits, signed, least = found[name]
            result[name] = Operand(name, index, shape, bits, signed, 2 * least)
    bus = 8 * config.bus.data_bytes
    weights = config.memory.weights_kib * 8192 // result["w"].slot(bus)
    result["w"] = result["w"]._replace(depth=max(weights, 2 * rmc.weight_passes * config.beats))
    return result
