"""Safetensors files taken with care: the header is checked against the file before any tensor is touched.

Format: 8 bytes, the header's length n, little-endian; n bytes of JSON, for each tensor its dtype, shape and the two
ends of its bytes; the tensors' bytes. https://huggingface.co/docs/safetensors
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from .errors import ArtefactError

MAX_HEADER_BYTES = 16 << 20
"""A longer header is refused unread: room for 100,000 tensors."""


class TensorFile:
    """An open safetensors file whose header makes sense.

    Parameters
    ----------
    path : the file
    error : raised with one line when it cannot be taken

    Raises
    ------
    error : no regular file, not readable, no safetensors file, cut short, or a header beyond the limits.
    """

    def __init__(self, path: Path, error: type[ValueError] = ArtefactError) -> None:
        self.path, self._error = path, error
        try:
            if not stat.S_ISREG(path.stat().st_mode):
                raise error(f"{path} must be a regular file")
            self.header = self._read_header()
            self._file = safe_open(path, framework="pt")
        except OSError as reason:
            raise error(f"{path} cannot be read: {reason.strerror or 'it is cut short'}") from None
        # Whatever the library minds besides: overlaps, holes, sizes that are not the shapes'.
        except SafetensorError as reason:
            raise error(f"{path} is not a whole safetensors file: {_line(reason)}") from None

    @property
    def names(self) -> list[str]:
        """The tensors, sorted."""
        return sorted(name for name in self.header if name != "__metadata__")

    @property
    def metadata(self) -> Mapping[str, str]:
        """The text that the header holds besides."""
        return self._file.metadata() or {}

    def dtype(self, name: str) -> str:
        """Name of a tensor's dtype as the format has it: F32, BF16, I64, ..."""
        return str(self.header[name]["dtype"])

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape of a tensor."""
        return tuple(self.header[name]["shape"])

    def tensor(self, name: str) -> Tensor:
        """A tensor, read now.

        Raises
        ------
        the error of the file : a dtype that PyTorch does not know.
        """
        try:
            return self._file.get_tensor(name)
        except (SafetensorError, RuntimeError, ValueError, AttributeError, TypeError) as reason:
            raise self._error(f"{self.path}: {name} cannot be read: {_line(reason)}") from None

    def _read_header(self) -> dict[str, Any]:
        with self.path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            length = int.from_bytes(file.read(8), "little")
            if size < 8 or length > size - 8:
                raise self._error(
                    f"{self.path} is no safetensors file, or cut short: its header should have {length} bytes, the "
                    f"file has {size}"
                )
            if length > MAX_HEADER_BYTES:
                raise self._error(
                    f"{self.path} has a header of {length} bytes; at most {MAX_HEADER_BYTES} are read"
                )
            raw = file.read(length)
        try:
            header = json.loads(raw)
            assert isinstance(header, dict)
            ends = [0]
            for name, entry in header.items():
                if name == "__metadata__":
                    continue
                start, end = entry["data_offsets"]
                assert all(type(n) is int and n >= 0 for n in (start, end, *entry["shape"]))
                assert isinstance(entry["dtype"], str)
                ends.append(end)
        except (ValueError, TypeError, KeyError, AssertionError, RecursionError):
            raise self._error(
                f"{self.path} is no safetensors file: its header is not as the format says"
            ) from None
        if max(ends) > size - 8 - length:
            raise self._error(
                f"{self.path} is cut short: its tensors end at byte {8 + length + max(ends)}, the file has {size}"
            )
        return header


def _line(reason: Exception) -> str:
    return " ".join(str(reason).split())
