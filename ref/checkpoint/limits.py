"""Sizes that are believed of a file: checked before anything is made of them."""

from __future__ import annotations

from pathlib import Path

from ..models.smollm2 import LlamaShape
from .errors import CheckpointError

MAX_BLOCKS = 1024


def check_blocks(path: Path, blocks: int, tensors: int, each: int) -> None:
    """Refuse more blocks than the file has tensors for.

    Raises
    ------
    CheckpointError : naming the numbers.
    """
    if blocks > MAX_BLOCKS:
        raise CheckpointError(f"{path}: {blocks} blocks are said; at most {MAX_BLOCKS} are read")
    if tensors < blocks * each:
        raise CheckpointError(f"{path}: {blocks} blocks need {blocks * each} tensors; the file has {tensors}")


def check_heads(path: Path, width: int, heads: int) -> None:
    """Refuse heads that the width is no multiple of.

    Raises
    ------
    CheckpointError : naming the numbers.
    """
    if width % heads:
        raise CheckpointError(f"{path}: width {width} must be a multiple of its {heads} heads")


def check_llama(path: Path, shape: LlamaShape, tensors: int) -> None:
    """Refuse sizes that no Llama model has.

    Raises
    ------
    CheckpointError : naming the numbers.
    """
    check_blocks(path, shape.blocks, tensors, 9)
    check_heads(path, shape.width, shape.heads)
    if shape.head_width % 2:
        raise CheckpointError(f"{path}: heads of width {shape.head_width} must be even, for rotary positions")
    if shape.heads % shape.shared_heads:
        raise CheckpointError(
            f"{path}: {shape.heads} query heads must be a multiple of {shape.shared_heads} key-value heads"
        )
