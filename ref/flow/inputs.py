"""What reaches the linear layers of a quantized model on its own way from tokens to result, bit for bit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ..checkpoint.read import Checkpoint
from ..linear import QuantizedLinear
from .modules import GoldenLinear


def some_tokens(checkpoint: Checkpoint, text: str, count: int) -> Tensor:
    """The first `count` token numbers of a text, its end marked where the model has such a mark.

    Raises
    ------
    ValueError : the text has fewer.
    """
    found = checkpoint.tokens(text)
    if len(found) < count:
        raise ValueError(f"tokens={count} must be at most {len(found)}, those of the text")
    if checkpoint.kind == "bert":
        found = torch.cat([found[: count - 1], found[-1:]])
    return found[:count]


def layer_inputs(
    module: nn.Module, layers: Mapping[str, QuantizedLinear], tokens: Tensor
) -> dict[str, Tensor]:
    """The input of every quantized layer, float32 [T, K], in the order in which they run.

    Every layer reads what the layers before it gave as the hardware computes them; the rest is float32.

    Parameters
    ----------
    module : the unquantized model; it stays as it is
    layers : by their names in it
    tokens : token numbers [T]

    Raises
    ------
    ValueError : a layer that the model does not run.
    """
    seen: dict[str, Tensor] = {}

    def watch(name: str, layer: QuantizedLinear) -> Any:
        golden = GoldenLinear(layer)

        def replace(_: nn.Module, inputs: tuple[Tensor, ...], __: Tensor) -> Tensor:
            seen[name] = inputs[0].flatten(0, -2)
            return golden(inputs[0])

        return module.get_submodule(name).register_forward_hook(replace)

    hooks = []
    try:
        hooks += [watch(name, layer) for name, layer in layers.items()]
        with torch.no_grad():
            module(tokens[None])
    except AttributeError as error:
        raise ValueError(f"the model has no layer of that name: {error}") from None
    finally:
        for hook in hooks:
            hook.remove()
    for name in layers.keys() - seen.keys():
        raise ValueError(f"layer {name} was not run by the model")
    return seen
