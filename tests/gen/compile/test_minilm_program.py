"""Layers of MiniLM in one program: the Python machine's outputs are the golden model's, for a real sentence."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch
from programs import execute
from torch import nn

from sevedo.gen.compile import compile_layers, shared_inputs
from sevedo.gen.config import Config, preset
from sevedo.ref.checkpoint.read import Checkpoint, read
from sevedo.ref.flow.inputs import layer_inputs, some_tokens
from sevedo.ref.flow.layer import linears
from sevedo.ref.flow.modules import install
from sevedo.ref.linear import QuantizedLinear, quantize_linear
from sevedo.ref.models.minilm import MiniLmModule
from sevedo.ref.workloads import SENTENCES

TOKENS = 16


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint:
    return read("minilm")


def quantized(checkpoint: Checkpoint, config: Config, blocks: int) -> dict[str, QuantizedLinear]:
    """The linear layers of the first blocks, in seconds: not as `sevedo quantize` does it, but of its kind."""
    layers = {
        name: layer for name, layer in linears(checkpoint.module).items() if int(name.split(".")[2]) < blocks
    }
    seen: dict[str, torch.Tensor] = {}

    def watch(name: str, layer: nn.Linear) -> Any:
        def keep(_: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
            seen[name] = inputs[0].flatten(0, -2)

        return layer.register_forward_pre_hook(keep)

    hooks = [watch(name, layer) for name, layer in layers.items()]
    with torch.no_grad():
        checkpoint.module(checkpoint.tokens(SENTENCES[1])[None])
    for hook in hooks:
        hook.remove()
    lvc = config.lvc
    return {
        name: quantize_linear(
            layer.weight, layer.bias, seen[name].double(), config, 8,
            int8_rank=lvc.int8_ranks, int4_rank=lvc.int4_ranks,
        )
        for name, layer in layers.items()
    }  # fmt: skip


def check_program(checkpoint: Checkpoint, config: Config, blocks: int, tokens: int) -> None:
    """All layers from one program, in any order of turns."""
    layers = quantized(checkpoint, config, blocks)
    x = layer_inputs(checkpoint.module, layers, some_tokens(checkpoint, SENTENCES[0], tokens))
    compiled = compile_layers(layers, config, tokens, shares=shared_inputs("bert", layers))
    assert len(compiled.inputs) == 4 * blocks
    report, machine, outputs = execute(compiled, x, random.Random(blocks))
    assert report.done, str(report)
    assert not any(machine.tokens)
    assert len(outputs) == 6 * blocks
    for name, layer in layers.items():
        expected = layer.run(x[name]).output_bits
        assert len(expected.unique()) > 100
        assert (outputs[name] == expected.numpy()).all(), name


@pytest.mark.parametrize("tokens", [1, TOKENS])
def test_a_block_of_minilm_at_core(checkpoint: Checkpoint, tokens: int) -> None:
    check_program(checkpoint, preset("core"), 1, tokens)


def test_a_block_of_minilm_at_tiny(checkpoint: Checkpoint) -> None:
    check_program(checkpoint, preset("tiny"), 1, 4)


@pytest.mark.exact
@pytest.mark.parametrize("name", ["tiny", "core"])
def test_all_layers_of_minilm(checkpoint: Checkpoint, name: str) -> None:
    check_program(checkpoint, preset(name), 6, TOKENS)


def test_inputs_are_those_of_the_golden_model(checkpoint: Checkpoint) -> None:
    """With golden layers in place of the plain ones the model reads the same; afterwards it is as before."""
    layers = quantized(checkpoint, preset("core"), 1)
    tokens = some_tokens(checkpoint, SENTENCES[0], 5)
    before = checkpoint.module(tokens[None])
    x = layer_inputs(checkpoint.module, layers, tokens)
    assert torch.equal(checkpoint.module(tokens[None]), before)
    module = MiniLmModule()
    module.load_state_dict(checkpoint.module.state_dict())
    install(module.eval(), layers)
    seen: dict[str, torch.Tensor] = {}
    for name in layers:
        module.get_submodule(name).register_forward_pre_hook(
            lambda _, inputs, name=name: seen.update({name: inputs[0][0]})
        )
    with torch.no_grad():
        module(tokens[None])
    assert list(x) == list(seen) == list(layers)
    assert all(torch.equal(x[name], seen[name]) for name in layers)
    assert torch.equal(x["encoder.layer.0.attention.self.query"], x["encoder.layer.0.attention.self.value"])


def test_texts_that_are_too_short_and_layers_that_are_not_there(checkpoint: Checkpoint) -> None:
    found = some_tokens(checkpoint, SENTENCES[0], 7)
    assert found[-1] == checkpoint.tokens(SENTENCES[0])[-1]
    with pytest.raises(ValueError, match=r"tokens=99 must be at most \d+, those of the text"):
        some_tokens(checkpoint, SENTENCES[0], 99)
    layer = next(iter(quantized(checkpoint, preset("core"), 1).values()))
    with pytest.raises(ValueError, match="the model has no layer of that name"):
        layer_inputs(checkpoint.module, {"encoder.layer.9.dense": layer}, found)
