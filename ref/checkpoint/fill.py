"""A model's parameters from a file's tensors: everything that is told by the header is checked before data is read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from .errors import CheckpointError

Change = Callable[[Tensor], Tensor]
Model = TypeVar("Model", bound=nn.Module)


class _NoInitialisation(TorchFunctionMode):
    """Leaves parameters as they are made; random numbers on the meta device would load half of PyTorch."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if getattr(func, "__module__", None) == "torch.nn.init":
            return kwargs["tensor"] if "tensor" in kwargs else args[0]
        return func(*args, **kwargs)


def skeleton(make: Callable[[], Model]) -> Model:
    """A model on the meta device: parameters with shapes and without memory."""
    with torch.device("meta"), _NoInitialisation():
        return make()


class TensorSource(Protocol):
    """Tensors of a file."""

    path: Path

    @property
    def names(self) -> Iterable[str]:
        """All of them."""

    def shape(self, name: str) -> tuple[int, ...]:
        """By the header."""

    def check(self, name: str) -> None:
        """Raise a `CheckpointError` unless its dtype is a floating-point or a quantized one and its bytes are there."""

    def tensor(self, name: str) -> Tensor:
        """Its values, float32."""


def fill(
    model: nn.Module,
    source: TensorSource,
    names: Mapping[str, str],
    ignored: Iterable[str] = (),
    change: Mapping[str, Change] | None = None,
) -> None:
    """Give a model its parameters.

    Parameters
    ----------
    model : of `skeleton`
    source : the file
    names : name in the file of each parameter
    ignored : names in the file that may be there and are not used
    change : what is done to a parameter's tensor as read

    Raises
    ------
    CheckpointError : tensors that are unknown, missing, of another shape or dtype, or hold NaN or infinity.
    """
    wanted = dict(model.named_parameters())
    in_file, taken = set(source.names), {names[name]: name for name in wanted}
    unknown = sorted(in_file - taken.keys() - set(ignored))
    missing = sorted(taken.keys() - in_file)
    for found, what in ((missing, "missing"), (unknown, "unknown")):
        if found:
            more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
            raise CheckpointError(f"{source.path}: tensor {found[0]} is {what}{more}")
    for name, parameter in taken.items():
        shape, right = tuple(source.shape(name)), tuple(wanted[parameter].shape)
        if shape != right:
            raise CheckpointError(
                f"{source.path}: tensor {name} has shape {list(shape)}; it must be {list(right)}"
            )
        source.check(name)
    found_all = {}
    for name, parameter in taken.items():
        values = source.tensor(name)
        if count := int((~torch.isfinite(values)).sum()):
            raise CheckpointError(f"{source.path}: tensor {name} holds {count} NaN or infinite values")
        found_all[parameter] = (change or {}).get(parameter, _same)(values)
    model.load_state_dict(found_all, assign=True)
    model.requires_grad_(False).eval()


def _same(values: Tensor) -> Tensor:
    return values
