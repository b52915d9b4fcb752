"""The cycle model on many cores, and on whole layers of ViT-Base and Llama2-7B at full size. `make exact`."""

from __future__ import annotations

import pytest
import torch
from layers import layer, random_config, random_shape

from sevedo.gen.config import preset
from sevedo.gen.estimate import LayerShape, predict
from sevedo.ref.linear import quantize_linear
from sevedo.sim.layer import RtlCore


@pytest.mark.exact
@pytest.mark.parametrize("seed", range(2000, 2020))
def test_cycles_of_any_core(seed: int) -> None:
    config = random_config(seed)
    core = RtlCore.build(config)
    compared = 0
    for case in range(30):
        sizes: tuple[int, int, int, int] = random_shape(config, 100 * seed + case)
        quantized, inputs, _ = layer(config, sizes, seed=case)
        shape = LayerShape(
            "", *sizes,
            activation_passes=inputs.quantized.scheme.digits, weight_passes=quantized.weight.scheme.digits,
        )  # fmt: skip
        assert predict(config, shape).cycles == core.run(quantized, inputs).cycles, shape
        compared += 1
    assert compared == 30


@pytest.mark.exact
@pytest.mark.parametrize(
    "sizes",
    [
        (197, 768, 768, 0),
        (197, 768, 3072, 0),
        (197, 3072, 768, 0),
        (1, 4096, 4096, 0),
        (128, 4096, 4096, 0),
        (16, 768, 768, 32),
        (40, 200, 100, 64),
    ],
)
def test_cycles_at_full_size(sizes: tuple[int, int, int, int]) -> None:
    """Issue 4: within 1 % of the simulation, and the array at least 99 % busy where it alone works."""
    config = preset("core")
    tokens, inputs, outputs, rank = sizes
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(outputs, inputs, generator=generator, dtype=torch.float64)
    x = torch.randn(tokens, inputs, generator=generator, dtype=torch.float64)
    quantized = quantize_linear(weight, None, x, config, rank)
    run = RtlCore.build(config).run(quantized, quantized.prepare(x))
    found = predict(config, LayerShape("", *sizes))
    print(f"{sizes}: {run.cycles} cycles, predicted {found.cycles}, array busy {found.busy / run.cycles:.4%}")
    assert found.cycles == run.cycles
    assert run.counts["x"].beats == found.busy
    if rank == 0:
        assert found.busy / run.cycles >= 0.99
