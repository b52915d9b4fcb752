"""What the commands that run a program share: its inputs as they are asked for, its outputs, the verdict."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sevedo.gen.compile import Compiled
from sevedo.ref.rounding import decode

from . import inputs as source
from .inputs import InputError

Array = np.ndarray[Any, Any]


def given_inputs(
    compiled: Compiled, folder: Path, inputs: Path | None, text: str | None, model: str | None, seed: int
) -> dict[str, Array]:
    """Encodings of a program's inputs: from a file, from a sentence, or random.

    Parameters
    ----------
    folder : of the compiled program
    inputs : a .npz file
    text : a sentence; inputs are what it gives in the unquantized model
    model : which model that is; by default what the program was made of
    seed : of random inputs

    Raises
    ------
    InputError, FileError : one line.
    """
    if inputs is not None and text is not None:
        raise InputError("inputs and text cannot both be given")
    if inputs is not None:
        return source.encoded(compiled, source.read_inputs(inputs, compiled))
    if text is None:
        return source.encoded(compiled, source.random_inputs(compiled, seed))
    from sevedo.ref.checkpoint import read
    from sevedo.ref.workloads import WorkloadError

    facts = json.loads((folder / "program.json").read_bytes())["facts"]
    try:
        checkpoint = read(source.model_of(facts, model))
    except WorkloadError as error:
        raise InputError(str(error)) from None
    return source.encoded(compiled, source.text_inputs(compiled, checkpoint, text))


def decoded_outputs(compiled: Compiled, segment: bytes) -> dict[str, Array]:
    """Outputs of every layer as numbers, for a .npz file."""
    data = compiled.config.numbers.data_format
    kind = "float16" if data.name == "fp16" else "float32"
    return {
        name: decode(torch.from_numpy(bits.astype("int64")), data).numpy().astype(kind)
        for name, bits in compiled.outputs(segment).items()
    }


def verdict(compiled: Compiled, different: int | None) -> str:
    """Whether the data segment is that of the Python machine; where not, what is there."""
    if different is None:
        return f"{compiled.data_bytes:,} bytes of data compared with the Python machine: every bit equal"
    regions = [(region.offset, f"input of {name}") for name, region in compiled.inputs.items()]
    regions += [(each.output.offset, f"output of {each.name}") for each in compiled.layers]
    where = max((offset, what) for offset, what in regions if offset <= different)[1]
    return f"NOT equal to the Python machine: first at byte {different} of the data segment, {where}"
