"""Programs in files, for the commands."""

from __future__ import annotations

from pathlib import Path

from sevedo.gen.compile import load_compiled
from sevedo.gen.config.instructions import INSTRUCTION_BYTES

from .text import AssemblyError


def read_text(path: Path, most: int) -> str:
    """The text of a program.

    Raises
    ------
    AssemblyError : a file that cannot be read, is too large, or no text.
    """
    try:
        return _read(path, most).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise AssemblyError(f"{path} must be text in UTF-8") from None


def read_program(path: Path, most: int) -> tuple[bytes, dict[int, str]]:
    """The bytes of a program, and comments before some instructions: the layers, in a folder of `sevedo compile`.

    Raises
    ------
    AssemblyError, CompileError : what cannot be read.
    """
    if not path.is_dir():
        return _read(path, most), {}
    compiled = load_compiled(path)
    comments = {
        first: f"{layer.name}, T={compiled.tokens} K={layer.inputs} N={layer.outputs}, column tile {tile}"
        for layer in compiled.layers
        for tile, (first, _) in enumerate(layer.instructions)
    }
    end = compiled.program + compiled.instructions * INSTRUCTION_BYTES
    return compiled.image[compiled.program : end], comments


def _read(path: Path, most: int) -> bytes:
    try:
        if not path.is_file():
            raise AssemblyError(f"{path} must be a file")
        if (size := path.stat().st_size) > most:
            raise AssemblyError(f"{path} has {size} bytes; at most {most} are read")
        return path.read_bytes()
    except OSError as error:
        raise AssemblyError(f"{path} cannot be read: {error.strerror}") from None
