"""The low-rank vector core: both small products of the low-rank path, and the sum of everything."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib import data, memory, stream
from amaranth.lib.wiring import In, Out, connect, flipped

from sevedo.gen.config import Config
from sevedo.hw.core import payloads
from sevedo.hw.stream.buffer import StreamBuffer
from sevedo.hw.stream.queue import TileQueue
from sevedo.hw.unit import Unit

from .classes import IntegerClasses
from .expander import Expander
from .finisher import Finisher
from .pair import BufferPair
from .projector import Projector


class LowRankVectorCore(Unit):
    """z = V x', L = U z, and the outputs DATA((residual + L) + bias): parts side by side.

    `Projector` is ahead by up to two column tiles, of the next layer too: there are two buffers for z, and a part takes
    its next command when it is done with one. `Expander` follows group by group of row tiles, `Finisher` tile by tile.
    Residual sums wait in a queue of `lvc.queue` tiles, so that the array goes on while z is not there yet.

    The integer classes, where the configuration has some, are a fourth part (`IntegerClasses`).

    Timing: declared by the parts. A command is taken once all of them can queue it; a part sees it
    `StreamBuffer.LATENCY` cycles later. z can be read `z_latency` cycles after the last step that made it.
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
    int_x, int_x_scale, int_v, int_v_scale, int_u, int_u_scale : In(stream), with integer classes;
        see payloads for what they hold
    """

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
            | {name: In(stream.Signature(shape)) for name, shape in payloads.class_operands(config).items()}
        )

    @property
    def module_name(self) -> str:
        return "low_rank_vector_core"

    @staticmethod
    def z_latency(config: Config) -> int:
        """Cycles from the last step of a column tile's z to its first reading."""
        return Projector.latency_of(config) + 1

    def build(self) -> Module:
        m = Module()
        m.submodules.projector = projector = Projector(self.config)
        m.submodules.expander = expander = Expander(self.config)
        m.submodules.finisher = finisher = Finisher(self.config)
        more = []
        if self.config.rank_classes:
            m.submodules.classes = classes = IntegerClasses(self.config)
            more.append(classes.command)
            for name in payloads.class_operands(self.config):
                connect(m, flipped(getattr(self, name)), getattr(classes, name))
            for each in self.config.rank_classes:
                connect(m, getattr(classes, f"sums_{each.name}"), getattr(finisher, f"low_rank_{each.name}"))
        self._commands(m, {"projector": projector, "expander": expander, "finisher": finisher}, more)
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

    def _commands(self, m: Module, parts: dict[str, Unit], queues: list[stream.Interface]) -> None:
        """Every part has its own queue, so that it goes on to the next layer by itself; some bring theirs."""
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
        pair = BufferPair.build(m, projector.claim, projector.done, expander.free)
        read_address = Signal(range(2 * blocks))
        write_address = Signal(range(2 * blocks))
        m.d.comb += [
            projector.room.eq(pair.room),
            expander.available.eq(pair.available),
            read_address.eq(Mux(pair.read, expander.block + blocks, expander.block)),
            write_address.eq(Mux(pair.write, projector.block + blocks, projector.block)),
        ]

        projected = config.rmc.cols // config.project_tokens
        word = data.ArrayLayout(projector.z.shape().elem_shape, config.rmc.cols)
        z = memory.Memory(shape=word, depth=2 * blocks, init=[])
        m.submodules.z = z
        write, read = z.write_port(granularity=config.project_tokens), z.read_port(domain="comb")
        m.d.comb += [
            write.addr.eq(write_address),
            Value.cast(write.data).eq(Value.cast(projector.z).replicate(projected)),
            write.en.eq(projector.write << projector.slot),
            read.addr.eq(read_address),
        ]
        for token in range(tokens):
            slots = Array(read.data[first + token] for first in range(0, config.rmc.cols, tokens))
            m.d.comb += expander.z[token].eq(slots[expander.slot][expander.element])
