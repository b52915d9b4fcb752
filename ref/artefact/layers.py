"""A quantized layer as tensors and back, bit for bit."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from sevedo.gen.config import Config

from ..classes import IntegerClass
from ..grouped import GroupedTensor, GroupScheme
from ..linear import QuantizedLinear
from .layout import CLASS_DIGITS, CLASS_SCALE, LayerSizes, expected, from_stored, to_stored
from .packing import pack, unpack


def layer_tensors(layer: QuantizedLinear) -> dict[str, Tensor]:
    """The tensors of a layer, without its name, as `layout.expected` says.

    Raises
    ------
    ValueError : the layer is not one of its configuration: naming what and the rule.
    """
    config, sizes = layer.config, LayerSizes.of(layer)
    data = config.numbers.data_format
    if layer.activation_scheme != GroupScheme.activations(config, sizes.activation_digits):
        raise ValueError("activation_scheme must be that of the configuration")
    found = _from_rows("weight", layer.weight, GroupScheme.weights(config, sizes.weight_digits))
    for name in ("u", "v", "multiplier", "bias"):
        found[name] = to_stored(name, getattr(layer, name), data)
    for name, part in zip(sizes.classes(), layer.classes, strict=True):
        scheme = GroupScheme.weights(config, CLASS_DIGITS[name])
        found |= _from_rows(f"{name}.v", part.v, scheme)
        found[f"{name}.u.codes"] = pack(part.u, scheme.code_bits * scheme.digits)
        found[f"{name}.u.scales"] = to_stored(f"{name}.u.scales", part.scales, CLASS_SCALE)
    # What is written is what will be read: limits on codes and numbers are those of reading.
    layer_of(found, sizes, config)
    return found


def layer_of(tensors: Mapping[str, Tensor], sizes: LayerSizes, config: Config) -> QuantizedLinear:
    """The layer of tensors that `layer_tensors` gave.

    Raises
    ------
    ValueError : a tensor is unknown or missing, has another dtype or shape, or holds values out of range; or the layer
        is too large for the configuration.
    """
    config.check_layer(1, sizes.inputs, sizes.outputs, sizes.rank, sizes.int8_rank, sizes.int4_rank)
    wanted = expected(sizes, config)
    for name in sorted(wanted.keys() ^ tensors.keys()):
        raise ValueError(f"{name} is {'missing' if name in wanted else 'unknown'}")
    for name, (dtype, shape) in wanted.items():
        there = tensors[name]
        if there.dtype is not dtype or tuple(there.shape) != shape:
            raise ValueError(
                f"{name} is {_dtype(there.dtype)} {list(there.shape)}; it must be {_dtype(dtype)} {list(shape)}"
            )
    data = config.numbers.data_format
    k = sizes.inputs
    multiplier = from_stored("multiplier", tensors["multiplier"], data)
    if not bool((multiplier > 0).all()):
        raise ValueError(f"multiplier holds {float(multiplier.min()):g}; every value must be above 0")
    classes = []
    for name, rank in sizes.classes().items():
        scheme = GroupScheme.weights(config, CLASS_DIGITS[name])
        codes = _codes(f"{name}.u.codes", tensors, rank, scheme)
        scales = from_stored(f"{name}.u.scales", tensors[f"{name}.u.scales"], CLASS_SCALE)
        classes.append(IntegerClass(v=_to_rows(f"{name}.v", tensors, k, scheme), u=codes, scales=scales))
    return QuantizedLinear(
        config,
        _to_rows("weight", tensors, k, GroupScheme.weights(config, sizes.weight_digits)),
        from_stored("u", tensors["u"], data),
        from_stored("v", tensors["v"], data),
        multiplier,
        from_stored("bias", tensors["bias"], data),
        GroupScheme.activations(config, sizes.activation_digits),
        tuple(classes),
    )


def _from_rows(name: str, rows: GroupedTensor, scheme: GroupScheme) -> dict[str, Tensor]:
    if rows.scheme != scheme:
        raise ValueError(f"{name} is quantized by another scheme than the configuration's")
    found = {
        f"{name}.codes": pack(rows.codes, scheme.code_bits * scheme.digits),
        f"{name}.scales": to_stored(f"{name}.scales", rows.scales, scheme.scale),
    }
    if scheme.fine_bits:
        found[f"{name}.fine"] = pack(rows.fine, scheme.fine_bits)
    if not torch.equal(_unpacked(found[f"{name}.codes"], rows.codes.shape[1], scheme), rows.codes):
        raise ValueError(f"{name} holds codes beyond {scheme.code_bits * scheme.digits} bits")
    return found


def _to_rows(name: str, tensors: Mapping[str, Tensor], inputs: int, scheme: GroupScheme) -> GroupedTensor:
    scales = from_stored(f"{name}.scales", tensors[f"{name}.scales"], scheme.scale)
    rows, groups = scales.shape
    codes = _codes(f"{name}.codes", tensors, groups * scheme.coarse, scheme)
    if bool(codes[:, inputs:].any()):
        raise ValueError(f"{name}.codes holds codes behind input {inputs - 1}; they must be 0")
    count = groups * (scheme.coarse // scheme.fine) if scheme.level.value != "none" else 0
    fine = torch.zeros((rows, count), dtype=torch.uint8)
    if scheme.fine_bits:
        fine = unpack(tensors[f"{name}.fine"], count, scheme.fine_bits, signed=False)
        if count and int(fine.max()) > scheme.largest_number:
            raise ValueError(
                f"{name}.fine holds {int(fine.max())}; it must be at most {scheme.largest_number}"
            )
    return GroupedTensor(codes, fine, scales, inputs, scheme)


def _codes(name: str, tensors: Mapping[str, Tensor], values: int, scheme: GroupScheme) -> Tensor:
    try:
        codes = _unpacked(tensors[name], values, scheme)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    # The lowest code of all has a pair of balanced digits too; the highest has none beyond qmax.
    low, high = -(1 << (scheme.code_bits * scheme.digits - 1)), scheme.qmax
    if codes.numel() and not low <= int(codes.min()) <= int(codes.max()) <= high:
        raise ValueError(
            f"{name} holds codes {int(codes.min())} to {int(codes.max())}; they must be between {low} and {high}"
        )
    return codes


def _unpacked(packed: Tensor, values: int, scheme: GroupScheme) -> Tensor:
    return unpack(packed, values, scheme.code_bits * scheme.digits, signed=True)


def _dtype(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
