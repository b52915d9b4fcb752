"""Checkpoints: models are read as they were written; every file that is none is refused in one line."""

from __future__ import annotations

import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import pytest
import torch
from safetensors.torch import save_file
from small_checkpoints import (
    BERT_CONFIG,
    BLOCKS,
    HEADS,
    LLAMA_CONFIG,
    SHARED,
    bert_tensors,
    hf_llama_tensors,
    llama_tensors,
    write_folder,
    write_gguf,
)
from torch.nn.functional import rms_norm, silu, softmax

from sevedo.ref.checkpoint import CheckpointError, read

TOKENS = torch.tensor([[3, 17, 31, 0, 8, 22, 5, 5, 19]])
KINDS = gguf.GGMLQuantizationType


def check_refused(path: Path, message: str) -> None:
    """One line that names the path."""
    with pytest.raises(CheckpointError, match=message) as told:
        read(path)
    assert "\n" not in str(told.value)
    assert str(path.parent if path.is_file() else path) in str(told.value)


def test_gguf_llama(tmp_path: Path) -> None:
    found = read(write_gguf(tmp_path / "m.gguf"))
    assert (found.kind, found.name, found.largest_input) == ("llama", "m.gguf", 64)
    tensors, parameters = llama_tensors(), dict(found.module.named_parameters())
    assert torch.equal(parameters["embedding"], tensors["token_embd.weight"])
    assert torch.equal(parameters["blocks.1.ffn_down.weight"], tensors["blk.1.ffn_down.weight"])
    assert len(parameters) == len(tensors) == 2 + 9 * BLOCKS
    logits = found.module(TOKENS)
    assert logits.shape == (1, 9, 32)
    assert bool(torch.isfinite(logits).all())
    assert found.tokens("the an").tolist() == [28, 31]


@pytest.mark.parametrize("kind", [KINDS.F16, KINDS.BF16, KINDS.Q8_0, KINDS.Q4_0, KINDS.Q4_1, KINDS.Q5_1])
def test_quantized_gguf_is_expanded(tmp_path: Path, kind: KINDS) -> None:
    found = dict(read(write_gguf(tmp_path / "m.gguf", kind=kind)).module.named_parameters())
    matrix = llama_tensors()["blk.0.ffn_up.weight"]
    expected = gguf.dequantize(gguf.quantize(matrix.numpy(), kind), kind)
    assert torch.equal(found["blocks.0.ffn_up.weight"], torch.from_numpy(expected))
    assert not torch.equal(found["blocks.0.ffn_up.weight"], matrix)


