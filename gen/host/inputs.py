"""What the host writes into the data segment: inputs from a file, from a text, or random."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from sevedo.gen.compile import Compiled
from sevedo.gen.files import MAX_VALUES, FileError
from sevedo.ref.rounding import encode

if TYPE_CHECKING:
    from sevedo.ref.checkpoint.read import Checkpoint

Array = np.ndarray[Any, Any]

OUTLIER = 30.0
"""One random input in a hundred is so many times as large: as in activations of real layers."""


class InputError(ValueError):
    """Inputs that do not fit the program. The message is one line: what, which value, which rule."""


def encoded(compiled: Compiled, values: Mapping[str, Tensor]) -> dict[str, Array]:
    """Encodings of inputs in the data format, as `Compiled.data` takes them."""
    data = compiled.config.numbers.data_format
    return {name: encode(each.double(), data).numpy().astype(np.uint16) for name, each in values.items()}


def random_inputs(compiled: Compiled, seed: int) -> dict[str, Tensor]:
    """Normally distributed numbers with some outliers."""
    rng = np.random.default_rng(seed)
    found = {}
    for name, region in compiled.inputs.items():
        shape = compiled.tokens, region.numbers
        large = np.where(rng.random(shape) < 0.01, OUTLIER, 1.0)
        found[name] = torch.from_numpy(rng.standard_normal(shape) * large)
    return found


def read_inputs(path: Path, compiled: Compiled) -> dict[str, Tensor]:
    """Inputs from a .npz file: for each of the program's an array [T, K] of real numbers, under its name.

    Raises
    ------
    FileError : the file cannot be read, is none, or holds something else.
    InputError : an array is missing, unknown or of another shape.
    """
    found: dict[str, Tensor] = {}
    try:
        # A compressed file may hold any number of values: those of the right names are read when they are asked for.
        with np.load(path, allow_pickle=False) as file:
            if not isinstance(file, np.lib.npyio.NpzFile):
                raise FileError(f"inputs={path} must be a .npz file; save it with numpy.savez")
            if odd := sorted({*file.files} ^ {*compiled.inputs}):
                state = "missing" if odd[0] in compiled.inputs else "unknown"
                raise InputError(f"inputs={path}: array {odd[0]} is {state}")
            for name, region in compiled.inputs.items():
                found[name] = _checked(file[name], name, path, (compiled.tokens, region.numbers))
    except (FileError, InputError):
        raise
    except OSError as error:
        raise FileError(f"inputs={path} cannot be read: {error.strerror or 'it is no .npz file'}") from None
    # What a damaged archive raises depends on where it is damaged.
    except Exception:
        raise FileError(
            f"inputs={path} must be a .npz file of plain numbers; save it with numpy.savez"
        ) from None
    return found


def _checked(array: Array, name: str, path: Path, shape: tuple[int, int]) -> Tensor:
    if array.dtype.kind not in "iuf" or array.size > MAX_VALUES:
        raise InputError(f"inputs={path}: array {name} has dtype {array.dtype}; it must be of real numbers")
    if array.shape != shape:
        raise InputError(f"inputs={path}: array {name} has shape {array.shape}; it must be {shape}")
    return torch.from_numpy(array.astype(np.float64))


def text_inputs(compiled: Compiled, checkpoint: Checkpoint, text: str) -> dict[str, Tensor]:
    """What reaches the layers of the unquantized model for the first tokens of a text.

    Raises
    ------
    InputError : the text has fewer tokens than the program, or the model lacks a layer of it.
    """
    tokens = checkpoint.tokens(text)
    count = compiled.tokens
    if len(tokens) < count:
        raise InputError(
            f"text has {len(tokens)} tokens; the program takes {count}, so it must have as many at least"
        )
    if checkpoint.kind == "bert" and count > 1:
        tokens = torch.cat([tokens[: count - 1], tokens[-1:]])  # the mark of its end stays
    seen: dict[str, Tensor] = {}

    def watch(name: str) -> Any:
        try:
            layer = checkpoint.module.get_submodule(name)
        except AttributeError:
            raise InputError(f"model {checkpoint.name} has no layer {name}, which the program has") from None

        def keep(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            seen[name] = inputs[0].flatten(0, -2)

        return layer.register_forward_pre_hook(keep)

    hooks: list[Any] = []
    try:
        for name in compiled.inputs:
            hooks.append(watch(name))
        with torch.no_grad():
            checkpoint.module(tokens[None, :count])
    finally:
        for hook in hooks:
            hook.remove()
    return seen


def model_of(facts: Mapping[str, Any], model: str | None) -> str:
    """The model that a program was made of, by its name or path; `model` where the name says nothing.

    Raises
    ------
    InputError : neither is there.
    """
    named = facts.get("model")
    found = model or (named.get("name") if isinstance(named, Mapping) else None)
    if not found:
        raise InputError(
            "text needs a model: the program does not say which it was made of; name it by --model"
        )
    return str(found)
