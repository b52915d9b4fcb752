"""The long form of tests/hw/core: many configurations, each on many layers. `make exact`."""

from __future__ import annotations

import pytest
from layers import CONTENTS, layer, random_config, random_shape

from sevedo.sim.layer import RtlCore

LAYERS = 40


@pytest.mark.exact
@pytest.mark.parametrize("seed", range(1000, 1030))
def test_any_configuration(seed: int) -> None:
    config = random_config(seed)
    core = RtlCore.build(config, gates=seed % 5 == 0)
    compared = 0
    for case in range(LAYERS):
        quantized, inputs, trace = layer(
            config, random_shape(config, 100 * seed + case), CONTENTS[case % 7], case
        )
        stall = [(0.0, 0.0), (0.25, 0.25), (0.75, 0.0), (0.0, 0.75)][case % 4]
        run = core.run(quantized, inputs, stall=stall, seed=case)
        assert (run.output_bits == trace.output_bits.numpy()).all(), f"layer {case}"
        compared += run.output_bits.size
    assert compared > LAYERS
    print(f"configuration {seed}: {compared} outputs equal")