def reference_llama(t: dict[str, torch.Tensor], tokens: torch.Tensor) -> torch.Tensor:
    """Logits as Hugging Face's model defines them: rotation of halves of a head."""
    norm = lambda x, w: rms_norm(x, x.shape[-1:], w, 1e-5)  # noqa: E731
    x = t["model.embed_tokens.weight"][tokens[0]]
    for block in range(BLOCKS):
        w = {n.removeprefix(f"model.layers.{block}.").removesuffix(".weight"): v for n, v in t.items()}
        h = norm(x, w["input_layernorm"])
        q, k, v = (
            (h @ w[f"self_attn.{n}_proj"].T).unflatten(1, (-1, 8)).transpose(0, 1) for n in ("q", "k", "v")
        )
        rates = 10000.0 ** (-torch.arange(0, 8, 2) / 8)
        angles = torch.arange(len(x))[:, None] * torch.cat([rates, rates])
        q, k = (z * angles.cos() + torch.cat([-z[..., 4:], z[..., :4]], -1) * angles.sin() for z in (q, k))
        k, v = (z.repeat_interleave(HEADS // SHARED, 0) for z in (k, v))
        scores = q @ k.transpose(1, 2) / 8**0.5
        scores += torch.full(scores.shape[1:], -torch.inf).triu(1)
        x = x + (softmax(scores, -1) @ v).transpose(0, 1).flatten(1) @ w["self_attn.o_proj"].T
        h = norm(x, w["post_attention_layernorm"])
        x = x + (silu(h @ w["mlp.gate_proj"].T) * (h @ w["mlp.up_proj"].T)) @ w["mlp.down_proj"].T
    return norm(x, t["model.norm.weight"]) @ t.get("lm_head.weight", t["model.embed_tokens.weight"]).T


def test_hugging_face_llama_gives_the_logits_of_its_definition(tmp_path: Path) -> None:
    tensors = hf_llama_tensors()
    path = write_folder(tmp_path / "m", tensors, LLAMA_CONFIG)
    found = read(path.parent)
    torch.testing.assert_close(found.module(TOKENS)[0], reference_llama(tensors, TOKENS), atol=1e-5, rtol=0)
    other = read(write_gguf(tmp_path / "m.gguf")).module
    assert all(torch.equal(a, b) for a, b in zip(other.parameters(), found.module.parameters(), strict=True))


def test_an_output_projection_of_its_own(tmp_path: Path) -> None:
    tensors = hf_llama_tensors() | {"lm_head.weight": torch.randn(32, 32)}
    path = write_folder(tmp_path / "m", tensors, LLAMA_CONFIG | {"tie_word_embeddings": False})
    expected = reference_llama(tensors, TOKENS)
    torch.testing.assert_close(read(path).module(TOKENS)[0], expected, atol=1e-5, rtol=0)
    both = llama_tensors() | {"output.weight": tensors["lm_head.weight"]}
    other = read(write_gguf(tmp_path / "m.gguf", both)).module
    torch.testing.assert_close(other(TOKENS)[0], expected, atol=1e-5, rtol=0)


def test_hugging_face_bert(tmp_path: Path) -> None:
    tensors = {n: t.to(torch.bfloat16) for n, t in bert_tensors().items()}
    unused = {"embeddings.position_ids": torch.arange(64)[None], "pooler.dense.weight": torch.zeros(32, 32)}
    found = read(write_folder(tmp_path / "m", tensors | unused, BERT_CONFIG))
    prefixed = {f"bert.{name}": tensor for name, tensor in tensors.items()}
    other = read(write_folder(tmp_path / "n", prefixed, BERT_CONFIG))
    assert (found.kind, found.largest_input) == ("bert", 64)
    parameters = dict(found.module.named_parameters())
    assert parameters.keys() == tensors.keys()
    assert all(torch.equal(parameters[n], t.float()) for n, t in tensors.items())
    assert torch.equal(found.module(TOKENS), other.module(TOKENS))
    assert float(found.module(TOKENS).norm()) == pytest.approx(1)


def bad(name: str, tensor: torch.Tensor | None) -> Callable[[dict[str, Any]], None]:
    def change(tensors: dict[str, Any]) -> None:
        if tensor is None:
            del tensors[name]
        else:
            tensors[name] = tensor

    return change


NAN = torch.full((32, 32), torch.nan)
QUERY = "model.layers.1.self_attn.q_proj.weight"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (bad(QUERY, None), f"tensor {QUERY} is missing"),
        (bad("extra", torch.zeros(1)), "tensor extra is unknown"),
        (bad(QUERY, torch.zeros(31, 32)), rf"tensor {QUERY} has shape \[31, 32\]; it must be \[32, 32\]"),
        (bad(QUERY, NAN), f"tensor {QUERY} holds 1024 NaN or infinite values"),
        (
            bad(QUERY, NAN.to(torch.float16).nan_to_num(nan=torch.inf)),
            f"tensor {QUERY} holds 1024 NaN or infinite",
        ),
        (bad(QUERY, NAN.isnan()), f"tensor {QUERY} has dtype BOOL; it must be one of F64, F32, F16, BF16"),
        (bad(QUERY, NAN.isnan().to(torch.int8)), f"tensor {QUERY} has dtype I8"),
    ],
)
def test_tensors_that_no_model_has(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], message: str
) -> None:
    tensors = hf_llama_tensors()
    change(tensors)
    check_refused(write_folder(tmp_path / "m", tensors, LLAMA_CONFIG), message)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"model_type": "t5"}, 'model_type=\'t5\' must be "llama" or "bert"'),
        ({"model_type": None}, "model_type is missing"),
        ({"hidden_size": "32"}, "hidden_size='32' must be an integer from 1"),
        ({"hidden_size": True}, "hidden_size=True must be an integer from 1"),
        ({"num_hidden_layers": 10**7}, "10000000 blocks are said; at most 1024 are read"),
        ({"num_hidden_layers": 5}, "5 blocks need 45 tensors; the file has 20"),
        ({"num_attention_heads": 5, "num_key_value_heads": 5}, "width 32 must be a multiple of its 5 heads"),
        ({"num_key_value_heads": 3}, "4 query heads must be a multiple of 3 key-value heads"),
        ({"head_dim": 16}, "head_dim=16 must be 8"),
        ({"rope_scaling": {"rope_type": "llama3"}}, "rope_scaling must be null"),
        ({"rms_norm_eps": -1}, "rms_norm_eps=-1 must be a number above 0"),
        ({"attention_bias": True}, "attention_bias=True must be false"),
        ({"vocab_size": 30}, r"embed_tokens.weight has shape \[32, 32\]; it must be \[30, 32\]"),
        ({"tie_word_embeddings": False}, "tensor lm_head.weight is missing"),
    ],
)
def test_configurations_that_no_model_has(tmp_path: Path, config: dict[str, Any], message: str) -> None:
    check_refused(write_folder(tmp_path / "m", hf_llama_tensors(), LLAMA_CONFIG | config), message)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"block_count": None}, "key llama.block_count is missing"),
        ({"block_count": 10**6}, "1000000 blocks are said"),
        ({"embedding_length": "wide"}, "llama.embedding_length='wide' must be an integer"),
        ({"attention.head_count": 0}, "llama.attention.head_count=0 must be an integer from 1"),
        ({"rope.freq_base": float("nan")}, "llama.rope.freq_base=nan must be a number above 0"),
        ({"rope.dimension_count": 4}, "llama.rope.dimension_count=4 must be 8"),
        ({"rope.scaling.type": "yarn"}, "rope.scaling.type='yarn' must be none"),
        (
            {"feed_forward_length": 63},
            r"tensor blk.0.ffn_gate.weight has shape \[64, 32\]; it must be \[63, 32\]",
        ),
    ],
)
def test_gguf_keys_that_no_model_has(tmp_path: Path, keys: dict[str, Any], message: str) -> None:
    check_refused(write_gguf(tmp_path / "m.gguf", keys=keys), message)


