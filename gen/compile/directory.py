"""A compiled program on disk: `image.bin` and `program.json`, whole or not at all, refused when they were changed."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sevedo.gen.config import ConfigError
from sevedo.ref.writing import write_beside

from .compiled import Compiled
from .description import DESCRIPTION, IMAGE, SCHEMA, checksum, compiled_of, described, text_of
from .errors import CompileError

MAX_JSON_BYTES = 64 << 20


def save_compiled(folder: Path | str, compiled: Compiled, facts: Mapping[str, Any] | None = None) -> None:
    """Write a compiled program into `folder`; one that was there before is replaced.

    It is made beside and renamed: who reads sees the old one, the new one or none.

    Parameters
    ----------
    facts : what else the JSON shall say, plain data: key `facts`

    Raises
    ------
    CompileError : `folder` is there and holds something else than a compiled program.
    OSError : naming the path that cannot be written.
    """
    folder = Path(folder)
    real = Path(os.path.realpath(folder))
    check_folder(folder)
    real.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{real.name}.", dir=real.parent))
    try:
        mask = os.umask(0)
        os.umask(mask)
        beside.chmod(0o777 & ~mask)
        text = described(compiled, facts or {})
        write_beside(
            {
                beside / IMAGE: lambda file: file.write(compiled.image),
                beside / DESCRIPTION: lambda file: file.write(text.encode()),
            }
        )
        if real.exists():
            old = Path(tempfile.mkdtemp(prefix=f".{real.name}.", dir=real.parent))
            real.rename(old / "old")
            beside.rename(real)
            shutil.rmtree(old)
        else:
            beside.rename(real)
    finally:
        if beside.exists():
            shutil.rmtree(beside)


def check_folder(folder: Path) -> None:
    """Refuse a folder that holds something else than a compiled program.

    Raises
    ------
    CompileError : naming it.
    """
    real = Path(os.path.realpath(folder))
    if not folder.name:
        raise CompileError(f"out={folder} must name a folder of its own")
    if os.path.lexists(real) and (
        not real.is_dir() or not {each.name for each in real.iterdir()} <= {IMAGE, DESCRIPTION}
    ):
        raise CompileError(
            f"out={folder} must be a new folder, or one with a compiled program and nothing else"
        )


def load_compiled(folder: Path | str) -> Compiled:
    """Read what `save_compiled` wrote.

    Raises
    ------
    CompileError : a file is missing, cut short or changed; one line that names it.
    """
    folder = Path(folder)
    found = _read(folder / DESCRIPTION)
    entry = found["image"]
    path = folder / IMAGE
    try:
        size = path.stat().st_size
        if size != entry["bytes"]:
            raise CompileError(f"{path} has {size} bytes; {DESCRIPTION} says {entry['bytes']}")
        image = path.read_bytes()
    except OSError as error:
        raise CompileError(f"{path} cannot be read: {error.strerror}") from None
    if (digest := hashlib.sha256(image).hexdigest()) != entry["sha256"]:
        raise CompileError(
            f"{path} has SHA-256 {digest[:16]}...; {DESCRIPTION} says {str(entry['sha256'])[:16]}..."
        )
    try:
        return compiled_of(found, image)
    # It has the right checksum: it was written by another version, or by somebody who knows how.
    except (ConfigError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise CompileError(
            f"{folder / DESCRIPTION} is no compiled program of this version: {error}"
        ) from None


def _read(path: Path) -> dict[str, Any]:
    """The JSON, its checksum being right."""
    try:
        if not path.is_file():
            raise CompileError(f"{path} must be a file: the folder is no compiled program (sevedo compile)")
        if (size := path.stat().st_size) > MAX_JSON_BYTES:
            raise CompileError(f"{path} has {size} bytes; at most {MAX_JSON_BYTES} are read")
        content = path.read_bytes()
        found = json.loads(content)
    except OSError as error:
        raise CompileError(f"{path} cannot be read: {error.strerror}") from None
    except CompileError:
        raise
    except (ValueError, RecursionError):
        raise CompileError(f"{path} is not JSON, or cut short") from None
    if not isinstance(found, dict) or found.get("schema") != SCHEMA:
        shown = found.get("schema") if isinstance(found, dict) else None
        raise CompileError(f"{path}: schema={shown!r} must be {SCHEMA}")
    digest = None
    with contextlib.suppress(ValueError, RecursionError):
        digest = checksum(found)
    if digest is None or found.get("sha256") != digest or text_of(found).encode() != content:
        raise CompileError(f"{path} was changed: its content is not what its checksum, key sha256, is of")
    image = found.get("image")
    if not isinstance(image, dict) or "bytes" not in image or "sha256" not in image:
        raise CompileError(f"{path}: image is missing")
    return found
