"""Order between queues by tokens: a kind for each pair of queues, given only where somebody waits."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum


class Token(IntEnum):
    """Kinds of tokens in compiled programs: who gives them to whom, and what for."""

    LOADED = 0
    """LOAD to QUANTIZE: rows and multipliers are there."""
    CODED = 1
    """QUANTIZE to MATMUL: codes are there."""
    ROOM = 2
    """MATMUL to LOAD: rows and multipliers may be overwritten."""
    CODE_ROOM = 3
    """MATMUL to QUANTIZE: codes may be overwritten."""
    STORED = 4
    """STORE to LOAD: outputs that are a later layer's inputs are in DRAM."""


@dataclass
class Instruction:
    """An instruction while the program is made; `fields` without its tokens."""

    name: str
    fields: dict[str, int]
    wait: int = 0
    give: int = 0

    @property
    def all_fields(self) -> dict[str, int]:
        """With its tokens."""
        return self.fields | {"wait": self.wait, "give": self.give}


@dataclass
class Channel:
    """Waiting of one queue for another by tokens of one kind.

    Both queues go in order. So who waited for an instruction waited for all before it: a token is needed only where
    the instruction is a later one than any before, and then exactly that instruction gives it. The n-th token that is
    taken is thus the n-th that is given.
    """

    kind: Token
    _last: int = field(default=-1, init=False)

    def require(self, place: int, giver: Instruction, waiter: Instruction) -> None:
        """`waiter` begins after `giver`, whose place in its queue is `place`, is done."""
        if place > self._last:
            self._last = place
            giver.give |= 1 << self.kind
            waiter.wait |= 1 << self.kind