def test_gguf_tensors_that_no_model_has(tmp_path: Path) -> None:
    path, name = tmp_path / "m.gguf", "blk.0.attn_k.weight"
    for change, message in (
        ({name: None}, f"tensor {name} is missing"),
        ({"blk.7.attn_k.weight": torch.zeros(1)}, "tensor blk.7.attn_k.weight is unknown"),
        ({"two\nlines\x1b[31m": torch.zeros(1)}, r"tensor two lines\?\[31m is unknown"),
        ({name: torch.zeros(16, 32, dtype=torch.int32)}, rf"tensor {name} is of integers \(I32\)"),
        ({name: torch.full((16, 32), torch.inf)}, f"tensor {name} holds 512 NaN or infinite values"),
    ):
        tensors = {n: t for n, t in (llama_tensors() | change).items() if t is not None}
        check_refused(write_gguf(path, tensors), message)
    check_refused(write_gguf(path, architecture="qwen2"), "general.architecture='qwen2' must be llama")
    check_refused(write_gguf(path, pre="llama-bpe"), "tokenizer.json beside the file")
    check_refused(write_gguf(path, llama_tensors(31)), r"a token 31; the model's embedding has rows 0 to 30")


def test_pickles_are_never_opened(tmp_path: Path) -> None:
    names = ("model.bin", "model.pt", "model.pth", "model.safetensors", "model.gguf", "model")
    for protocol in range(2, 6):
        content = pickle.dumps({"a": list(range(100))}, protocol=protocol)
        for name in names:
            (tmp_path / name).write_bytes(content)
            check_refused(tmp_path / name, "is a pickle, which can execute anything")
            (tmp_path / name).unlink()
    torch.save({"w": torch.zeros(3)}, tmp_path / "model.safetensors")
    assert zipfile.is_zipfile(tmp_path / "model.safetensors")
    check_refused(tmp_path / "model.safetensors", "is a pickle")
    save_file({"w": torch.zeros(3)}, tmp_path / "model.bin")
    check_refused(tmp_path / "model.bin", "is a pickle")


