"""The integer classes of the low-rank path, from x' to their sums."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib import memory, stream
from amaranth.lib.wiring import In, Out, connect, flipped

from sevedo.gen.config import Config
from sevedo.hw.core import payloads
from sevedo.hw.stream.buffer import StreamBuffer
from sevedo.hw.unit import Unit

from .code_writer import CodeWriter
from .int_expander import IntegerExpander
from .int_projector import IntegerProjector
from .pair import BufferPair


class IntegerClasses(Unit):
    """z = V x' in integers, its codes, and L = U z: three parts side by side, two buffers of codes between them.

    Timing: declared by the parts. A command is taken once all three can queue it; a part sees it
    `StreamBuffer.LATENCY` cycles later. Codes can be read `Z_LATENCY` cycles after the last z of their column tile was
    taken.
    Numerics: docs/numerics.md, low-rank path, integer classes.

    Parameters
    ----------
    config : sizes and formats, with integer classes

    Members
    -------
    command : In(stream of payloads.command), one for a layer
    int_x, int_x_scale, int_v, int_v_scale, int_u, int_u_scale : In(stream), see payloads for what they hold
    sums_<class> : Out(stream of payloads.sums), of every tile of layers that have the class
    """

    Z_LATENCY = CodeWriter.latency + 1

    def __init__(self, config: Config) -> None:
        self.config = config
        super().__init__(
            {
                "command": In(stream.Signature(payloads.command(config))),
                **{
                    name: In(stream.Signature(shape))
                    for name, shape in payloads.class_operands(config).items()
                },
                **{
                    f"sums_{each.name}": Out(stream.Signature(payloads.sums(config)))
                    for each in config.rank_classes
                },
            }
        )

    @property
    def module_name(self) -> str:
        return "integer_classes"

    def build(self) -> Module:
        m = Module()
        m.submodules.projector = projector = IntegerProjector(self.config)
        m.submodules.writer = writer = CodeWriter(self.config)
        m.submodules.expander = expander = IntegerExpander(self.config)
        queues = []
        for name, part in (("projector", projector), ("writer", writer), ("expander", expander)):
            m.submodules[f"{name}_command"] = queue = StreamBuffer(payloads.command(self.config))
            connect(m, queue.o, part.command)
            queues.append(queue.i)
        ready = Cat(queue.ready for queue in queues).all()
        m.d.comb += self.command.ready.eq(ready)
        for queue in queues:
            m.d.comb += [queue.p.eq(self.command.p), queue.valid.eq(self.command.valid & ready)]
        for name in ("x", "x_scale", "v", "v_scale"):
            connect(m, flipped(getattr(self, f"int_{name}")), getattr(projector, name))
        for name in ("u", "u_scale"):
            connect(m, flipped(getattr(self, f"int_{name}")), getattr(expander, name))
        connect(m, projector.z, writer.z)
        for each in self.config.rank_classes:
            name = f"sums_{each.name}"
            connect(m, getattr(expander, name), flipped(getattr(self, name)))
        self._codes(m, writer, expander)
        return m

    def _codes(self, m: Module, writer: CodeWriter, expander: IntegerExpander) -> None:
        """Codes of z of two column tiles; a word is what a step reads, both digits."""
        config = self.config
        lvc, shape = config.lvc, payloads.z_codes(config)
        pair = BufferPair.build(m, writer.claim, writer.done, expander.free)
        m.d.comb += [writer.room.eq(pair.room), expander.available.eq(pair.available)]
        blocks = [-(-each.ranks // lvc.int_lanes) for each in config.rank_classes]
        parts = config.rmc.cols // lvc.int_tokens
        depth = 2 * sum(blocks) * parts

        def address(buffer: Value, index: Value, block: Value, part: Value) -> Value:
            word = Signal(range(depth))
            m.d.comb += word.eq(
                (Mux(buffer, sum(blocks), 0) + Mux(index, blocks[0], 0) + block) * parts + part
            )
            return word

        codes = memory.Memory(shape=unsigned(shape.size), depth=depth, init=[])
        m.submodules.codes = codes
        piece = len(Value.cast(writer.codes))
        pieces = shape.size // piece
        write, read = codes.write_port(granularity=piece), codes.read_port(domain="comb")
        # A token of `int_ranks` ranks is a piece of a word.
        token = Signal(range(max(lvc.int_tokens, 2)))
        part = Signal.like(expander.part)
        if lvc.int_tokens & (lvc.int_tokens - 1) == 0:
            bits = lvc.int_tokens.bit_length() - 1
            m.d.comb += [token.eq(writer.token[:bits]), part.eq(writer.token[bits:])]
        else:
            with m.Switch(writer.token):
                for each in range(config.rmc.cols):
                    with m.Case(each):
                        m.d.comb += [token.eq(each % lvc.int_tokens), part.eq(each // lvc.int_tokens)]
        place = Signal(range(max(pieces, 2)))
        m.d.comb += [
            place.eq(token * (lvc.int_lanes // lvc.int_ranks) + writer.part),
            write.addr.eq(address(pair.write, writer.index, writer.block, part)),
            write.data.eq(Value.cast(writer.codes).replicate(pieces)),
            write.en.eq(writer.write << place),
            read.addr.eq(address(pair.read, expander.index, expander.block, expander.part)),
            Value.cast(expander.z).eq(read.data),
        ]
