"""What the golden model expects at the streams of the core and of its two halves: words in, words out, and which count.

What comes out beyond the layer, in the tails of tiles, is nobody's output (bias, or NaN where an infinite activation
met a padded weight): a mask leaves it out of comparisons.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from torch import Tensor
from torch.nn.functional import pad

from sevedo.gen.verilog.manifest import StreamPort, streams
from sevedo.hw.core.core import Core
from sevedo.hw.lvc.classes import IntegerClasses
from sevedo.hw.lvc.lvc import LowRankVectorCore
from sevedo.hw.quantizer.quantizer import ActivationQuantizer
from sevedo.hw.rmc.rmc import ResidualMatrixCore
from sevedo.hw.unit import Unit
from sevedo.ref.classes import expand
from sevedo.ref.linear import LayerInputs, LayerTrace, QuantizedLinear
from sevedo.ref.rounding import encode, round_to

from .packing import pack
from .schedule import Job, schedule

Array = np.ndarray[Any, Any]


class UnitRun(NamedTuple):
    """A unit, the words [beats, words] of all its streams, and for its outputs which bits are the layer's."""

    unit: Unit
    words: dict[str, Array]
    masks: dict[str, Array]


def core_run(layer: QuantizedLinear, inputs: LayerInputs, trace: LayerTrace) -> UnitRun:
    """The whole core on a layer."""
    job = schedule(layer, inputs)
    return _run(Core(layer.config), job, {"y": _outputs(job, trace)})


def rmc_run(layer: QuantizedLinear, inputs: LayerInputs, trace: LayerTrace) -> UnitRun:
    """The residual matrix core alone: its sums are the residual path before anything is rounded to the data format."""
    job = schedule(layer, inputs)
    return _run(ResidualMatrixCore(layer.config), job, {"sums": _sums(job, trace)})


def lvc_run(layer: QuantizedLinear, inputs: LayerInputs, trace: LayerTrace) -> UnitRun:
    """The vector core alone, fed with the golden residual sums."""
    job = schedule(layer, inputs)
    return _run(LowRankVectorCore(layer.config), job, {"sums": _sums(job, trace), "y": _outputs(job, trace)})


def classes_run(layer: QuantizedLinear, inputs: LayerInputs) -> UnitRun:
    """The integer classes alone: their sums, before anything is added to them."""
    job, wide = schedule(layer, inputs), layer.wide(inputs)
    tokens = layer.config.lvc.output_tokens
    sums = {}
    for each in layer.config.rank_classes:
        found = [expand(wide, part)[1] for part in layer.classes if part.digits == each.digits]
        beats = [_beats(job, values, tokens) for values in found]
        sums[f"sums_{each.name}"] = np.concatenate(
            [np.empty((0, tokens, layer.config.rmc.rows), np.uint32), *beats]
        )
    return _run(IntegerClasses(layer.config), job, sums)


def quantizer_run(layer: QuantizedLinear, activations: Tensor) -> UnitRun:
    """The activation quantizer on the rows of a layer's activations [T, K], float64; rows are padded with zeros."""
    config, digits = layer.config, layer.activation_scheme.digits
    unit = ActivationQuantizer(config, digits)
    data, lanes = config.numbers.data_format, config.rmc.lanes
    inputs = layer.prepare(activations)
    golden = inputs.quantized
    ports = {port.name: port for port in streams(unit)}
    width = -(-layer.inputs // config.groups.coarse) * config.groups.coarse

    def beats(name: str, numbers: Tensor, filler: float = 0.0) -> Array:
        rows = pad(numbers, (0, width - layer.inputs), value=filler)
        return pack(ports[name], {"payload": encode(rows, data).reshape(-1, lanes).numpy()})

    parts = golden.digits().numpy()[::-1]  # the low one first
    codes: dict[str, Any] = {"codes": parts.reshape(digits, -1, lanes).transpose(1, 2, 0)}
    if unit.rule.number_bits:
        codes["number"] = np.repeat(golden.fine.numpy().reshape(-1), config.groups.fine // lanes)
    words = {
        "x": beats("x", round_to(activations, data)),
        "multipliers": beats("multipliers", layer.multiplier.expand(len(activations), -1), 1.0),
        "codes": pack(ports["codes"], codes),
        "values": beats("values", inputs.values),
        "scale": pack(ports["scale"], {"payload": golden.scale_bits.numpy().reshape(-1)}),
    }
    masks = {name: np.full_like(words[name], 0xFFFFFFFF) for name in ("codes", "values", "scale")}
    return UnitRun(unit, words, masks)


def _run(unit: Unit, job: Job, more: dict[str, Array]) -> UnitRun:
    words, masks = {}, {}
    for port in streams(unit):
        words[port.name] = _words(port, job, more)
        if port.direction == "out" and not len(more[port.name]):
            masks[port.name] = words[port.name]
        elif port.direction == "out":
            width = port.width // more[port.name][0].size
            inside = _tiles(job, np.full((job.tokens, job.outputs), (1 << width) - 1, np.int64))
            masks[port.name] = pack(port, {"payload": inside.reshape(more[port.name].shape)})
    return UnitRun(unit, words, masks)


def _words(port: StreamPort, job: Job, more: dict[str, Array]) -> Array:
    if port.name in more:
        return pack(port, {"payload": more[port.name]})
    beats = job.streams[port.name]
    return pack(port, beats.fields)[beats.order]


def _tiles(job: Job, values: Array) -> Array:
    """Values [T, N], padded with zeros and cut: [column tiles, row tiles, cols, rows]."""
    rmc = job.config.rmc
    padded = np.zeros((job.col_tiles * rmc.cols, job.row_tiles * rmc.rows), values.dtype)
    padded[: job.tokens, : job.outputs] = values
    return padded.reshape(job.col_tiles, rmc.cols, job.row_tiles, rmc.rows).transpose(0, 2, 1, 3)


def _sums(job: Job, trace: LayerTrace) -> Array:
    """Beats of stream `sums`: FP32 encodings [beats, lvc_tokens, rows]."""
    return _beats(job, trace.residual, job.config.lvc_tokens)


def _beats(job: Job, sums: Tensor, tokens: int) -> Array:
    """FP32 sums [T, N] as encodings [beats, tokens, rows]."""
    values = sums.numpy()
    bits = np.where(np.isnan(values), np.uint32(job.config.numbers.sum_format.nan), values.view(np.uint32))
    return _tiles(job, bits).reshape(-1, tokens, job.config.rmc.rows)


def _outputs(job: Job, trace: LayerTrace) -> Array:
    """Beats of stream `y`: encodings [beats, output_tokens * rows]."""
    config = job.config
    return _tiles(job, trace.output_bits.numpy()).reshape(-1, config.lvc.output_tokens * config.rmc.rows)
