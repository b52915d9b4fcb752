"""Who reads and writes the words of a board, and where they are."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib.wiring import In, Out

from sevedo.gen.config.link import ARRAY_BASE, BOARD_BASE, MEMORY_BASE, PROCESSOR_BASE
from sevedo.hw.bus.registers import ADDRESS_BITS
from sevedo.hw.link.word import word_bus
from sevedo.hw.unit import Unit

MASTERS = ("test", "link")
"""Who asks, by priority."""

TARGETS = {
    "memory": (MEMORY_BASE, 31),
    "processor": (PROCESSOR_BASE, ADDRESS_BITS),
    "array": (ARRAY_BASE, ADDRESS_BITS),
    "board": (BOARD_BASE, ADDRESS_BITS),
}
"""Who answers: first address, and the bits of an address within."""


class BoardBus(Unit):
    """One access at a time, to the target whose address it is; where there is none, an error.

    Timing: a request is handed on in the cycle after it was taken, an answer in the cycle after it came.
    Numerics: none.

    Parameters
    ----------
    targets : those of `TARGETS` that there are

    Members
    -------
    test, link : In(word_bus), `test` first where both ask
    hold : In(1), do not listen to `link`: the self-test runs
    memory, processor, array, board : Out(word_bus), addresses count from the target's first; those that there are
    """

    def __init__(self, targets: tuple[str, ...]) -> None:
        self.targets = {name: TARGETS[name] for name in targets}
        super().__init__(
            {name: In(word_bus()) for name in MASTERS}
            | {name: Out(word_bus()) for name in targets}
            | {"hold": In(1)}
        )

    @property
    def module_name(self) -> str:
        return "board_bus_" + "_".join(self.targets)

    def build(self) -> Module:
        m = Module()
        owner = Signal(range(len(MASTERS)))
        busy = Signal()
        nowhere = Signal()
        asking = Signal(len(self.targets))
        request = Signal.like(self.link.request.p)
        with m.If(~busy):
            for index, name in enumerate(MASTERS):
                master = getattr(self, name)
                earlier = self.hold if name == "link" else Const(0)
                earlier |= Cat(getattr(self, each).request.valid for each in MASTERS[:index]).any()
                m.d.comb += master.request.ready.eq(~earlier)
                with m.If(master.request.valid & ~earlier):
                    address = master.request.p.address
                    hits = [address >> bits == base >> bits for base, bits in self.targets.values()]
                    m.d.sync += [
                        busy.eq(1),
                        owner.eq(index),
                        request.eq(master.request.p),
                        asking.eq(Cat(hits)),
                        nowhere.eq(~Cat(hits).any()),
                    ]
        done = Signal()
        error = Signal()
        word = Signal(32)
        answers = [getattr(self, name) for name in self.targets]
        m.d.sync += [
            done.eq(busy & (nowhere | Cat(each.done for each in answers).any())),
            error.eq(nowhere | Cat(each.done & each.error for each in answers).any()),
        ]
        for place, (target, (_, bits)) in enumerate(zip(answers, self.targets.values(), strict=True)):
            turn = asking[place]
            m.d.comb += [
                target.request.valid.eq(turn),
                target.request.p.address.eq(request.address[:bits]),
                target.request.p.write.eq(request.write),
                target.request.p.data.eq(request.data),
            ]
            with m.If(turn & target.request.ready):
                m.d.sync += turn.eq(0)
            with m.If(target.done):
                m.d.sync += word.eq(target.data)
        with m.If(busy & (nowhere | Cat(each.done for each in answers).any())):
            m.d.sync += [busy.eq(0), nowhere.eq(0)]
        for index, name in enumerate(MASTERS):
            master = getattr(self, name)
            m.d.comb += [
                master.done.eq(done & (owner == index)),
                master.error.eq(error),
                master.data.eq(word),
            ]
        return m
