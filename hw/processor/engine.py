"""All that carries out instructions: what is in front of the core, the core, and what stores its outputs."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import *
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out, connect, flipped

from sevedo.gen.config import Config
from sevedo.hw.control.instruction import fields
from sevedo.hw.core.core import Core
from sevedo.hw.feed.front import UNITS, FrontEnd, core_streams, take_fields
from sevedo.hw.mover.output_store import OutputStore
from sevedo.hw.stream.buffer import StreamBuffer
from sevedo.hw.unit import Unit

CUT = ("x", "x_scale", "w", "w_scale")
"""Streams of operands with a buffer before the core: its count of groups would else reach the feeders' addresses."""


class Engine(Unit):
    """Carries out instructions of five kinds, side by side; docs/processor.md draws it.

    Timing: declared by its parts.
    Numerics: docs/numerics.md.

    Parameters
    ----------
    config : sizes and formats

    Members
    -------
    load, stream, quantize, matmul, store : In(stream of the instruction's fields), <unit>_done : Out(1)
    load_request, stream_request, load_data, stream_data : clients of the bus
    write_request, words : Out(stream), written : In(1), the bus that writes
    starved, blocked : Out(5), a unit waits for input, for output
    stream_fault, operand_fault : Out(1), see `FrontEnd`
    idle : Out(1), no operand and no output is left; progress : Out(1), something moved
    """

    FRONT = (*UNITS, "load_request", "load_data", "stream_request", "stream_data")

    def __init__(self, config: Config) -> None:
        self.config = config
        front, store = FrontEnd(config).signature.members, OutputStore(config)
        members: dict[str, Any] = {name: front[name] for name in self.FRONT}
        members |= {f"{name}_done": Out(1) for name in (*UNITS, "store")}
        members |= {
            "store": In(stream.Signature(fields("STORE"))),
            "write_request": Out(stream.Signature(store.request.p.shape())),
            "words": Out(stream.Signature(store.words.p.shape())),
            "written": In(1),
            "starved": Out(len(UNITS) + 1),
            "blocked": Out(len(UNITS) + 1),
            "stream_fault": Out(1),
            "operand_fault": Out(1),
            "idle": Out(1),
            "progress": Out(1),
        }
        super().__init__(members)

    @property
    def module_name(self) -> str:
        return "engine"

    def build(self) -> Module:
        m = Module()
        config = self.config
        m.submodules.front = front = FrontEnd(config)
        m.submodules.core = core = Core(config)
        m.submodules.output_store = store = OutputStore(config)
        for name in self.FRONT:
            port = getattr(front, name)
            mine = flipped(getattr(self, name))
            connect(m, port, mine)
        for name in core_streams(config):
            source, sink = getattr(front, name), getattr(core, name)
            if name in CUT:
                m.submodules[f"cut_{name}"] = cut = StreamBuffer(source.p.shape())
                connect(m, source, cut.i)
                source = cut.o
            connect(m, source, sink)
        connect(m, core.y, store.y)
        take_fields(m, self.store, store.instruction)
        connect(m, store.request, flipped(self.write_request))
        connect(m, store.words, flipped(self.words))
        stored = core.y.valid & core.y.ready
        sent = self.words.valid & self.words.ready
        m.d.comb += [
            *(getattr(self, f"{name}_done").eq(getattr(front, f"{name}_done")) for name in UNITS),
            store.written.eq(self.written),
            self.store_done.eq(store.done),
            self.stream_fault.eq(front.stream_fault),
            self.operand_fault.eq(front.operand_fault),
            self.starved.eq(Cat(front.starved, ~core.y.valid & ~self.words.valid)),
            self.blocked.eq(Cat(front.blocked, self.words.valid & ~self.words.ready)),
            self.progress.eq(front.progress | stored | sent | store.done),
        ]
        # Row tiles that MATMULs make and STOREs have not taken, in beats of y.
        left = Signal(32)
        begun = self.matmul.valid & self.matmul.ready
        made = Mux(begun, self.matmul.p.row_tiles * (config.rmc.cols // config.lvc.output_tokens), 0)
        m.d.sync += left.eq(left + made - stored)
        m.d.comb += self.idle.eq((left == 0) & front.empty)
        return m
