"""Llama and BERT models as Hugging Face keeps them: safetensors, with config.json and tokenizer.json beside it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..artefact.tensorfile import TensorFile
from ..models.minilm import BertShape, MiniLmModule
from ..models.smollm2 import Llama, LlamaShape
from .errors import CheckpointError
from .fill import Change, fill, skeleton
from .limits import check_blocks, check_heads, check_llama
from .tokenizing import tokenizer_beside

MAX_CONFIG_BYTES = 1 << 20
FLOATS = ("F64", "F32", "F16", "BF16")

LLAMA = {
    "attn_norm": "input_layernorm.weight",
    "attn_q.weight": "self_attn.q_proj.weight",
    "attn_k.weight": "self_attn.k_proj.weight",
    "attn_v.weight": "self_attn.v_proj.weight",
    "attn_output.weight": "self_attn.o_proj.weight",
    "ffn_norm": "post_attention_layernorm.weight",
    "ffn_gate.weight": "mlp.gate_proj.weight",
    "ffn_up.weight": "mlp.up_proj.weight",
    "ffn_down.weight": "mlp.down_proj.weight",
}
"""Parameters of a block here and in the file."""
LLAMA_TOP = {
    "embedding": "model.embed_tokens.weight",
    "output": "lm_head.weight",
    "output_norm": "model.norm.weight",
}
BERT_UNUSED = ("embeddings.position_ids", "pooler.dense.weight", "pooler.dense.bias")
"""Tensors of BERT checkpoints that embeddings by mean pooling do not need."""


class SafeTensors:
    """The tensors of a safetensors file as `fill` wants them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file = TensorFile(path, CheckpointError)
        self.names = self.file.names

    def shape(self, name: str) -> tuple[int, ...]:
        """By the header."""
        return self.file.shape(name)

    def check(self, name: str) -> None:
        """Refuse what is not floating-point."""
        if (dtype := self.file.dtype(name)) not in FLOATS:
            raise CheckpointError(
                f"{self.path}: tensor {name} has dtype {dtype}; it must be one of {', '.join(FLOATS)}"
            )

    def tensor(self, name: str) -> Tensor:
        """Its values, float32."""
        return self.file.tensor(name).to(torch.float32)


def read_safetensors(path: Path) -> tuple[nn.Module, str, Any]:
    """The model, its kind ("llama" or "bert") and its tokenizer.

    Raises
    ------
    CheckpointError : files that are missing or damaged, another kind of model, tensors that are not as they must be.
    WorkloadError : package tokenizers is missing.
    """
    config = _ModelConfig(path.parent / "config.json")
    source = SafeTensors(path)
    kind = config.choice("model_type", ("llama", "bert"))
    model: Llama | MiniLmModule = _llama(source, config) if kind == "llama" else _bert(source, config)
    return model, kind, tokenizer_beside(path, model.shape.vocabulary)


def _llama(source: SafeTensors, config: _ModelConfig) -> Llama:
    config.choice("hidden_act", ("silu",))
    for key in ("attention_bias", "mlp_bias"):
        config.choice(key, (False,), False)
    heads = config.whole("num_attention_heads")
    # Version 5 of transformers keeps both in one object.
    rope = config.values.get("rope_parameters") or config.values.get("rope_scaling") or {}
    if not isinstance(rope, dict) or rope.get("rope_type", rope.get("type", "default")) != "default":
        raise CheckpointError(
            f"{config.path}: rope_scaling must be null; scaled rotary positions are not known here"
        )
    theta = rope.get("rope_theta", config.values.get("rope_theta", 10000.0))
    shape = LlamaShape(
        blocks=config.whole("num_hidden_layers"),
        width=config.whole("hidden_size"),
        inner=config.whole("intermediate_size"),
        heads=heads,
        shared_heads=config.whole("num_key_value_heads", heads),
        vocabulary=config.whole("vocab_size"),
        theta=config.positive("rope_theta", theta),
        epsilon=config.positive("rms_norm_eps", config.values.get("rms_norm_eps")),
        tied=config.choice("tie_word_embeddings", (True, False), False),
    )
    check_llama(config.path, shape, len(source.names))
    if (found := config.whole("head_dim", shape.head_width)) != shape.head_width:
        raise CheckpointError(
            f"{config.path}: head_dim={found} must be {shape.head_width}, the width over the heads"
        )
    model = skeleton(lambda: Llama(shape))
    names, change = {}, {}
    for name, _ in model.named_parameters():
        if name in LLAMA_TOP:
            names[name] = LLAMA_TOP[name]
            continue
        _, block, inner = name.split(".", 2)
        names[name] = f"model.layers.{block}.{LLAMA[inner]}"
        if inner in ("attn_q.weight", "attn_k.weight"):
            change[name] = _pairs(heads if "_q" in inner else shape.shared_heads)
    unused = [f"model.layers.{block}.self_attn.rotary_emb.inv_freq" for block in range(shape.blocks)]
    # A tied projection is there twice in some files.
    fill(model, source, names, [*unused, *(["lm_head.weight"] if shape.tied else [])], change)
    return model


