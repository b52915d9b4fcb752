"""What the units of the Python machine have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from sevedo.gen.config import Config
from sevedo.gen.config.instructions import Unit

from .matmul import Fields, Residual
from .memories import Dram, Memories


@dataclass(frozen=True)
class Decoded:
    """An instruction on its way.

    Members
    -------
    number : its place in the program
    name : its kind
    fields : their values
    """

    number: int
    name: str
    fields: Fields


@dataclass
class Parts:
    """What the units share.

    Members
    -------
    matmul : beats that the MATMUL under way still takes, for which STREAM has room beyond its buffers
    store : tiles that the STORE under way takes, for which MATMUL has room beyond the output buffers
    residual : what computes residual sums, as `sevedo.ref.residual.residual`
    """

    config: Config
    dram: Dram
    memories: Memories
    matmul: dict[str, int]
    residual: Residual
    store: int = 0


class Executor(ABC):
    """A unit: carries out one instruction at a time."""

    unit: Unit

    def __init__(self, parts: Parts) -> None:
        self.parts, self.config, self.memories, self.dram = parts, parts.config, parts.memories, parts.dram

    @abstractmethod
    def begin(self, instruction: Decoded) -> None:
        """Start on an instruction."""

    @abstractmethod
    def advance(self) -> tuple[bool, bool]:
        """Go on as far as possible: whether anything was done, whether the instruction is done."""
