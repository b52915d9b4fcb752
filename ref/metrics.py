"""How far an output is from the unquantized layer, and the baseline it is measured beside."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from sevedo.gen.config import FP16, FineLevel

from .grouped import GroupScheme
from .rounding import round_to
from .rows import quantize_activations, quantize_weights


def exact_linear(activations: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """The unquantized layer in float64: X W^T + b."""
    product = activations.to(torch.float64) @ weight.to(torch.float64).T
    return product if bias is None else product + bias.to(torch.float64)


def relative_error(output: Tensor, reference: Tensor) -> float:
    """``||output - reference|| / ||reference||`` (Frobenius) over the entries in which both are finite.

    0 / 0 is 0, anything else over 0 infinite; NaN when no entry is finite in both.

    Raises
    ------
    ValueError : shapes differ.
    """
    if output.shape != reference.shape:
        raise ValueError(f"output has shape {tuple(output.shape)}; it must equal {tuple(reference.shape)}")
    output, reference = output.to(torch.float64), reference.to(torch.float64)
    both = torch.isfinite(output) & torch.isfinite(reference)
    if not bool(both.any()):
        return math.nan
    error = float(torch.linalg.vector_norm((output - reference)[both]))
    size = float(torch.linalg.vector_norm(reference[both]))
    if size == 0:
        return 0.0 if error == 0 else math.inf
    return error / size


def per_token_int4(activations: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """The baseline: one FP16 scale per token and per output channel, symmetric INT4 codes, no low-rank path.

    Returns float64 [T, N]; the products and sums are exact to float64.
    """
    inputs = weight.shape[1]
    scheme = GroupScheme("coarse", 4, 1, FineLevel.NONE, 0, fine=inputs, coarse=inputs, scale=FP16)
    x = quantize_activations(round_to(activations, FP16), scheme).dequantize()
    w = quantize_weights(weight.to(torch.float64), scheme).dequantize()
    return exact_linear(x, w, bias)
