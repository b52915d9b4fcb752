"""A linear layer through the whole arithmetic contract: quantized once, run on any activations."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from sevedo.gen.config import Config

from .classes import IntegerClass, expand, quantize_class, wide_scheme
from .decompose import split
from .grouped import GroupedTensor, GroupScheme
from .lowrank import low_rank
from .residual import residual
from .rounding import encode, round_to
from .rows import quantize_activations, quantize_weights
from .smoothing import smoothing_multiplier


@dataclass(frozen=True)
class LayerInputs:
    """Activations as the cores take them.

    Members
    -------
    values : x' [T, K], float64, numbers of the data format: what the low-rank path reads
    quantized : x' in groups: what the residual path reads
    """

    values: Tensor
    quantized: GroupedTensor


@dataclass(frozen=True)
class LayerTrace:
    """A layer's output and what led to it.

    Members
    -------
    residual : y [T, N] float32
    z : [T, r] float64, numbers of the data format
    low_rank : L [T, N] float32
    output : Y [T, N] float64, numbers of the data format
    output_bits : Y as encodings, int64; NaN is canonical
    """

    residual: Tensor
    z: Tensor
    low_rank: Tensor
    output: Tensor
    output_bits: Tensor


@dataclass(frozen=True)
class QuantizedLinear:
    """A layer ``Y = X W^T + b`` in the formats of `config`; made by `quantize_linear`.

    Members
    -------
    config : the accelerator
    weight : the residual in groups, N rows
    u : [N, r] float64, numbers of the data format
    v : [r, K] float64, numbers of the data format
    multiplier : m [K] float64, numbers of the data format: activations are multiplied by it
    bias : [N] float64, numbers of the data format; zeros for a missing bias
    activation_scheme : how activations are quantized
    classes : ranks in integers, after the `rank` ones in floating point: INT8, then INT4
    """

    config: Config
    weight: GroupedTensor
    u: Tensor
    v: Tensor
    multiplier: Tensor
    bias: Tensor
    activation_scheme: GroupScheme
    classes: tuple[IntegerClass, ...] = ()

    @property
    def inputs(self) -> int:
        """K."""
        return self.weight.inputs

    @property
    def outputs(self) -> int:
        """N."""
        return self.weight.rows

    @property
    def rank(self) -> int:
        """r."""
        return self.u.shape[1]

    def class_rank(self, digits: int) -> int:
        """Ranks of the integer class whose V and U have so many digits."""
        return sum(part.ranks for part in self.classes if part.digits == digits)

    @property
    def smooth(self) -> Tensor:
        """What the activation is divided by: 1 / m, float64 [K]."""
        return 1 / self.multiplier

    def prepare(self, activations: Tensor) -> LayerInputs:
        """Round, smooth and quantize activations [T, K] of any values, NaN and infinity included.

        Raises
        ------
        ValueError : a shape that is not [T, K] with T of at least 1.
        """
        _require_matrix("input", activations, self.inputs)
        data = self.config.numbers.data_format
        # The float64 product of two data-format numbers is exact: one rounding.
        values = round_to(round_to(activations, data) * self.multiplier, data)
        return LayerInputs(values, quantize_activations(values, self.activation_scheme))

    def wide(self, inputs: LayerInputs) -> GroupedTensor:
        """x' in codes of two digits: what the integer classes read."""
        scheme = wide_scheme(self.config)
        if inputs.quantized.scheme == scheme:
            return inputs.quantized
        return quantize_activations(inputs.values, scheme)

    def compute(self, inputs: LayerInputs) -> LayerTrace:
        """What the cores compute from prepared activations."""
        data = self.config.numbers.data_format
        y = residual(inputs.quantized, self.weight)
        z, correction = low_rank(inputs.values, self.u, self.v, data)
        if self.classes:
            wide = self.wide(inputs)
            for part in self.classes:
                correction = correction + expand(wide, part)[1]
        total = (y + correction) + self.bias.to(torch.float32)
        bits = encode(total, data)
        return LayerTrace(y, z, correction, round_to(total, data), bits)

    def run(self, activations: Tensor) -> LayerTrace:
        """`prepare`, then `compute`."""
        return self.compute(self.prepare(activations))


