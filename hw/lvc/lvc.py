"""The low-rank vector core: both small products of the low-rank path, and the sum of everything."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib import memory, stream
from amaranth.lib.wiring import In, Out, connect, flipped

from sevedo.gen.config import Config
from sevedo.hw.core import payloads
from sevedo.hw.stream.buffer import StreamBuffer
from sevedo.hw.stream.queue import TileQueue
from sevedo.hw.unit import Unit

from .expander import Expander
from .finisher import Finisher
from .projector import Projector


class LowRankVectorCore(Unit):
    """z = V x', L = U z, and the outputs DATA((residual + L) + bias): three parts side by side.

    `Projector` is ahead by up to two column tiles, of the next layer too: there are two buffers for z, and a part takes
    its next command when it is done with one. `Expander` follows group by group of row tiles, `Finisher` tile by tile.
    Residual sums wait in a queue of `lvc.queue` tiles, so that the array goes on while z is not there yet.

    Timing: declared by the parts. A command is taken once all three can queue it; a part sees it
    `StreamBuffer.LATENCY` cycles later. z can be read `Z_LATENCY` cycles after the last step that made it.
    Numerics: docs/numerics.md, low-rank path and sum.

    Parameters
    ----------
    config : sizes and formats

    Members
    -------
    command : In(stream of payloads.command), one for a layer
    token : In(stream of payloads.numbers, cols), x', see payloads for the order
    v : In(stream of payloads.numbers, lvc.ranks)
    u : In(stream of payloads.numbers, lvc_tiles * rows)
    bias : In(stream of payloads.numbers, rows)
    sums : In(stream of payloads.residual_sums)
    y : Out(stream of payloads.outputs)
    """

    Z_LATENCY = Projector.latency + 1

    def __init__(self, config: Config) -> None:
        self.config = config
        rows = config.rmc.rows
        super().__init__(
            {
                "command": In(stream.Signature(payloads.command(config))),
                "token": In(stream.Signature(payloads.numbers(config, config.rmc.cols))),
                "v": In(stream.Signature(payloads.numbers(config, config.lvc.ranks))),
                "u": In(stream.Signature(payloads.numbers(config, config.lvc_tiles * rows))),
                "bias": In(stream.Signature(payloads.numbers(config, rows))),
                "sums": In(stream.Signature(payloads.residual_sums(config))),
                "y": Out(stream.Signature(payloads.outputs(config))),
            }
        )

    @property
    def module_name(self) -> str:
        return "low_rank_vector_core"

    def build(self) -> Module:
        m = Module()
        m.submodules.projector = projector = Projector(self.config)
        m.submodules.expander = expander = Expander(self.config)
        m.submodules.finisher = finisher = Finisher(self.config)
        self._commands(m, {"projector": projector, "expander": expander, "finisher": finisher})
        for name, part in (("token", projector), ("v", projector), ("u", expander), ("bias", finisher)):
            connect(m, flipped(getattr(self, name)), getattr(part, name))
        m.submodules.queue = queue = TileQueue(
            self.config.rmc.rows,
            self.config.rmc.cols,
            self.config.lvc_tokens,
            self.config.lvc.output_tokens,
            self.config.numbers.sum_format.width,
            self.config.lvc.queue,
        )
        connect(m, flipped(self.sums), queue.i)
        connect(m, queue.o, finisher.residual)
        connect(m, expander.sums, finisher.low_rank)
        connect(m, finisher.y, flipped(self.y))
        self._z(m, projector, expander)
        return m

    def _commands(self, m: Module, parts: dict[str, Unit]) -> None:
        """Every part has its own queue, so that it goes on to the next layer by itself."""
        queues = []
        for name, part in parts.items():
            m.submodules[f"{name}_command"] = queue = StreamBuffer(payloads.command(self.config))
            connect(m, queue.o, part.command)
            queues.append(queue.i)
        ready = Cat(queue.ready for queue in queues).all()
        m.d.comb += self.command.ready.eq(ready)
        for queue in queues:
            m.d.comb += [queue.p.eq(self.command.p), queue.valid.eq(self.command.valid & ready)]

    def _z(self, m: Module, projector: Projector, expander: Expander) -> None:
        """Two buffers for the z of a column tile; a word is a block of ranks."""
        config = self.config
        ranks, tokens = config.lvc.ranks, config.lvc_tokens
        blocks = -(-config.lvc.max_rank // ranks)
        claimed, complete = Signal(2), Signal(2)
        at = {name: Signal(name=f"{name}_buffer") for name in ("claim", "write", "read")}
        read_address = Signal(range(2 * blocks))
        write_address = Signal(range(2 * blocks))
        m.d.comb += [
            projector.room.eq(~claimed.bit_select(at["claim"], 1)),
            expander.available.eq(complete.bit_select(at["read"], 1)),
            read_address.eq(Mux(at["read"], expander.block + blocks, expander.block)),
            write_address.eq(Mux(at["write"], projector.block + blocks, projector.block)),
        ]
        with m.If(expander.free):
            m.d.sync += [
                claimed.bit_select(at["read"], 1).eq(0),
                complete.bit_select(at["read"], 1).eq(0),
                at["read"].eq(~at["read"]),
            ]
        with m.If(projector.claim):
            m.d.sync += [claimed.bit_select(at["claim"], 1).eq(1), at["claim"].eq(~at["claim"])]
        with m.If(projector.done):
            m.d.sync += [complete.bit_select(at["write"], 1).eq(1), at["write"].eq(~at["write"])]

        z = memory.Memory(shape=projector.z.shape(), depth=2 * blocks, init=[])
        m.submodules.z = z
        write, read = z.write_port(), z.read_port(domain="comb")
        m.d.comb += [
            write.addr.eq(write_address),
            write.data.eq(projector.z),
            write.en.eq(projector.write),
            read.addr.eq(read_address),
        ]
        for token in range(tokens):
            slots = Array(read.data[first + token] for first in range(0, config.rmc.cols, tokens))
            m.d.comb += expander.z[token].eq(slots[expander.slot][expander.element])
