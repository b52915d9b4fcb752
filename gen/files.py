"""Files in and out: NumPy matrices read with limits and without pickle; results written beside and renamed."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy

from sevedo.ref.writing import write_beside

Array = np.ndarray[Any, Any]

MAX_VALUES = 1 << 31
"""A matrix with more entries than this is refused before its data is read."""


class FileError(ValueError):
    """A file that cannot be taken. The message is one line: what, which file, which rule."""


def read_array(path: Path, name: str, dimensions: int) -> Array:
    """A real .npy array as float64; its header is checked before anything else is read.

    Parameters
    ----------
    path : the file
    name : what the array is, for messages
    dimensions : how many it must have

    Raises
    ------
    FileError : not a .npy file, pickled, not of real numbers, wrong dimensions, empty, too large or cut short.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise FileError(f"{name}={path} must be a regular file")
        with path.open("rb") as file:
            shape, dtype = _header(file, path, name)
            if dtype.hasobject:
                raise FileError(f"{name}={path} holds pickled objects; it must hold plain numbers")
            if dtype.kind not in "iuf" or dtype.names is not None:
                raise FileError(f"{name}={path} has dtype {dtype}; it must be of real numbers (int or float)")
            if len(shape) != dimensions:
                raise FileError(f"{name}={path} has shape {shape}; it must have {dimensions} dimension(s)")
            if 0 in shape:
                raise FileError(f"{name}={path} has shape {shape}; it must not be empty")
            if (count := int(np.prod(shape, dtype=object))) > MAX_VALUES:
                raise FileError(f"{name}={path} holds {count} values; it must hold at most {MAX_VALUES}")
            available = os.fstat(file.fileno()).st_size - file.tell()
            if available < count * dtype.itemsize:
                raise FileError(
                    f"{name}={path} is cut short: shape {shape} of {dtype} needs {count * dtype.itemsize} bytes of "
                    f"data, {available} are there"
                )
            file.seek(0)
            array = np.load(file, allow_pickle=False)
    except (OSError, EOFError) as error:
        reason = getattr(error, "strerror", None) or "it is cut short"
        raise FileError(f"{name}={path} cannot be read: {reason}") from None
    return np.asarray(array, dtype=np.float64)


def _header(file: IO[bytes], path: Path, name: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    try:
        version = npy.read_magic(file)
        read = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}[version]
        shape, _, dtype = read(file)
    # NumPy evaluates the header as a literal: text that is none fails in as many ways as the parser has.
    except Exception:
        raise FileError(f"{name}={path} is not a .npy file; save it with numpy.save") from None
    if not all(type(size) is int and size >= 0 for size in shape):
        raise FileError(f"{name}={path} has shape {shape}; every size must be an integer of at least 0")
    return shape, dtype


def check_output(path: Path, name: str) -> None:
    """Refuse an output path that cannot become a file of ours: only regular files are replaced, and writable ones.

    Raises
    ------
    FileError : naming the path and the rule.
    """
    if not path.name:
        raise FileError(f"{name}={path} must name a file")
    real = Path(os.path.realpath(path))
    if not real.parent.is_dir():
        raise FileError(f"{name}={path}: its folder {real.parent} does not exist")
    if os.path.lexists(real) and not real.is_file():
        raise FileError(
            f"{name}={path} must be a regular file; it is something else, such as a folder or a device"
        )
    if real.exists() and not os.access(real, os.W_OK):
        raise FileError(f"{name}={path} must be writable; it is read-only")


def write_atomically(writers: dict[Path, Callable[[IO[bytes]], object]]) -> None:
    """Write several files so that each appears whole; when one cannot be written, none appears.

    A link is followed: the file it names is replaced, not the link.

    Parameters
    ----------
    writers : for every path a function that writes its content to an open binary file

    Raises
    ------
    FileError : as `check_output`.
    OSError : naming the path that cannot be written.
    """
    for path in writers:
        check_output(path, "output")
    write_beside(writers)
