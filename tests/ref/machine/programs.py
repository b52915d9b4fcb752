"""Layers, compiled programs and their runs for the tests of compiler and machine."""

from __future__ import annotations

import random
from collections.abc import Mapping

import numpy as np
from layers import activations, layer, random_config, random_shape
from torch import Tensor

from sevedo.gen.compile import Compiled, compile_layers
from sevedo.gen.config import Config, ConfigError
from sevedo.ref.linear import QuantizedLinear
from sevedo.ref.machine import Machine, Report
from sevedo.ref.rounding import encode


def processor_config(seed: int) -> Config:
    """Any small configuration that a processor can have."""
    config = random_config(seed)
    tokens, sizes = config.lvc_tokens, type(config.groups).model_fields
    for attempt in range(100):
        rng = random.Random(f"{seed}/{attempt}")
        lanes, rows, share = 1 << rng.randint(0, 3), 1 << rng.randint(0, 2), rng.choice([1, 2, 3])
        groups = {"fine": lanes * share, "coarse": lanes * share * rng.randint(1, 3)}
        try:
            found = config.replace(
                **{f"groups__{name}": size for name, size in groups.items() if name in sizes},
                rmc__lanes=lanes,
                rmc__rows=rows,
                lvc__lanes=rows * tokens * (rng.choice([1, 2, 3]) if tokens == config.rmc.cols else 1),
                bus__data_bytes=rng.choice([4, 8, 16, 32]),
                memory__iomem_kib=rng.choice([1, 2, 64]),
                memory__weights_kib=1,
                memory__output_tiles=rng.choice([4, 8, 16]),
                memory__inputs=rng.choice([90, 128, 300]),
            )
            found.check_processor()
        except ConfigError:
            continue
        return found
    raise AssertionError("no configuration found")


def random_layers(
    config: Config, seed: int, count: int
) -> tuple[dict[str, QuantizedLinear], dict[str, Tensor]]:
    """Layers and their activations, of one number of tokens."""
    content = ["normal", "outliers", "zeros", "subnormal", "limit", "infinite", "nan"]
    tokens = random_shape(config, seed)[0]
    layers, x = {}, {}
    for number in range(count):
        _, inputs, outputs, rank = random_shape(config, seed + 1000 * number)
        kind = content[(seed + number) % len(content)]
        layers[f"fc{number}"] = layer(config, (tokens, inputs, outputs, rank), seed=seed + number)[0]
        x[f"fc{number}"] = activations(tokens, inputs, kind, seed + number)
    return layers, x


def execute(
    compiled: Compiled, x: Mapping[str, Tensor], turns: random.Random | None = None
) -> tuple[Report, Machine, dict[str, np.ndarray]]:
    """The program on the Python machine: report, the machine afterwards, outputs."""
    data_format = compiled.config.numbers.data_format
    data = compiled.data({name: encode(x[name], data_format).numpy() for name in compiled.inputs})
    machine = Machine(compiled.config, compiled.image, data, compiled.program, turns)
    report = machine.run()
    return report, machine, compiled.outputs(data)


def check_layers(layers: Mapping[str, QuantizedLinear], x: Mapping[str, Tensor], config: Config) -> Compiled:
    """Compile, run, and hold every output to the golden model."""
    tokens = next(iter(x.values())).shape[0]
    compiled = compile_layers(layers, config, tokens)
    report, machine, outputs = execute(compiled, x)
    assert report.done, str(report)
    assert report.instruction == compiled.instructions
    assert not any(machine.tokens), machine.tokens
    for name, each in layers.items():
        expected = each.run(x[name]).output_bits.numpy()
        assert outputs[name].shape == (tokens, each.outputs)
        np.testing.assert_array_equal(outputs[name], expected, err_msg=name)
    return compiled
