"""Inputs of a program: from a file, from a text, random; what does not fit is refused in one line."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from layers import layer
from torch import nn

from sevedo.gen.compile import compile_layers
from sevedo.gen.config import preset
from sevedo.gen.files import FileError
from sevedo.gen.host.inputs import InputError, encoded, model_of, random_inputs, read_inputs, text_inputs
from sevedo.ref.checkpoint.read import Checkpoint

TINY = preset("tiny")
TOKENS = 5


@pytest.fixture(scope="module")
def compiled():
    layers = {
        name: layer(TINY, (TOKENS, inputs, 9, 3))[0] for name, inputs in (("a", 20), ("b", 30), ("c", 30))
    }
    return compile_layers(layers, TINY, TOKENS, shares={"c": "b"})


def test_random_inputs(compiled):
    one, same, other = (random_inputs(compiled, seed) for seed in (1, 1, 2))
    assert {name: tuple(x.shape) for name, x in one.items()} == {"a": (TOKENS, 20), "b": (TOKENS, 30)}
    assert torch.equal(one["b"], same["b"])
    assert not torch.equal(one["b"], other["b"])
    assert encoded(compiled, {"a": torch.tensor([1.0, -2.0, 70000.0])})["a"].tolist() == [
        0x3C00,
        0xC000,
        0x7C00,
    ]
    assert len(compiled.data(encoded(compiled, one))) == compiled.data_bytes


def test_read_inputs(compiled, tmp_path):
    path = tmp_path / "x.npz"
    x: dict[str, Any] = {"a": np.arange(100).reshape(TOKENS, 20), "b": np.full((TOKENS, 30), 0.5, np.float32)}
    np.savez(path, **x)
    found = read_inputs(path, compiled)
    assert {name: each.tolist() for name, each in found.items()} == {
        name: each.tolist() for name, each in x.items()
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"b": None}, "array b is missing"),
        ({"z": np.zeros(3)}, "array z is unknown"),
        ({"a": np.zeros((TOKENS, 21))}, r"array a has shape \(5, 21\); it must be \(5, 20\)"),
        ({"a": np.zeros((TOKENS, 20), complex)}, "array a has dtype complex128"),
        ({"a": np.full((TOKENS, 20), None)}, "must be a .npz file of plain numbers"),
    ],
)
def test_wrong_arrays_are_refused(compiled, tmp_path, change, message):
    x: dict[str, Any] = {"a": np.zeros((TOKENS, 20)), "b": np.zeros((TOKENS, 30))} | change
    kept: dict[str, Any] = {name: each for name, each in x.items() if each is not None}
    np.savez(tmp_path / "x.npz", **kept)
    with pytest.raises((InputError, FileError), match=message) as error:
        read_inputs(tmp_path / "x.npz", compiled)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"no archive at all", None])
def test_damaged_files_are_refused(compiled, tmp_path, content):
    path = tmp_path / "x.npz"
    if content is None:
        np.savez(path, a=np.zeros((TOKENS, 20)), b=np.zeros((TOKENS, 30)))
        content = path.read_bytes()[:-40]
    path.write_bytes(content)
    with pytest.raises(FileError, match=r"inputs=.*x\.npz"):
        read_inputs(path, compiled)
    np.save(tmp_path / "x.npy", np.zeros(3))
    with pytest.raises(FileError, match=r"must be a \.npz file"):
        read_inputs(tmp_path / "x.npy", compiled)
    with pytest.raises(FileError, match="cannot be read: No such file"):
        read_inputs(tmp_path / "none.npz", compiled)


class Words:
    """A tokenizer: a word is its length."""

    def encode(self, text: str, add_special_tokens: bool) -> object:
        """With a mark, 0, at both ends where a model has such."""
        ids = [len(word) for word in text.split()]
        return type("Encoding", (), {"ids": [0, *ids, 0] if add_special_tokens else ids})


class Model(nn.Module):
    """Two layers that read the same, and one that is no layer of the program."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = nn.Linear(20, 30), nn.Linear(30, 9), nn.Linear(30, 9)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        hidden = self.a(tokens[..., None].float().expand(-1, -1, 20))
        return self.b(hidden) + self.c(hidden)


@pytest.mark.parametrize(("kind", "expected"), [("llama", [1, 2, 3, 4, 5]), ("bert", [0, 1, 2, 3, 0])])
def test_text_inputs(compiled, kind, expected):
    module = Model()
    checkpoint = Checkpoint("model", kind, module, Words(), "")
    found = text_inputs(compiled, checkpoint, "a bb ccc dddd eeeee ffffff")
    assert found["a"][:, 0].tolist() == expected
    with torch.no_grad():
        assert torch.equal(found["b"], module.a(found["a"]))
    with pytest.raises(InputError, match=r"text has \d tokens; the program takes 5"):
        text_inputs(compiled, checkpoint, "too short")
    with pytest.raises(InputError, match="model model has no layer a"):
        text_inputs(compiled, Checkpoint("model", kind, nn.Module(), Words(), ""), "a b c d e")


def test_the_model_is_that_of_the_program_or_named():
    assert model_of({"model": {"name": "minilm"}}, None) == "minilm"
    assert model_of({"model": {"name": "minilm"}}, "other") == "other"
    with pytest.raises(InputError, match="name it by --model"):
        model_of({}, None)
