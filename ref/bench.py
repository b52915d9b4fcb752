"""Speed of the golden model, in INT4 MACs a second: ``python -m sevedo.ref.bench``."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from sevedo.gen.config import Config, preset

from .linear import QuantizedLinear, quantize_linear
from .residual import residual

TARGET = 0.3e9
"""INT4 MACs a second that the residual path must reach on two cores at K = N = 1536, T = 64."""


@dataclass(frozen=True)
class Speed:
    """Best seconds of several runs on one layer.

    Members
    -------
    inputs, outputs, tokens, rank : the layer
    quantize : offline: smoothing, decomposition, weights
    prepare : activations to codes
    residual : the residual path alone
    layer : the whole layer from float64 activations to output bits
    """

    inputs: int
    outputs: int
    tokens: int
    rank: int
    quantize: float
    prepare: float
    residual: float
    layer: float

    @property
    def macs(self) -> int:
        """INT4 MACs of the residual path."""
        return self.inputs * self.outputs * self.tokens

    @property
    def residual_rate(self) -> float:
        """INT4 MACs a second of the residual path."""
        return self.macs / self.residual

    @property
    def layer_rate(self) -> float:
        """INT4 MACs a second of the whole layer."""
        return self.macs / self.layer


def _best(run: Callable[[], object], repeats: int) -> float:
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def measure(
    config: Config,
    inputs: int = 1536,
    outputs: int = 1536,
    tokens: int = 64,
    rank: int = 32,
    repeats: int = 5,
) -> Speed:
    """Time one layer of seeded random weights and activations; the best of `repeats` (the offline part: once)."""
    generator = torch.Generator().manual_seed(20)
    weight = torch.randn(outputs, inputs, generator=generator, dtype=torch.float64) / inputs**0.5
    activations = torch.randn(tokens, inputs, generator=generator, dtype=torch.float64)
    made: list[QuantizedLinear] = []
    quantize = _best(lambda: made.append(quantize_linear(weight, None, activations, config, rank)), 1)
    layer = made[0]
    ready = layer.prepare(activations)
    return Speed(
        inputs,
        outputs,
        tokens,
        layer.rank,
        quantize,
        _best(lambda: layer.prepare(activations), repeats),
        _best(lambda: residual(ready.quantized, layer.weight), repeats),
        _best(lambda: layer.run(activations), repeats),
    )


def main() -> None:
    """Print the speed of preset `tiny`'s arithmetic (every preset that ships computes the same bits)."""
    speed = measure(preset("tiny"))
    print(
        f"golden model, K={speed.inputs} N={speed.outputs} T={speed.tokens} rank={speed.rank}, "
        f"{torch.get_num_threads()} threads"
    )
    print(f"  residual path  {speed.residual * 1e3:8.1f} ms  {speed.residual_rate / 1e9:6.2f} G INT4 MAC/s")
    print(f"  whole layer    {speed.layer * 1e3:8.1f} ms  {speed.layer_rate / 1e9:6.2f} G INT4 MAC/s")
    print(f"  activations    {speed.prepare * 1e3:8.1f} ms")
    print(f"  offline        {speed.quantize * 1e3:8.1f} ms")
    print(f"  target         {'':8}     {TARGET / 1e9:6.2f} G INT4 MAC/s for the residual path")


if __name__ == "__main__":
    main()