def test_paths_that_are_no_checkpoint(tmp_path: Path) -> None:
    check_refused(
        tmp_path / "none.gguf", "must be an existing file or folder, or a packaged model: smollm2, minilm"
    )
    check_refused(tmp_path, "must hold one .safetensors or .gguf file; there: none")
    (tmp_path / "empty.gguf").touch()
    check_refused(tmp_path / "empty.gguf", "is empty")
    (tmp_path / "text.gguf").write_text("Once upon a time")
    check_refused(tmp_path / "text.gguf", "is neither safetensors nor GGUF")
    check_refused(tmp_path, "there: empty.gguf, text.gguf")
    path = write_folder(tmp_path / "m", hf_llama_tensors(), LLAMA_CONFIG)
    (path.parent / "tokenizer.json").write_text("{}")
    check_refused(path, "tokenizer.json: the tokenizer cannot be read")
    (path.parent / "tokenizer.json").unlink()
    check_refused(path, "tokenizer.json must be beside it")
    (path.parent / "config.json").write_text("[1")
    check_refused(path, "config.json is not JSON")
    (path.parent / "config.json").unlink()
    check_refused(path, "config.json must be beside its tensors")
    (path.parent / "model.safetensors.index.json").write_text("{}")
    check_refused(path.parent, "holds a model in several files")


def refusal(path: Path) -> bool:
    """Whether a file is refused, which must be in one line; anything but a refusal is an error of ours."""
    try:
        read(path)
    except CheckpointError as error:
        return "\n" not in str(error) or pytest.fail(f"several lines: {error}")
    return False


def fuzz(path: Path, seed: int, count: int, head: int) -> tuple[int, int]:
    """Change, cut and prolong a file; how often it was refused, and how often still taken."""
    content, generator = path.read_bytes(), torch.Generator().manual_seed(seed)

    def number(limit: int) -> int:
        return int(torch.randint(0, limit, (1,), generator=generator))

    refused = 0
    for attempt in range(count):
        damaged = bytearray(content)
        if attempt % 4 == 0:
            del damaged[number(len(content)) :]
        elif attempt % 4 == 1:
            place = number(head)
            damaged[place : place + 8] = (1 << number(64)).to_bytes(8, "little")
        else:
            for _ in range(1 + number(4)):
                damaged[number(head if attempt % 4 == 2 else len(content))] = number(256)
        path.write_bytes(bytes(damaged))
        refused += refusal(path)
    return refused, count - refused


def test_damaged_gguf_files_never_crash(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "m.gguf", kind=KINDS.Q4_0)
    refused, taken = fuzz(path, 1, 300, 3000)
    assert refused > 150
    assert taken > 10  # weights may be anything


def test_damaged_safetensors_never_crash(tmp_path: Path) -> None:
    path = write_folder(tmp_path / "m", hf_llama_tensors(), LLAMA_CONFIG)
    refused, taken = fuzz(path, 2, 300, 2000)
    assert refused > 150
    assert taken > 10


def test_damaged_descriptions_never_crash(tmp_path: Path) -> None:
    path = write_folder(tmp_path / "m", hf_llama_tensors(), LLAMA_CONFIG)
    generator, refused = torch.Generator().manual_seed(4), 0
    for name in ("config.json", "tokenizer.json"):
        file = path.parent / name
        content = file.read_bytes()
        for _ in range(100):
            damaged = bytearray(content)
            place = int(torch.randint(0, len(content), (1,), generator=generator))
            damaged[place] = int(torch.randint(0, 256, (1,), generator=generator))
            file.write_bytes(bytes(damaged))
            refused += refusal(path)
        file.write_bytes(content)
    assert refused > 60
    assert json.loads((path.parent / "config.json").read_text()) == LLAMA_CONFIG
