"""All 36 linear layers of MiniLM for a real sentence, from one program, on the processor: every bit, and how fast."""

from __future__ import annotations

import resource
from functools import cache

import pytest

from sevedo.gen.compile import Compiled, compile_layers, shared_inputs
from sevedo.gen.config import preset
from sevedo.gen.host.figures import RunFigures, least_cycles
from sevedo.gen.host.inputs import encoded
from sevedo.gen.host.run import PATIENCE, RtlProcessor, first_difference, golden
from sevedo.ref.linear import QuantizedLinear, quantize_linear
from sevedo.ref.models.minilm import MiniLm
from sevedo.ref.workloads import SENTENCES, LayerWorkload
from sevedo.sim.dram import DramModel

pytestmark = pytest.mark.exact

LATENCY, BANDWIDTH = 100, 16
SECONDS = 60
"""Of one processor, for the 36 layers at preset core."""


@cache
def workloads() -> list[LayerWorkload]:
    """The layers with what reaches them."""
    model = MiniLm()
    return [layer for block in range(6) for layer in model.block_layers(SENTENCES[0], block)]


@cache
def quantized(name: str) -> dict[str, QuantizedLinear]:
    """All of them for a preset."""
    config = preset(name)
    ranks = {"int8_rank": min(8, config.lvc.int8_ranks), "int4_rank": min(16, config.lvc.int4_ranks)}
    return {
        each.name: quantize_linear(
            each.weight.double(), each.bias.double(), each.activations.double(), config, 8, **ranks
        )
        for each in workloads()
    }


def compiled_for(name: str, tokens: int) -> tuple[Compiled, bytes]:
    """The program of all layers, and its data with the first tokens' activations."""
    layers = quantized(name)
    compiled = compile_layers(layers, preset(name), tokens, shares=shared_inputs("bert", layers))
    x = {each.name: each.activations[:tokens] for each in workloads() if each.name in compiled.inputs}
    return compiled, bytes(compiled.data(encoded(compiled, x)))


@pytest.mark.parametrize("tokens", [16, 1])
@pytest.mark.parametrize("name", ["tiny", "core"])
def test_all_layers_of_minilm(name, tokens):
    compiled, data = compiled_for(name, tokens)
    assert len(compiled.layers) == 36
    wanted, report = golden(compiled, data)
    assert report.done, str(report)
    processor = RtlProcessor.build(compiled.config)
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    limit = round(PATIENCE * least_cycles(compiled, BANDWIDTH))
    run = processor.run(compiled, data, DramModel(LATENCY, BANDWIDTH), limit=limit)
    seconds = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
    assert first_difference(run.data, wanted) is None
    figures = RunFigures.of(compiled, run.activity, run.counters.cycles, BANDWIDTH)
    share = figures.bound.cycles / figures.cycles
    print(
        f"{name}, T={tokens}: {figures.cycles} cycles, {share:.1%} of the bound ({figures.bound.name}), {seconds:.0f} s"
    )
    if name == "core":
        assert share >= 0.9
        assert seconds <= SECONDS
