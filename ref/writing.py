"""Files written beside and renamed: a reader sees the old content or the new one, whatever happens in between."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO


def write_beside(writers: Mapping[Path, Callable[[IO[bytes]], object]]) -> None:
    """Write several files; they appear in the order given, each whole, or none when one cannot be written.

    A link is followed: the file it names is replaced, not the link.

    Parameters
    ----------
    writers : for every path a function that writes its content to an open binary file

    Raises
    ------
    OSError : naming the path.
    """
    beside: dict[Path, Path] = {}
    try:
        for path, write in writers.items():
            real = Path(os.path.realpath(path))
            try:
                handle, name = tempfile.mkstemp(prefix=f".{real.name}.", dir=real.parent)
                beside[real] = Path(name)
                with os.fdopen(handle, "wb") as file:
                    write(file)
                    file.flush()
                    os.fsync(file.fileno())  # the name must not outlive a power cut without the content
                mask = os.umask(0)
                os.umask(mask)
                Path(name).chmod(0o666 & ~mask)
            except OSError as error:
                raise OSError(error.errno, error.strerror, str(path)) from None
        for real, temporary in beside.items():
            temporary.replace(real)
    finally:
        for temporary in beside.values():
            temporary.unlink(missing_ok=True)


def sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
