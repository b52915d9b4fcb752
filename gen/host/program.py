"""A compiled program, instruction by instruction: whose layer each is, and what it moves between DRAM and processor."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from sevedo.gen.compile import Compiled
from sevedo.gen.config import Config
from sevedo.gen.config.instructions import INSTRUCTION_BYTES, decode


class Step(NamedTuple):
    """An instruction of a program.

    Members
    -------
    number : from 0
    name : of the instruction
    fields : their values
    layer : whose it is; None for END
    tile : number of the column tile
    """

    number: int
    name: str
    fields: dict[str, int]
    layer: str | None
    tile: int


class Moved(NamedTuple):
    """Bytes of whole bus words that an instruction moves."""

    read: int
    written: int


@dataclass(frozen=True)
class ProgramSteps:
    """The instructions of a compiled program."""

    compiled: Compiled

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """All of them, in order."""
        compiled = self.compiled
        owner = {
            number: (layer.name, tile)
            for layer in compiled.layers
            for tile, (first, end) in enumerate(layer.instructions)
            for number in range(first, end)
        }
        found = []
        for number in range(compiled.instructions):
            at = compiled.program + INSTRUCTION_BYTES * number
            instruction, fields, _ = decode(compiled.image[at : at + INSTRUCTION_BYTES])
            name = "?" if instruction is None else instruction.name
            layer, tile = owner.get(number, (None, 0))
            found.append(Step(number, name, fields, layer, tile))
        return tuple(found)

    def label(self, number: int) -> tuple[str, dict[str, Any]]:
        """What a slice of the timeline is called, and what is said of it."""
        if number >= len(self.steps):
            return f"instruction {number}", {}
        step = self.steps[number]
        about = {name: value for name, value in step.fields.items() if name != "opcode" and value}
        if step.layer is None:
            return step.name, about
        tiles = len(self.compiled.layer(step.layer).instructions)
        name = f"{step.name} {step.layer}" + (f" tile {step.tile}" if tiles > 1 else "")
        return name, {"layer": step.layer, "tile": step.tile, **about}

    def moved(self, layer: str | None = None) -> Moved:
        """What all of them move, fetching included, or those of a layer."""
        steps = [step for step in self.steps if layer in (None, step.layer)]
        each = [moved(self.compiled.config, step) for step in steps]
        fetched = INSTRUCTION_BYTES * len(steps)
        return Moved(sum(m.read for m in each) + fetched, sum(m.written for m in each))


def moved(config: Config, step: Step) -> Moved:
    """What an instruction moves, without fetching it."""
    bus, width = config.bus.data_bytes, config.numbers.data_format.width // 8
    fields = step.fields

    def rows(numbers: int) -> int:
        return fields["tokens"] * -(-numbers * width // bus) * bus

    match step.name:
        case "LOAD":
            return Moved(rows(fields["inputs"]), 0)
        case "STREAM":
            return Moved(fields["words"] * bus, 0)
        case "STORE":
            return Moved(0, rows(fields["outputs"]))
    return Moved(0, 0)