def quantize_linear(
    weight: Tensor,
    bias: Tensor | None,
    calibration: Tensor | None,
    config: Config,
    rank: int,
    alpha: float | None = 0.5,
    *,
    activation_digits: int = 1,
    weight_digits: int = 1,
    int8_rank: int = 0,
    int4_rank: int = 0,
) -> QuantizedLinear:
    """Quantize a layer offline: smooth, split off the low-rank part, quantize the rest.

    Numerics: float64 throughout, each number rounded once where docs/numerics.md says.

    Parameters
    ----------
    weight : [N, K], any sizes from 1
    bias : [N], or None
    calibration : activations [*, K] that smoothing and the factors' ranges are chosen on; None: no smoothing.
        Entries that are not finite in the data format count as 0
    config : formats and groups
    rank : singular components in the low-rank path; at most min(N, K) are taken
    alpha : smoothing strength 0..1, or None for no smoothing
    activation_digits, weight_digits : digits of a code; 2 are codes of twice the bits, taken in two passes
    int8_rank, int4_rank : further components, in the integer classes

    Raises
    ------
    ValueError : shapes, values that are not finite, a rank beyond ``lvc.max_rank``, digits beyond
        ``rmc.activation_passes`` or ``rmc.weight_passes``, magnitudes beyond the formats.
    """
    data = config.numbers.data_format
    if weight.ndim != 2 or 0 in weight.shape:
        raise ValueError(
            f"weight has shape {tuple(weight.shape)}; it must be [outputs, inputs], each at least 1"
        )
    if not 0 <= rank <= config.lvc.max_rank:
        raise ValueError(f"rank={rank} must be between 0 and lvc.max_rank={config.lvc.max_rank}")
    for name, digits, passes in (
        ("activation", activation_digits, config.rmc.activation_passes),
        ("weight", weight_digits, config.rmc.weight_passes),
    ):
        if not 1 <= digits <= passes:
            raise ValueError(
                f"{name}_digits={digits} must be between 1 and rmc.{name}_passes={passes}; a configuration can raise it"
            )
    outputs, inputs = weight.shape
    weight = weight.to(torch.float64)
    if bias is None:
        bias = torch.zeros(outputs)
    if bias.shape != (outputs,):
        raise ValueError(f"bias has shape {tuple(bias.shape)}; it must be [{outputs}], the weight's outputs")
    for name, values in (("weight", weight), ("bias", bias)):
        if not bool(torch.isfinite(values).all()):
            count = int((~torch.isfinite(values)).sum())
            raise ValueError(f"{name} holds {count} NaN or infinite values; every value must be finite")
    rounded_bias = round_to(bias, data)
    if not bool(torch.isfinite(rounded_bias).all()):
        raise ValueError(f"bias holds magnitude {float(bias.abs().max()):.6g}; it must fit {data.name}")
    multiplier = torch.ones(inputs, dtype=torch.float64)
    smoothed = None
    if calibration is not None:
        _require_matrix("calibration", calibration, inputs)
        known = round_to(calibration, data)
        known = torch.where(torch.isfinite(known), known, 0.0)
        if alpha is not None:
            multiplier = smoothing_multiplier(known, weight, alpha, data)
        smoothed = known * multiplier
    rest = weight / multiplier
    factors = split(rest, min(rank, outputs, inputs), data, smoothed)
    rest, classes = factors.residual, []
    for digits, ranks in ((2, int8_rank), (1, int4_rank)):
        if ranks:
            found = split(rest, min(ranks, outputs, inputs), data, smoothed)
            known = torch.ones(1, inputs, dtype=torch.float64) if smoothed is None else smoothed
            classes.append(quantize_class(found.u, found.v, config, digits, known))
            rest = rest - classes[-1].matrix()
    return QuantizedLinear(
        config,
        quantize_weights(rest, GroupScheme.weights(config, weight_digits)),
        factors.u,
        factors.v,
        multiplier,
        rounded_bias,
        GroupScheme.activations(config, activation_digits),
        tuple(classes),
    )


def _require_matrix(name: str, values: Tensor, inputs: int) -> None:
    if values.ndim != 2 or values.shape[1] != inputs or values.shape[0] < 1:
        shape = tuple(values.shape)
        raise ValueError(f"{name} has shape {shape}; it must be [tokens, {inputs}] with at least 1 token")
