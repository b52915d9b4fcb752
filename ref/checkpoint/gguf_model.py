"""Llama models from GGUF files; weights of any of ggml's types are expanded to float32."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..models.smollm2 import Llama, LlamaShape
from ..workloads import WorkloadError
from .errors import CheckpointError
from .fill import fill, skeleton
from .gguf_header import GgufHeader, field, read_header
from .limits import check_llama
from .tokenizing import tokenizer_of_gguf

_INTEGERS = {24: "I8", 25: "I16", 26: "I32", 27: "I64"}
_F64 = 28


class GgufTensors:
    """The tensors of a GGUF file as `fill` wants them."""

    def __init__(self, path: Path, header: GgufHeader) -> None:
        try:
            import gguf
        except ImportError:
            raise WorkloadError(
                "package gguf is missing; install it with: pip install gguf (extra: sevedo[workloads])"
            ) from None
        self.path, self.header, self._gguf = path, header, gguf
        self._size = path.stat().st_size

    @property
    def names(self) -> Iterable[str]:
        """All of them."""
        return self.header.tensors

    def shape(self, name: str) -> tuple[int, ...]:
        """By the header."""
        return self.header.tensors[name].shape

    def check(self, name: str) -> None:
        """Refuse integers, unknown types, rows that are no whole blocks, bytes behind the file's end."""
        tensor = self.header.tensors[name]
        if tensor.kind in _INTEGERS:
            raise CheckpointError(
                f"{self.path}: tensor {name} is of integers ({_INTEGERS[tensor.kind]}); it must be of real numbers"
            )
        try:
            kind = self._gguf.GGMLQuantizationType(tensor.kind)
        except ValueError:
            raise CheckpointError(
                f"{self.path}: tensor {name} has type {tensor.kind}, which ggml does not know"
            ) from None
        block = self._gguf.GGML_QUANT_SIZES[kind][0]
        if tensor.shape and tensor.shape[-1] % block:
            raise CheckpointError(
                f"{self.path}: tensor {name} has rows of {tensor.shape[-1]}; {kind.name} has blocks of {block}"
            )
        if (end := tensor.offset + self._bytes(name)) > self._size:
            raise CheckpointError(
                f"{self.path} is cut short: tensor {name} ends at byte {end} of {self._size}"
            )

    def tensor(self, name: str) -> Tensor:
        """Its values, float32."""
        tensor = self.header.tensors[name]
        raw = np.fromfile(self.path, dtype=np.uint8, count=self._bytes(name), offset=tensor.offset)
        kind = self._gguf.GGMLQuantizationType(tensor.kind)
        # Damaged scales overflow: what they give is found by `fill`.
        with np.errstate(all="ignore"):
            try:
                if tensor.kind == _F64:
                    values = raw.view(np.float64).astype(np.float32)
                else:
                    values = self._gguf.dequantize(raw.reshape(math.prod(tensor.shape[:-1]), -1), kind)
            except NotImplementedError:
                raise CheckpointError(
                    f"{self.path}: tensor {name} has type {kind.name}, which package gguf does not expand"
                ) from None
        return torch.from_numpy(np.array(values, dtype=np.float32)).reshape(tensor.shape)

    def _bytes(self, name: str) -> int:
        tensor = self.header.tensors[name]
        block, size = self._gguf.GGML_QUANT_SIZES[self._gguf.GGMLQuantizationType(tensor.kind)]
        return math.prod(tensor.shape) // block * size


def read_gguf(path: Path) -> tuple[Llama, Any]:
    """A Llama model and its tokenizer.

    Raises
    ------
    CheckpointError : another architecture, tensors or keys that are not as they must be; one line.
    WorkloadError : package gguf or tokenizers is missing.
    """
    header = read_header(path)
    kind = field(header, path, "general.architecture", str, lambda value: value == "llama", "llama")
    shape = _shape(header, path, kind)
    check_llama(path, shape, len(header.tensors))
    source = GgufTensors(path, header)
    model = skeleton(lambda: Llama(shape))
    names = {name: _name(name) for name, _ in model.named_parameters()}
    fill(model, source, names)
    return model, tokenizer_of_gguf(path, header.fields, shape.vocabulary)


def _name(parameter: str) -> str:
    """The name in GGUF of a parameter of the module."""
    own = {"embedding": "token_embd", "output": "output", "output_norm": "output_norm"}
    if parameter in own:
        return f"{own[parameter]}.weight"
    return parameter.replace("blocks.", "blk.", 1).removesuffix(".weight") + ".weight"


def _shape(header: GgufHeader, path: Path, kind: str) -> LlamaShape:
    def whole(key: str, default: int | None = None) -> int:
        rule = f"an integer from 1 to {(1 << 24) - 1}"
        return int(
            field(header, path, f"{kind}.{key}", int, lambda value: 0 < value < 1 << 24, rule, default)
        )

    def real(key: str, default: float | None = None) -> float:
        def check(value: float) -> bool:
            return math.isfinite(value) and value > 0

        return float(field(header, path, f"{kind}.{key}", float, check, "a number above 0", default))

    embedding = header.tensors.get("token_embd.weight")
    if embedding is None or len(embedding.shape) != 2:
        raise CheckpointError(f"{path}: tensor token_embd.weight is missing or no matrix")
    heads = whole("attention.head_count")
    shape = LlamaShape(
        blocks=whole("block_count"),
        width=whole("embedding_length"),
        inner=whole("feed_forward_length"),
        heads=heads,
        shared_heads=whole("attention.head_count_kv", heads),
        vocabulary=embedding.shape[0],
        theta=real("rope.freq_base", 10000.0),
        epsilon=real("attention.layer_norm_rms_epsilon"),
        tied="output.weight" not in header.tensors,
    )
    for key in ("rope.dimension_count", "attention.key_length", "attention.value_length"):
        if (found := whole(key, shape.width // heads)) != shape.width // heads:
            raise CheckpointError(
                f"{path}: {kind}.{key}={found} must be {shape.width // heads}, the width over the heads"
            )
    if (scaling := header.fields.get(f"{kind}.rope.scaling.type", "none")) != "none":
        raise CheckpointError(f"{path}: {kind}.rope.scaling.type={scaling!r:.40} must be none")
    return shape
