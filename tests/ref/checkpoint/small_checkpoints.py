"""Small random models on disk: GGUF, and folders as Hugging Face has them; no real weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from torch import Tensor

WORDS = [chr(c) for c in range(97, 123)] + ["Ġ", "th", "the", "Ġthe", "an", "Ġan"]
MERGES = ["t h", "th e", "Ġ the", "a n", "Ġ an"]
WIDTH, INNER, HEADS, SHARED, BLOCKS = 32, 64, 4, 2, 2
KEYS: dict[str, Any] = {
    "block_count": BLOCKS, "embedding_length": WIDTH, "feed_forward_length": INNER, "attention.head_count": HEADS,
    "attention.head_count_kv": SHARED, "rope.freq_base": 10000.0, "attention.layer_norm_rms_epsilon": 1e-5,
}  # fmt: skip


def random(*shape: int, seed: int) -> Tensor:
    """Weights, about 1 / sqrt(K) large."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator) / shape[-1] ** 0.5


def llama_tensors(vocabulary: int = len(WORDS)) -> dict[str, Tensor]:
    """A Llama model by its names in GGUF."""
    shapes: dict[str, tuple[int, ...]] = {"token_embd": (vocabulary, WIDTH), "output_norm": (WIDTH,)}
    shared = WIDTH // HEADS * SHARED
    for block in range(BLOCKS):
        shapes |= {
            f"blk.{block}.{name}": shape
            for name, shape in {
                "attn_norm": (WIDTH,), "attn_q": (WIDTH, WIDTH), "attn_k": (shared, WIDTH), "attn_v": (shared, WIDTH),
                "attn_output": (WIDTH, WIDTH), "ffn_norm": (WIDTH,), "ffn_gate": (INNER, WIDTH),
                "ffn_up": (INNER, WIDTH), "ffn_down": (WIDTH, INNER),
            }.items()
        }  # fmt: skip
    found = {f"{name}.weight": random(*shape, seed=seed) for seed, (name, shape) in enumerate(shapes.items())}
    return {name: t.abs() + 0.5 if t.ndim == 1 else t for name, t in found.items()}


def write_gguf(
    path: Path,
    tensors: dict[str, Tensor] | None = None,
    kind: gguf.GGMLQuantizationType = gguf.GGMLQuantizationType.F32,
    keys: dict[str, Any] | None = None,
    architecture: str = "llama",
    pre: str = "smollm",
) -> Path:
    """A GGUF file; matrices are stored as `kind`."""
    writer = gguf.GGUFWriter(str(path), architecture)
    for key, value in (KEYS | (keys or {})).items():
        if value is None:
            continue
        kinds: dict[type, Any] = {int: writer.add_uint32, float: writer.add_float32, str: writer.add_string}
        kinds[type(value)](f"{architecture}.{key}", value)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(WORDS)
    writer.add_token_merges(MERGES)
    for name, tensor in (llama_tensors() if tensors is None else tensors).items():
        values = tensor.numpy()
        if tensor.ndim == 2 and kind is not gguf.GGMLQuantizationType.F32:
            writer.add_tensor(name, gguf.quantize(values, kind), raw_dtype=kind)
        else:
            writer.add_tensor(name, np.ascontiguousarray(values))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def write_tokenizer(folder: Path) -> None:
    """A tokenizer.json of the same words."""
    merges = [(line.split()[0], line.split()[1]) for line in MERGES]
    tokenizer = Tokenizer(models.BPE(vocab={word: i for i, word in enumerate(WORDS)}, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.save(str(folder / "tokenizer.json"))


HF_NAMES = {
    "attn_norm": "input_layernorm", "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj", "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj",
}  # fmt: skip


def hf_llama_tensors() -> dict[str, Tensor]:
    """The model of `llama_tensors` by its names and in the order of rows that Hugging Face has: halves, not pairs."""
    found = {}
    for name, tensor in llama_tensors().items():
        if name.startswith("blk."):
            _, block, inner, _ = name.split(".")
            if inner in ("attn_q", "attn_k"):
                heads = HEADS if inner == "attn_q" else SHARED
                tensor = tensor.unflatten(0, (heads, -1, 2)).transpose(1, 2).flatten(0, 2).contiguous()
            name = f"model.layers.{block}.{HF_NAMES[inner]}.weight"
        else:
            name = {"token_embd.weight": "model.embed_tokens.weight"}.get(name, "model.norm.weight")
        found[name] = tensor
    return found


LLAMA_CONFIG: dict[str, Any] = {
    "model_type": "llama", "hidden_act": "silu", "num_hidden_layers": BLOCKS, "hidden_size": WIDTH,
    "intermediate_size": INNER, "num_attention_heads": HEADS, "num_key_value_heads": SHARED,
    "vocab_size": len(WORDS), "rope_theta": 10000.0, "rms_norm_eps": 1e-5, "tie_word_embeddings": True,
}  # fmt: skip
BERT_CONFIG: dict[str, Any] = {
    "model_type": "bert", "hidden_act": "gelu", "num_hidden_layers": BLOCKS, "hidden_size": WIDTH,
    "intermediate_size": INNER, "num_attention_heads": HEADS, "vocab_size": len(WORDS),
    "max_position_embeddings": 64, "type_vocab_size": 2, "layer_norm_eps": 1e-12,
}  # fmt: skip


def bert_tensors() -> dict[str, Tensor]:
    """A BERT model by its names."""
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (len(WORDS), WIDTH),
        "embeddings.position_embeddings.weight": (64, WIDTH),
        "embeddings.token_type_embeddings.weight": (2, WIDTH),
    }
    norms = ["embeddings.LayerNorm"]
    for block in range(BLOCKS):
        base = f"encoder.layer.{block}"
        norms += [f"{base}.attention.output.LayerNorm", f"{base}.output.LayerNorm"]
        for name, rows, columns in (
            ("attention.self.query", WIDTH, WIDTH), ("attention.self.key", WIDTH, WIDTH),
            ("attention.self.value", WIDTH, WIDTH), ("attention.output.dense", WIDTH, WIDTH),
            ("intermediate.dense", INNER, WIDTH), ("output.dense", WIDTH, INNER),
        ):  # fmt: skip
            shapes |= {f"{base}.{name}.weight": (rows, columns), f"{base}.{name}.bias": (rows,)}
    shapes |= {f"{norm}.{part}": (WIDTH,) for norm in norms for part in ("weight", "bias")}
    found = {name: random(*shape, seed=seed) for seed, (name, shape) in enumerate(shapes.items())}
    return {n: t.abs() + 0.5 if n.endswith("LayerNorm.weight") else t for n, t in found.items()}


def write_folder(
    folder: Path,
    tensors: dict[str, Tensor],
    config: dict[str, Any],
) -> Path:
    """A model as Hugging Face keeps it; returns the file with the tensors."""
    folder.mkdir(exist_ok=True)
    save_file(tensors, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config))
    write_tokenizer(folder)
    return folder / "model.safetensors"
