"""Many counters that are seldom read, in a memory."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from sevedo.hw.unit import Unit

BITS = 64


class Counters(Unit):
    """Counters of 64 bits: totals in a memory, and for each a small register with what it has grown by since its total
    was renewed. Totals are renewed in turn, one a cycle; one that is read, at once. So a counter takes some ten
    flip-flops instead of 64, and one adder serves all totals.

    Timing: a counter has grown in the cycle after its input. `value` answers `read` in the same cycle; at least a cycle
    without `read` lies between two reads, or what has grown has no room.
    Numerics: the sum of the inputs since reset or the last `restart`, modulo 2**64.

    Parameters
    ----------
    growth : of each its name, and the bits of what it may grow by in a cycle

    Members
    -------
    <name> : In(bits), by how much it grows in this cycle
    restart : In(1), all become 0, whatever they would grow by
    read : In(1)
    chosen : In(range(counters)), which one: their place in `growth`
    value : Out(64), of the chosen counter while `read`

    Raises
    ------
    ValueError : without a counter.
    """

    undefined_at_first = True

    def __init__(self, growth: tuple[tuple[str, int], ...]) -> None:
        if not growth:
            raise ValueError("growth must name at least one counter")
        self.growth = growth
        super().__init__(
            {name: In(bits) for name, bits in self.growth}
            | {
                "restart": In(1),
                "read": In(1),
                "chosen": In(max((len(self.growth) - 1).bit_length(), 1)),
                "value": Out(BITS),
            }
        )

    @property
    def module_name(self) -> str:
        return f"counters_{len(self.growth)}"

    def build(self) -> Module:
        m = Module()
        count = len(self.growth)
        m.submodules.totals = totals = Memory(shape=unsigned(BITS), depth=count, init=[])
        before, after = totals.read_port(domain="comb"), totals.write_port()
        turn = Signal(range(count))
        place = Signal.like(self.chosen)
        stale = Signal(count, init=-1)  # totals that count as 0 until they are written
        m.d.comb += place.eq(Mux(self.read, self.chosen, turn))
        with m.If(~self.read):
            m.d.sync += turn.eq(Mux(turn == count - 1, 0, turn + 1))
        pending = []
        for index, (name, bits) in enumerate(self.growth):
            most = (
                2 * (count + 1) * ((1 << bits) - 1)
            )  # all have had their turn, though every other cycle is a read
            grown = Signal(range(most + 1), name=f"{name}_pending")
            pending.append(grown)
            kept = Mux(place == index, 0, grown)
            m.d.sync += grown.eq(Mux(self.restart, 0, kept + getattr(self, name)))
        m.d.comb += [
            before.addr.eq(place),
            self.value.eq(Mux(stale.bit_select(place, 1), 0, before.data) + Array(pending)[place]),
            after.addr.eq(place),
            after.data.eq(self.value),
            after.en.eq(1),
        ]
        m.d.sync += stale.eq(Mux(self.restart, -1, stale & ~(1 << place)))
        return m
