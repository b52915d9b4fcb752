"""A compiled program: the image of DRAM, where the host puts inputs and finds outputs, and what it consists of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from sevedo.gen.config import Config

from .errors import CompileError
from .layout import Region

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class CompiledLayer:
    """A layer of a program.

    Members
    -------
    name : in the artefact
    inputs, outputs : K, N
    rank, int8_rank, int4_rank : ranks of its classes
    activation_digits, weight_digits : of its codes
    input, output : where its rows are in the data segment
    bytes : of each kind of operand in the image, and of its `multipliers`
    instructions : ranges [first, end), one for each column tile
    """

    name: str
    inputs: int
    outputs: int
    rank: int
    int8_rank: int
    int4_rank: int
    activation_digits: int
    weight_digits: int
    input: Region
    output: Region
    bytes: Mapping[str, int]
    instructions: tuple[tuple[int, int], ...]

    def data(self) -> dict[str, Any]:
        """For the JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Compiled:
    """What `sevedo compile` writes.

    Members
    -------
    config : the processor
    tokens : T of every layer
    image : content of segment IMAGE
    program : offset of the program in it, register PROGRAM
    instructions : of the program, END included
    data_bytes : size of segment DATA
    inputs : what the host writes, by the name of the first layer that reads it
    layers : in order
    """

    config: Config
    tokens: int
    image: bytes
    program: int
    instructions: int
    data_bytes: int
    inputs: Mapping[str, Region]
    layers: tuple[CompiledLayer, ...]

    def layer(self, name: str) -> CompiledLayer:
        """A layer by its name.

        Raises
        ------
        CompileError : there is none.
        """
        for each in self.layers:
            if each.name == name:
                return each
        raise CompileError(f"layer={name} must be one of {', '.join(each.name for each in self.layers)}")

    def data(self, inputs: Mapping[str, Array]) -> bytearray:
        """The data segment with inputs in it, the rest being 0.

        Parameters
        ----------
        inputs : for each of `inputs` the encodings [T, K] of its numbers, integers

        Raises
        ------
        CompileError : an input that is missing, unknown or of another shape.
        """
        if inputs.keys() != self.inputs.keys():
            odd = sorted(inputs.keys() ^ self.inputs.keys())[0]
            raise CompileError(f"input {odd} is {'missing' if odd in self.inputs else 'unknown'}")
        segment = bytearray(self.data_bytes)
        for name, region in self.inputs.items():
            given = np.asarray(inputs[name])
            if given.shape != (self.tokens, region.numbers) or given.dtype.kind not in "iu":
                raise CompileError(
                    f"input {name} is {given.dtype} {list(given.shape)}; it must be integers "
                    f"[{self.tokens}, {region.numbers}]"
                )
            self._rows(np.frombuffer(segment, np.uint8), region)[...] = given.astype("<u2")
        return segment

    def outputs(self, segment: bytes | bytearray) -> dict[str, Array]:
        """Encodings of the outputs [T, N] of every layer in a data segment: uint16."""
        there = np.frombuffer(segment, np.uint8)
        return {each.name: self._rows(there, each.output).copy() for each in self.layers}

    def _rows(self, segment: Array, region: Region) -> Array:
        """The numbers of a region, a view: [T, numbers]."""
        rows = segment[region.offset : region.offset + self.tokens * region.pitch]
        return rows.reshape(self.tokens, region.pitch)[:, : 2 * region.numbers].view("<u2")
