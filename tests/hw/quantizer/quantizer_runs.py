"""Rows for the quantizer and what the golden model makes of them, as words of its streams."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from sevedo.gen.config import Config, FloatFormat
from sevedo.gen.verilog.manifest import streams
from sevedo.hw.quantizer.quantizer import ActivationQuantizer
from sevedo.ref.grouped import GroupScheme
from sevedo.ref.rounding import decode, encode, round_to
from sevedo.ref.rows import quantize_activations
from sevedo.sim.packing import pack
from sevedo.sim.player import Player, StreamCounts

Array = np.ndarray[Any, Any]


def numbers(fmt: FloatFormat, shape: tuple[int, ...], seed: int) -> Tensor:
    """Numbers of a format: in every coarse group of a row, of one of many kinds; specials are rare."""
    source = np.random.default_rng(seed)
    bits = source.integers(0, 1 << fmt.width, shape, dtype=np.int64)
    scale = source.integers(fmt.min_exponent - 12, fmt.max_exponent + 1, (shape[0], 1))
    spread = source.normal(size=shape) * np.exp2(source.choice([0, 0, 0, -3, -8, 4], shape))
    values = torch.tensor(np.clip(spread * np.exp2(scale.astype(float)), -1e300, 1e300))
    rounded = encode(round_to(values, fmt), fmt)
    wild = torch.tensor(source.random((shape[0], 1)) < 0.1)
    few = torch.tensor(source.random(shape) < 0.003)
    specials = torch.tensor([fmt.nan, fmt.infinity(False), fmt.infinity(True), 1, 0, 1 << (fmt.width - 1)])
    mixed = torch.where(few, specials[torch.tensor(source.integers(0, len(specials), shape))], rounded)
    zero = torch.tensor(source.random((shape[0], 1)) < 0.02)
    return decode(torch.where(zero, 0, torch.where(wild, torch.tensor(bits), mixed)), fmt)


class Case:
    """Rows for one quantizer, and the golden answer.

    Parameters
    ----------
    config, digits, smoothing : the unit
    x : float64 [R, K], K a multiple of coarse groups
    m : float64 [R, K], multipliers
    """

    def __init__(self, config: Config, digits: int, smoothing: bool, x: Tensor, m: Tensor) -> None:
        self.unit = ActivationQuantizer(config, digits, smoothing)
        lanes, fmt = config.rmc.lanes, config.numbers.data_format
        values = round_to(x * m, fmt) if smoothing else x
        golden = quantize_activations(values, GroupScheme.activations(config, digits))
        ports = {port.name: port for port in streams(self.unit)}

        def beats(numbers: Tensor) -> dict[str, Any]:
            return {"payload": encode(numbers, fmt).reshape(-1, lanes).numpy()}

        self.inputs = {"x": pack(ports["x"], beats(x))}
        if smoothing:
            self.inputs["multipliers"] = pack(ports["multipliers"], beats(m))
        parts = golden.digits().numpy()[::-1]  # the low one first
        codes: dict[str, Any] = {"codes": parts.reshape(digits, -1, lanes).transpose(1, 2, 0)}
        if self.unit.rule.number_bits:
            codes["number"] = np.repeat(golden.fine.numpy().reshape(-1), config.groups.fine // lanes)
        self.golden = golden
        self.outputs = {
            "codes": pack(ports["codes"], codes),
            "values": pack(ports["values"], beats(values)),
            "scale": pack(ports["scale"], {"payload": golden.scale_bits.numpy().reshape(-1)}),
        }

    def check(
        self, player: Player, stall: Any = (0.0, 0.0), seed: int = 0, patient: bool = False
    ) -> dict[str, StreamCounts]:
        """Every word equals the golden one and every beat is counted; what happened on the streams."""
        counts = {name: len(words) for name, words in self.outputs.items()}
        played = player.run(self.inputs, counts, stall=stall, seed=seed, patient=patient)
        for name, expected in self.outputs.items():
            assert played.outputs[name].shape == expected.shape
            wrong = (played.outputs[name] != expected).any(axis=1)
            assert not wrong.any(), (
                f"{name}: {int(wrong.sum())} of {len(expected)} beats differ, first {wrong.argmax()}"
            )
            assert len(np.unique(expected)) > 1, f"{name}: constant expectation"
        return played.counts
