"""The header of a GGUF file, every length checked against the file before it is believed.

Format: GGUF version 2 and 3, little-endian: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. Package gguf
reads the same, but trusts every length: on a damaged file it runs without end or takes all memory.
"""

from __future__ import annotations

import math
import mmap
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import CheckpointError

MAX_ENTRIES = 1 << 16
"""Most keys, and most tensors."""
MAX_TEXT = 1 << 24
"""Longest text in bytes."""
MAX_ELEMENTS = 1 << 22
"""Longest array: 16 times a large vocabulary."""
MAX_DIMENSIONS = 4
MAX_SIZE = (1 << 24) - 1
"""Largest size of a dimension."""

_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_TEXT, _ARRAY = 8, 9


@dataclass(frozen=True)
class GgufTensor:
    """Where a tensor is.

    Members
    -------
    name : in the file
    shape : rows first, as PyTorch has it
    kind : number of its ggml type
    offset : of its first byte in the file
    """

    name: str
    shape: tuple[int, ...]
    kind: int
    offset: int


@dataclass(frozen=True)
class GgufHeader:
    """Everything before the tensors' bytes.

    Members
    -------
    fields : values by key: numbers, texts, and lists of them
    tensors : by name
    """

    fields: dict[str, Any]
    tensors: dict[str, GgufTensor]


class _Cursor:
    """A place in the file; every step is checked."""

    def __init__(self, path: Path, data: mmap.mmap) -> None:
        self.path, self.data, self.offset = path, data, 0

    def fail(self, what: str) -> CheckpointError:
        return CheckpointError(
            f"{self.path} is no GGUF file, or a damaged one: at byte {self.offset}, {what}"
        )

    def take(self, count: int) -> bytes:
        if count > len(self.data) - self.offset:
            raise CheckpointError(
                f"{self.path} is cut short: {count} bytes are wanted at byte {self.offset} of {len(self.data)}"
            )
        self.offset += count
        return self.data[self.offset - count : self.offset]

    def number(self, code: str) -> Any:
        return struct.unpack(f"<{code}", self.take(struct.calcsize(code)))[0]

    def count(self, what: str, most: int) -> int:
        found = int(self.number("Q"))
        if found > most:
            raise self.fail(f"{found} {what}; at most {most} are read")
        return found

    def text(self) -> str:
        raw = self.take(self.count("bytes of text", MAX_TEXT))
        try:
            return raw.decode()
        except UnicodeDecodeError:
            raise self.fail("text that is not UTF-8") from None

    def value(self, kind: int) -> Any:
        if kind in _SCALARS:
            return self.number(_SCALARS[kind])
        if kind == _TEXT:
            return self.text()
        if kind != _ARRAY:
            raise self.fail(f"a value of type {kind}; types are 0 to 12")
        inner, count = self.number("I"), self.count("values in an array", MAX_ELEMENTS)
        if code := _SCALARS.get(inner):
            raw = self.take(count * struct.calcsize(code))
            return list(struct.unpack(f"<{count}{code}", raw))
        if inner != _TEXT:
            raise self.fail(f"an array of type {inner}; arrays hold numbers or texts")
        return [self.text() for _ in range(count)]


def read_header(path: Path) -> GgufHeader:
    """The header of a GGUF file.

    Raises
    ------
    CheckpointError : cut short, damaged, beyond the limits, a name that is there twice.
    OSError : the file cannot be read.
    """
    with path.open("rb") as file:
        if not path.stat().st_size:
            raise CheckpointError(f"{path} is empty")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _read(_Cursor(path, data))


def _read(at: _Cursor) -> GgufHeader:
    if at.take(4) != b"GGUF":
        raise CheckpointError(f"{at.path} is no GGUF file: its first bytes must be GGUF")
    if (version := at.number("I")) not in (2, 3):
        raise CheckpointError(f"{at.path}: GGUF version {version} must be 2 or 3 (little-endian)")
    tensors = at.count("tensors", MAX_ENTRIES)
    keys = at.count("keys", MAX_ENTRIES)
    fields: dict[str, Any] = {}
    for _ in range(keys):
        key = at.text()
        _once(at, fields, f"key {key}", key)
        fields[key] = at.value(at.number("I"))
    entries: dict[str, tuple[tuple[int, ...], int, int]] = {}
    for _ in range(tensors):
        name = at.text()
        _once(at, entries, f"tensor {name}", name)
        dimensions = at.number("I")
        if dimensions > MAX_DIMENSIONS:
            raise at.fail(f"tensor {name} of {dimensions} dimensions; at most {MAX_DIMENSIONS} are read")
        shape = tuple(reversed([int(at.number("Q")) for _ in range(dimensions)]))
        if any(not 1 <= size <= MAX_SIZE for size in shape):
            raise at.fail(f"tensor {name} of shape {list(shape)}; sizes are 1 to {MAX_SIZE}")
        entries[name] = (shape, at.number("I"), at.number("Q"))
    align = fields.get("general.alignment", 32)
    if type(align) is not int or not 1 <= align <= 1 << 20:
        raise CheckpointError(f"{at.path}: general.alignment={align!r} must be between 1 and {1 << 20}")
    start = math.ceil(at.offset / align) * align
    found = {
        name: GgufTensor(name, shape, kind, start + offset) for name, (shape, kind, offset) in entries.items()
    }
    return GgufHeader(fields, found)


def _once(at: _Cursor, known: dict[str, Any], what: str, name: str) -> None:
    if name in known:
        raise at.fail(f"{what} is there twice")


Check = Callable[[Any], bool]


def field(
    header: GgufHeader, path: Path, key: str, kind: type, check: Check, rule: str, default: Any = None
) -> Any:
    """A value of the header.

    Raises
    ------
    CheckpointError : missing without a default, or against the rule.
    """
    value = header.fields.get(key, default)
    if value is None:
        raise CheckpointError(f"{path}: key {key} is missing")
    if type(value) is not kind or not check(value):
        shown = f"{value!r}"
        raise CheckpointError(
            f"{path}: {key}={shown if len(shown) < 60 else shown[:57] + '...'} must be {rule}"
        )
    return value
