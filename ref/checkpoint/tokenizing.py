"""Tokenizers: from the `tokenizer.json` beside a model, or from what a GGUF file says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..workloads import WorkloadError
from .errors import CheckpointError

MAX_BYTES = 64 << 20
"""A longer tokenizer.json is refused unread."""

GGUF_SPLITS = ("smollm",)
"""`tokenizer.ggml.pre` whose rules for cutting text into words are known here."""


def tokenizer_beside(path: Path, vocabulary: int) -> Any:
    """The tokenizer of `tokenizer.json` in the folder of a checkpoint, without padding.

    Raises
    ------
    CheckpointError : there is none, it cannot be read, or it knows more tokens than the model.
    WorkloadError : package tokenizers is missing.
    """
    file = path.parent / "tokenizer.json"
    if not file.is_file():
        raise CheckpointError(f"{path}: the model's tokenizer.json must be beside it")
    if file.stat().st_size > MAX_BYTES:
        raise CheckpointError(f"{file} has {file.stat().st_size} bytes; at most {MAX_BYTES} are read")
    library = _library()
    tokenizer = _guarded(file, lambda: library.Tokenizer.from_file(str(file)))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return _checked(file, tokenizer, vocabulary)


def tokenizer_of_gguf(path: Path, fields: dict[str, Any], vocabulary: int) -> Any:
    """Byte-level BPE as the file's metadata tells it; where that is of another kind, the one beside the file.

    Raises
    ------
    CheckpointError : keys are missing or wrong; an unknown kind and no tokenizer.json beside the file.
    WorkloadError : package tokenizers is missing.
    """
    kind, split = fields.get("tokenizer.ggml.model"), fields.get("tokenizer.ggml.pre")
    if kind != "gpt2" or split not in GGUF_SPLITS:
        if (path.parent / "tokenizer.json").is_file():
            return tokenizer_beside(path, vocabulary)
        raise CheckpointError(
            f"{path}: tokenizer.ggml.model={kind!r:.40} with tokenizer.ggml.pre={split!r:.40} is not known here "
            f"(gpt2 with {', '.join(GGUF_SPLITS)} is); put the model's tokenizer.json beside the file"
        )
    words, lines = (fields.get(f"tokenizer.ggml.{name}") for name in ("tokens", "merges"))
    for name, values in (("tokens", words), ("merges", lines)):
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            raise CheckpointError(f"{path}: tokenizer.ggml.{name} must be a list of texts")
    assert isinstance(words, list)
    assert isinstance(lines, list)
    merges = [tuple(line.split(" ", 1)) for line in lines]
    if bad := next((line for line, pair in zip(lines, merges, strict=True) if len(pair) != 2), None):
        raise CheckpointError(
            f"{path}: tokenizer.ggml.merges has {bad!r:.40}; it must be two texts and a space"
        )
    library = _library()

    def build() -> Any:
        model = library.models.BPE(vocab={word: i for i, word in enumerate(words)}, merges=merges)
        tokenizer = library.Tokenizer(model)
        cuts = library.pre_tokenizers
        # smollm: digits one by one, then bytes.
        tokenizer.pre_tokenizer = cuts.Sequence(
            [cuts.Digits(individual_digits=True), cuts.ByteLevel(add_prefix_space=False)]
        )
        tokenizer.decoder = library.decoders.ByteLevel()
        return tokenizer

    return _checked(path, _guarded(path, build), vocabulary)


def _checked(path: Path, tokenizer: Any, vocabulary: int) -> Any:
    largest = max(tokenizer.get_vocab(with_added_tokens=True).values(), default=-1)
    if largest >= vocabulary:
        raise CheckpointError(
            f"{path}: the tokenizer has a token {largest}; the model's embedding has rows 0 to {vocabulary - 1}"
        )
    return tokenizer


def _guarded(path: Path, build: Callable[[], Any]) -> Any:
    try:
        return build()
    except (KeyboardInterrupt, SystemExit, MemoryError):
        raise
    # The library is Rust: where it panics, what arrives is no `Exception`.
    except BaseException as error:
        reason = " ".join(str(error).split())
        raise CheckpointError(f"{path}: the tokenizer cannot be read: {reason[:200]}") from None


def _library() -> Any:
    try:
        import tokenizers
    except ImportError:
        raise WorkloadError(
            "package tokenizers is missing; install it with: pip install tokenizers (extra: sevedo[workloads])"
        ) from None
    return tokenizers