def _pairs(heads: int) -> Change:
    """Rows of a projection such that the rotation takes neighbours, as `Llama` does, instead of halves of a head."""

    def change(weight: Tensor) -> Tensor:
        return weight.unflatten(0, (heads, 2, -1)).transpose(1, 2).flatten(0, 2).contiguous()

    return change


def _bert(source: SafeTensors, config: _ModelConfig) -> MiniLmModule:
    config.choice("hidden_act", ("gelu",))
    config.choice("position_embedding_type", ("absolute",), "absolute")
    shape = BertShape(
        blocks=config.whole("num_hidden_layers"),
        width=config.whole("hidden_size"),
        inner=config.whole("intermediate_size"),
        heads=config.whole("num_attention_heads"),
        vocabulary=config.whole("vocab_size"),
        positions=config.whole("max_position_embeddings"),
        types=config.whole("type_vocab_size"),
        epsilon=config.positive("layer_norm_eps", config.values.get("layer_norm_eps")),
    )
    check_blocks(config.path, shape.blocks, len(source.names), 16)
    check_heads(config.path, shape.width, shape.heads)
    model = skeleton(lambda: MiniLmModule(shape))
    prefix = "bert." if any(name.startswith("bert.") for name in source.names) else ""
    names = {name: prefix + name for name, _ in model.named_parameters()}
    fill(model, source, names, [prefix + name for name in BERT_UNUSED])
    return model


class _ModelConfig:
    """A model's config.json; every answer is checked."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.is_file():
            raise CheckpointError(f"{path.parent}: the model's config.json must be beside its tensors")
        if path.stat().st_size > MAX_CONFIG_BYTES:
            raise CheckpointError(
                f"{path} has {path.stat().st_size} bytes; at most {MAX_CONFIG_BYTES} are read"
            )
        try:
            self.values = json.loads(path.read_bytes())
        except (ValueError, RecursionError):
            raise CheckpointError(f"{path} is not JSON") from None
        if not isinstance(self.values, dict):
            raise CheckpointError(f"{path} must be a JSON object")

    def choice(self, key: str, known: tuple[Any, ...], default: Any = None) -> Any:
        """A value that must be one of a few."""
        return self._take(
            key, lambda v: any(v is k or (v == k and type(v) is type(k)) for k in known), _or(known), default
        )

    def whole(self, key: str, default: int | None = None) -> int:
        """A size."""
        most = (1 << 24) - 1
        found = self._take(
            key, lambda v: type(v) is int and 1 <= v <= most, f"an integer from 1 to {most}", default
        )
        return int(found)

    def positive(self, key: str, value: Any) -> float:
        """A number above 0 that was looked up already."""
        if type(value) not in (int, float) or not math.isfinite(value) or value <= 0:
            raise CheckpointError(f"{self.path}: {key}={value!r:.40} must be a number above 0")
        return float(value)

    def _take(self, key: str, check: Callable[[Any], bool], rule: str, default: Any) -> Any:
        value = self.values.get(key)
        value = default if value is None else value
        if value is None:
            raise CheckpointError(f"{self.path}: {key} is missing")
        if not check(value):
            raise CheckpointError(f"{self.path}: {key}={value!r:.40} must be {rule}")
        return value


def _or(known: tuple[Any, ...]) -> str:
    return " or ".join(json.dumps(value) for value in known)
