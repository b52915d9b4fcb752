"""Tokens: semaphores between the queues."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib import data
from amaranth.lib.wiring import In, Out

from sevedo.gen.config.instructions import TOKEN_LIMIT, TOKENS
from sevedo.hw.unit import Unit


class TokenCounters(Unit):
    """Counts the tokens of each kind. A queue gets all that it wants at once, or waits.

    Timing: `granted` is combinational from `wants`; one queue a cycle, the first that can be served. Tokens given in a
    cycle can be taken in the next one.

    Parameters
    ----------
    queues : how many there are

    Members
    -------
    wants : In(queues), a queue wants a token of each kind in its `wanted`
    wanted, given : In(ArrayLayout(TOKENS, queues)), masks; a token of each kind in `given` comes in
    granted : Out(queues)
    overflow : Out(queues), a queue gives a token of a kind of which there are then more than TOKEN_LIMIT
    """

    def __init__(self, queues: int) -> None:
        self.queues = queues
        masks = data.ArrayLayout(unsigned(TOKENS), queues)
        super().__init__(
            {
                "wants": In(queues),
                "wanted": In(masks),
                "given": In(masks),
                "granted": Out(queues),
                "overflow": Out(queues),
            }
        )

    @property
    def module_name(self) -> str:
        return "token_counters"

    def build(self) -> Module:
        m = Module()
        counts = [Signal(range(TOKEN_LIMIT + 1), name=f"count_{kind}") for kind in range(TOKENS)]
        there = Signal(TOKENS)
        m.d.comb += there.eq(Cat(count != 0 for count in counts))
        taken = Signal(TOKENS)
        served = Const(0, 1)
        for queue in range(self.queues):
            can = self.wants[queue] & ((self.wanted[queue] & ~there) == 0)
            m.d.comb += self.granted[queue].eq(can & ~served)
            with m.If(can & ~served):
                m.d.comb += taken.eq(self.wanted[queue])
            served = served | can
        beyond = []
        for kind, count in enumerate(counts):
            coming = sum((self.given[queue][kind] for queue in range(self.queues)), Const(0, 1))
            after = Signal(len(count) + 3, name=f"after_{kind}")
            m.d.comb += after.eq(count + coming - taken[kind])
            m.d.sync += count.eq(after)
            beyond.append(after > TOKEN_LIMIT)
        too_many = Cat(*beyond)
        m.d.comb += self.overflow.eq(
            Cat((self.given[queue] & too_many).any() for queue in range(self.queues))
        )
        return m
