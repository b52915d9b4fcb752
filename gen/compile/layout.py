"""Layers and where their inputs and outputs lie in the data segment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sevedo.gen.config import Config
from sevedo.ref.linear import QuantizedLinear

from .errors import CompileError


@dataclass(frozen=True)
class Region:
    """Rows of numbers in the data segment, one for each token.

    Members
    -------
    offset : of the first row, in bytes; a multiple of the bus width
    pitch : bytes from one row to the next, whole bus words
    numbers : of a row
    """

    offset: int
    pitch: int
    numbers: int

    def data(self) -> dict[str, int]:
        """For the JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Layout:
    """The data segment.

    Members
    -------
    inputs : what the host writes, by the name of the first layer that reads it
    outputs : of each layer
    reads : for each layer what it reads: one of `inputs` or of `outputs`
    size : bytes of the segment
    """

    inputs: Mapping[str, Region]
    outputs: Mapping[str, Region]
    reads: Mapping[str, Region]
    size: int


def lay_out(
    layers: Mapping[str, QuantizedLinear],
    config: Config,
    tokens: int,
    shares: Mapping[str, str],
    chains: Mapping[str, str],
) -> Layout:
    """Places for all inputs and outputs.

    Parameters
    ----------
    shares : layers that read what an earlier one reads
    chains : layers that read what an earlier one writes

    Raises
    ------
    CompileError : a layer that is not there or comes later, or a source of another size than the layer's inputs.
    """
    bus, width = config.bus.data_bytes, config.numbers.data_format.width // 8
    size = 0

    def region(numbers: int) -> Region:
        nonlocal size
        found = Region(size, -(-numbers * width // bus) * bus, numbers)
        size += tokens * found.pitch
        return found

    inputs: dict[str, Region] = {}
    outputs: dict[str, Region] = {}
    reads: dict[str, Region] = {}
    for name in [*shares, *chains]:
        if name not in layers or (name in shares and name in chains):
            raise CompileError(f"layer {name} must be one of the layers, with a single source")
    for name, layer in layers.items():
        source = shares.get(name) or chains.get(name)
        if source is None:
            reads[name] = inputs[name] = region(layer.inputs)
        elif source not in outputs:
            raise CompileError(f"layer {name}: its source {source} must be an earlier layer")
        else:
            reads[name] = (reads if name in shares else outputs)[source]
        if reads[name].numbers != layer.inputs:
            raise CompileError(
                f"layer {name}: inputs K={layer.inputs} must be the {reads[name].numbers} numbers of its source "
                f"{source}"
            )
        outputs[name] = region(layer.outputs)
    if size >= 1 << 32:
        raise CompileError(
            f"tokens={tokens} make {size} bytes of inputs and outputs; there can be {(1 << 32) - 1}"
        )
    return Layout(inputs, outputs, reads, size)


SHARED = {
    "bert": (("attention.self.query", "attention.self.key", "attention.self.value"),),
    "llama": (("attn_q", "attn_k", "attn_v"), ("ffn_gate", "ffn_up")),
}
"""Layers of a block that read the same input, by the kind of model; the first one names it."""


def shared_inputs(kind: str | None, names: Iterable[str]) -> dict[str, str]:
    """Layers of a model of some kind that read the input of another layer, with that layer."""
    there: set[str] = set(names)
    found: dict[str, str] = {}
    for first, *others in SHARED.get(kind or "", ()):
        for name in there:
            if name.endswith(f".{first}"):
                stem = name.removesuffix(first)
                found |= {f"{stem}{other}": name for other in others if f"{stem}{other}" in there}
    return found


def facts_kind(facts: Mapping[str, Any]) -> str | None:
    """The kind of model that an artefact says it holds."""
    model = facts.get("model")
    kind = model.get("kind") if isinstance(model, dict) else None
    return kind if isinstance(kind, str) else None
