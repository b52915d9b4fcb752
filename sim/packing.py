"""Beats of a stream as 32-bit words, and back: vectorised, any element width from 1 to 64.

A beat: the fields one after another, the first in the lowest bits; inside an array element 0 is lowest; padded with
zeros to whole 32-bit words; words little-endian, the lowest first. Signed elements are two's complement.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sevedo.gen.verilog.manifest import StreamPort

MAX_ELEMENT_BITS = 64
_CHUNK_WORDS = 1 << 15  # of packed words at a time: stays in the cache


@dataclass(frozen=True)
class Leaf:
    """Elements of one kind in a beat: ``name`` (``field`` or ``field.member``), shape, place of every element."""

    name: str
    width: int
    signed: bool
    shape: tuple[int, ...]
    offsets: tuple[int, ...]

    @property
    def low(self) -> int:
        """Smallest value of an element."""
        return -(1 << (self.width - 1)) if self.signed else 0

    @property
    def high(self) -> int:
        """Largest value of an element."""
        return (1 << (self.width - self.signed)) - 1


def leaves(stream: StreamPort) -> list[Leaf]:
    """What a beat of `stream` consists of.

    Raises
    ------
    ValueError : for an element wider than 64 bits.
    """
    return [leaf for field in stream.fields for leaf in _leaves(field.name, field.layout, field.offset)]


def pack(stream: StreamPort, values: Mapping[str, Any]) -> NDArray[np.uint32]:
    """Words [beats, stream.words] of the values {leaf name: integers [beats, *leaf shape]}.

    Raises
    ------
    ValueError : for a missing or unknown name, a wrong shape or number of beats, a value that does not fit.
    """
    parts = leaves(stream)
    names = [leaf.name for leaf in parts]
    if set(values) != set(names):
        raise ValueError(f"stream {stream.name}: values={sorted(values)} must be given for exactly {names}")
    arrays = {leaf.name: _checked(stream, leaf, values[leaf.name]) for leaf in parts}
    counts = {array.shape[0] for array in arrays.values()}
    if len(counts) > 1:
        raise ValueError(f"stream {stream.name}: beats={sorted(counts)} must be the same for every field")
    beats = counts.pop() if counts else 0
    words = np.zeros((beats, stream.words), np.uint32)
    step = max(1, _CHUNK_WORDS // max(1, stream.words))
    for start in range(0, beats, step):
        chunk = np.zeros((stream.words, min(step, beats - start)), np.uint32)
        for leaf in parts:
            _pack_leaf(leaf, arrays[leaf.name][start : start + step], chunk)
        words[start : start + step] = chunk.T
    return words


def unpack(stream: StreamPort, words: NDArray[np.uint32]) -> dict[str, NDArray[Any]]:
    """Values {leaf name: [beats, *leaf shape]} of words [beats, stream.words]; int64 (unsigned 64 bits: uint64)."""
    if words.dtype != np.uint32 or words.ndim != 2 or words.shape[1] != stream.words:
        raise ValueError(
            f"stream {stream.name}: words={words.dtype}{list(words.shape)} must be uint32[beats, {stream.words}]"
        )
    beats = words.shape[0]
    parts = leaves(stream)
    values: dict[str, NDArray[Any]] = {}
    for leaf in parts:
        kind = np.uint64 if leaf.width == MAX_ELEMENT_BITS and not leaf.signed else np.int64
        values[leaf.name] = np.empty((beats, len(leaf.offsets)), kind)
    step = max(1, _CHUNK_WORDS // max(1, stream.words))
    for start in range(0, beats, step):
        chunk = np.ascontiguousarray(words[start : start + step].T)
        for leaf in parts:
            _unpack_leaf(leaf, chunk, values[leaf.name][start : start + step])
    return {leaf.name: values[leaf.name].reshape(beats, *leaf.shape) for leaf in parts}


def _leaves(name: str, layout: Any, offset: int) -> Iterator[Leaf]:
    if isinstance(layout, str):
        match = re.fullmatch(r"(un)?signed\((\d+)\)", layout)
        if match is None:
            raise ValueError(f"field {name}: layout={layout} must be signed(n) or unsigned(n)")
        width = int(match.group(2))
        if width > MAX_ELEMENT_BITS:
            raise ValueError(f"field {name}: width={width} must be at most {MAX_ELEMENT_BITS}")
        if width:
            yield Leaf(name, width, match.group(1) is None, (), (offset,))
    elif "array" in layout:
        stride = _width(layout["of"])
        for leaf in _leaves(name, layout["of"], offset):
            offsets = tuple(o + i * stride for i in range(layout["array"]) for o in leaf.offsets)
            yield Leaf(leaf.name, leaf.width, leaf.signed, (layout["array"], *leaf.shape), offsets)
    else:
        for field, inner in layout["fields"].items():
            yield from _leaves(f"{name}.{field}", inner, offset)
            offset += _width(inner)


def _width(layout: Any) -> int:
    if isinstance(layout, str):
        return int(layout[layout.index("(") + 1 : -1])
    if "array" in layout:
        return int(layout["array"]) * _width(layout["of"])
    return sum(_width(inner) for inner in layout["fields"].values())


def _checked(stream: StreamPort, leaf: Leaf, given: Any) -> NDArray[Any]:
    """The values as [beats, elements], in range."""
    array = np.asarray(given)
    where = f"stream {stream.name}: {leaf.name}"
    if array.dtype == bool:
        array = array.astype(np.uint8)
    if array.size and array.dtype.kind not in "iu":
        raise ValueError(f"{where}: type={array.dtype} must be integer")
    if array.ndim != 1 + len(leaf.shape) or array.shape[1:] != leaf.shape:
        expected = ", ".join(["beats", *map(str, leaf.shape)])
        raise ValueError(f"{where}: shape={list(array.shape)} must be [{expected}]")
    if array.size:
        for value in (int(array.min()), int(array.max())):
            if not leaf.low <= value <= leaf.high:
                raise ValueError(f"{where}={value} must be between {leaf.low} and {leaf.high}")
    return array.reshape(array.shape[0], len(leaf.offsets))


def _pack_leaf(leaf: Leaf, values: NDArray[Any], words: NDArray[np.uint32]) -> None:
    """Put values [beats, elements] into words [words, beats]."""
    mask = np.uint64((1 << leaf.width) - 1)
    columns = np.ascontiguousarray(values.T.astype(np.uint64, copy=False)) & mask
    narrow = columns.astype(np.uint32)
    for column, thin, offset in zip(columns, narrow, leaf.offsets, strict=True):
        word, shift = divmod(offset, 32)
        words[word] |= thin << np.uint32(shift)
        if shift + leaf.width > 32:
            words[word + 1] |= (column >> np.uint64(32 - shift)).astype(np.uint32)
        if shift + leaf.width > 64:
            words[word + 2] |= (column >> np.uint64(64 - shift)).astype(np.uint32)


def _unpack_leaf(leaf: Leaf, words: NDArray[np.uint32], values: NDArray[Any]) -> None:
    """Fill values [beats, elements] from words [words, beats]."""
    spare = np.uint64(64 - leaf.width)
    raw = np.empty((len(leaf.offsets), words.shape[1]), np.uint64)
    for row, offset in zip(raw, leaf.offsets, strict=True):
        word, shift = divmod(offset, 32)
        row[:] = words[word] >> np.uint32(shift)
        if shift + leaf.width > 32:
            row |= words[word + 1].astype(np.uint64) << np.uint64(32 - shift)
        if shift + leaf.width > 64:
            row |= words[word + 2].astype(np.uint64) << np.uint64(64 - shift)
    raw <<= spare
    wide = raw.view(np.int64) >> np.int64(int(spare)) if leaf.signed else raw >> spare
    values[:] = wide.T.astype(values.dtype, copy=False)
