"""The layer of the worked examples of docs/instructions.md and docs/image.md, compiled for a small processor."""

from __future__ import annotations

import torch

from sevedo.gen.compile import Compiled, compile_layers
from sevedo.gen.config import Config, preset
from sevedo.ref.classes import IntegerClass
from sevedo.ref.grouped import GroupedTensor, GroupScheme
from sevedo.ref.linear import QuantizedLinear


def example_config() -> Config:
    """Preset `tiny` with 2 x 2 PEs of 2 lanes, groups of 2 and 4, and a bus of 4 bytes."""
    return preset("tiny").replace(
        groups__fine=2,
        groups__coarse=4,
        rmc__rows=2,
        rmc__cols=2,
        rmc__lanes=2,
        lvc__lanes=4,
        lvc__ranks=1,
        lvc__int8_ranks=0,
        lvc__int4_ranks=3,
        bus__data_bytes=4,
    )


def example_layer(config: Config) -> QuantizedLinear:
    """The layer `fc` of docs/artefact.md: K = 6, N = 2, rank 1, and 3 ranks in INT4."""
    scheme = GroupScheme.weights(config)

    def rows(codes: list[list[int]], fine: list[list[int]], scales: list[list[float]]) -> GroupedTensor:
        found = torch.tensor(codes, dtype=torch.int8), torch.tensor(fine, dtype=torch.uint8)
        return GroupedTensor(*found, torch.tensor(scales, dtype=torch.float64), 6, scheme)

    weight = rows(
        [[1, -2, 3, -4, 5, -6, 0, 0], [7, -7, 0, 1, -1, 2, 0, 0]],
        [[0, 1, 1, 0], [1, 1, 0, 0]],
        [[0.5, 0.25], [1, 2]],
    )
    v = rows(
        [[1, 0, 0, 0, 0, 0, 0, 0], [0, 2, 0, 0, 0, 0, 0, 0], [0, 0, 3, 0, 0, 7, 0, 0]],
        [[0, 0, 0, 0]] * 3,
        [[1, 0], [1, 0], [1, 0.5]],
    )
    part = IntegerClass(
        v,
        torch.tensor([[1, -2, 3], [-7, 0, 7]], dtype=torch.int8),
        torch.tensor([0.25, 2], dtype=torch.float64),
    )
    numbers = [[[1.5], [-2]], [[0, 1, 2, 3, 4, 5]], [1, 1, 0.5, 2, 1, 1], [0.25, -1]]
    u, factor, multiplier, bias = (torch.tensor(each, dtype=torch.float64) for each in numbers)
    return QuantizedLinear(
        config, weight, u, factor, multiplier, bias, GroupScheme.activations(config), (part,)
    )


def example() -> Compiled:
    """That layer, for two tokens."""
    config = example_config()
    return compile_layers({"fc": example_layer(config)}, config, 2)
