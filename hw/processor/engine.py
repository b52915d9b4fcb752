"""All that carries out instructions: loaders, memories, quantizer, feeders, core, store."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import *
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out, connect, flipped

from sevedo.gen.config import Config
from sevedo.gen.config.operands import operands
from sevedo.hw.control.controller import NAMES, UNITS
from sevedo.hw.control.instruction import fields
from sevedo.hw.core.core import Core
from sevedo.hw.feed.column_feeder import ColumnFeeder
from sevedo.hw.feed.group_feeder import GroupFeeder
from sevedo.hw.feed.matmul import MatmulIssuer
from sevedo.hw.feed.quantize import QuantizeUnit, digits_made
from sevedo.hw.feed.section_feeder import SectionFeeder
from sevedo.hw.feed.token_feeder import TokenFeeder
from sevedo.hw.memory.activations import ActivationMemory
from sevedo.hw.memory.codes import CodeMemory
from sevedo.hw.memory.operand import OperandBuffer
from sevedo.hw.mover.activation_loader import ActivationLoader
from sevedo.hw.mover.output_store import OutputStore
from sevedo.hw.mover.stream_loader import StreamLoader
from sevedo.hw.unit import Unit

READS = ("offset", "enable", "advance", "step", "last")


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
    stream_fault : Out(1)
    idle : Out(1), no operand and no output is left; progress : Out(1), something moved
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self._loader, self._streamer, self._store = (
            ActivationLoader(config), StreamLoader(config), OutputStore(config),
        )  # fmt: skip
        word = unsigned(8 * config.bus.data_bytes)
        members: dict[str, Any] = {}
        for name in NAMES:
            members[name] = In(stream.Signature(fields(name.upper())))
            members[f"{name}_done"] = Out(1)
        members |= {
            "load_request": Out(stream.Signature(self._loader.request.p.shape())),
            "load_data": In(stream.Signature(word)),
            "stream_request": Out(stream.Signature(self._streamer.request.p.shape())),
            "stream_data": In(stream.Signature(word)),
            "write_request": Out(stream.Signature(self._store.request.p.shape())),
            "words": Out(stream.Signature(self._store.words.p.shape())),
            "written": In(1),
            "starved": Out(len(UNITS)),
            "blocked": Out(len(UNITS)),
            "stream_fault": Out(1),
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
        m.submodules.core = core = Core(config)
        m.submodules.memory = memory = ActivationMemory(config)
        m.submodules.matmul_issuer = issuer = MatmulIssuer(config)
        _fields(m, self.matmul, issuer.instruction)
        connect(m, issuer.command, core.command)
        buffers = self._stream(m)
        codes = self._quantize(m, memory)
        self._load(m, memory)

        m.submodules.token_feeder = token = TokenFeeder(config)
        m.submodules.residual_feeder = residual = GroupFeeder(config, projection=False)
        connect(m, issuer.token, token.command)
        connect(m, issuer.residual, residual.command)
        connect(m, token.token, core.token)
        m.d.comb += [issuer.token_done.eq(token.done), issuer.residual_done.eq(residual.done)]
        for name in ("all", "all_row", "all_multiplier_row"):
            m.d.comb += getattr(memory, name).eq(getattr(token, name))
        for name in ("all_numbers", "all_multipliers"):
            m.d.comb += getattr(token, name).eq(getattr(memory, name))
        self._group(m, residual, buffers, codes, core, {"x": "x", "w": "w"})
        if config.rank_classes:
            m.submodules.projection_feeder = projection = GroupFeeder(config, projection=True)
            m.submodules.column_feeder = columns = ColumnFeeder(config)
            connect(m, issuer.projection, projection.command)
            connect(m, issuer.columns, columns.command)
            m.d.comb += issuer.projection_done.eq(projection.done)
            self._group(m, projection, buffers, codes, core, {"x": "int_x", "w": "int_v"})
            _read(m, columns.u, buffers["int_u"])
            _read(m, columns.u_scale, buffers["int_u_scale"])
            connect(m, columns.columns, core.int_u)
            connect(m, columns.scales, core.int_u_scale)
        there = operands(config)
        for name in ("v", "u", "bias"):
            unit = SectionFeeder(there[name], config.lvc_tiles if name == "bias" else None)
            m.submodules[f"{name}_feeder"] = unit
            connect(m, getattr(issuer, name), unit.command)
            _read(m, unit.source, buffers[name])
            _words(m, unit.beats, getattr(core, name))
        left = self._outputs(m, core)

        wanted = self.matmul_done
        m.d.comb += [
            wanted.eq(issuer.done),
            self.starved[3].eq(residual.starved),
            self.blocked[3].eq(residual.blocked),
            self.idle.eq(~left & Cat(each.empty for each in buffers.values()).all()),
            self.progress.eq(
                Cat(
                    self.load_data.valid & self.load_data.ready,
                    self.stream_data.valid & self.stream_data.ready,
                    self.words.valid & self.words.ready,
                    core.w.valid & core.w.ready,
                    core.y.valid & core.y.ready,
                    core.token.valid & core.token.ready,
                    memory.one.valid & memory.one.ready,
                    *(getattr(self, f"{name}_done") for name in NAMES),
                ).any()
            ),
        ]
        return m

    def _stream(self, m: Module) -> dict[str, OperandBuffer]:
        """STREAM, and the buffers that it fills."""
        config, bus = self.config, 8 * self.config.bus.data_bytes
        m.submodules.stream_loader = loader = StreamLoader(config)
        _fields(m, self.stream, loader.instruction)
        connect(m, loader.request, flipped(self.stream_request))
        connect(m, flipped(self.stream_data), loader.data)
        buffers, room = {}, []
        for name, operand in operands(config).items():
            m.submodules[f"buffer_{name}"] = buffer = OperandBuffer(operand, bus)
            connect(m, getattr(loader, name), buffer.i)
            room.append(buffer.i.valid & ~buffer.i.ready)
            buffers[name] = buffer
        m.d.comb += [
            self.stream_done.eq(loader.done),
            self.stream_fault.eq(loader.fault),
            self.starved[1].eq(~self.stream_data.valid),
            self.blocked[1].eq(Cat(*room).any()),
        ]
        return buffers

    def _load(self, m: Module, memory: ActivationMemory) -> None:
        """LOAD."""
        m.submodules.activation_loader = loader = ActivationLoader(self.config)
        _fields(m, self.load, loader.instruction)
        connect(m, loader.request, flipped(self.load_request))
        connect(m, flipped(self.load_data), loader.data)
        for name in ("write", "target", "bank", "row", "numbers"):
            m.d.comb += Value.cast(getattr(memory, name)).eq(Value.cast(getattr(loader, name)))
        m.d.comb += [self.load_done.eq(loader.done), self.starved[0].eq(~self.load_data.valid)]

    def _quantize(self, m: Module, memory: ActivationMemory) -> dict[int, CodeMemory]:
        """QUANTIZE, and the memories that it fills."""
        m.submodules.quantize_unit = unit = QuantizeUnit(self.config)
        _fields(m, self.quantize, unit.instruction)
        connect(m, unit.one, memory.one)
        m.d.comb += [
            unit.one_numbers.eq(memory.one_numbers),
            unit.one_multipliers.eq(memory.one_multipliers),
            self.quantize_done.eq(unit.done),
        ]
        names = ("write", "token", "beat", "codes", "write_scale", "scale_token", "group", "scale")
        memories = {}
        for digits in digits_made(self.config):
            # Codes of two digits have two readers where both paths take them.
            for copy in range(1 + (digits == 2 and self._wide_twice)):
                codes = CodeMemory(self.config, digits)
                m.submodules[f"codes_{digits}_{copy}"] = codes
                for name in names:
                    m.d.comb += Value.cast(getattr(codes, name)).eq(
                        Value.cast(getattr(unit, f"{name}_{digits}"))
                    )
                memories[digits + copy] = codes
        return memories

    @property
    def _wide_twice(self) -> bool:
        return bool(self.config.rank_classes) and self.config.rmc.activation_passes > 1

    def _group(
        self,
        m: Module,
        feeder: GroupFeeder,
        buffers: dict[str, OperandBuffer],
        codes: dict[int, CodeMemory],
        core: Core,
        names: dict[str, str],
    ) -> None:
        """A feeder between memories and the array that it feeds."""
        x, w = names["x"], names["w"]
        sources = [(codes[2 if feeder.projection else 1], "")]
        if feeder.wide:
            sources.append((codes[3 if self._wide_twice else 2], "wide_"))
        for memory, prefix in sources:
            m.d.comb += [
                memory.read.eq(feeder.read),
                memory.read_beat.eq(feeder.read_beat),
                memory.read_scale.eq(feeder.read_scale),
                memory.read_group.eq(feeder.read_group),
                getattr(feeder, f"{prefix}beats").eq(memory.beats),
                getattr(feeder, f"{prefix}scales").eq(memory.scales),
            ]
        for name in feeder.operands:
            _read(m, getattr(feeder, name), buffers[f"{w}{name[1:]}"])
        for ours, theirs in (
            ("x", x),
            ("x_scale", f"{x}_scale"),
            ("weights", w),
            ("weight_scales", f"{w}_scale"),
        ):
            connect(m, getattr(feeder, ours), getattr(core, theirs))

    def _outputs(self, m: Module, core: Core) -> Value:
        """STORE; whether outputs of row tiles are still to come, or to go."""
        config = self.config
        m.submodules.output_store = store = OutputStore(config)
        _fields(m, self.store, store.instruction)
        connect(m, core.y, store.y)
        connect(m, store.request, flipped(self.write_request))
        connect(m, store.words, flipped(self.words))
        m.d.comb += [
            store.written.eq(self.written),
            self.store_done.eq(store.done),
            self.starved[4].eq(~core.y.valid & ~self.words.valid),
            self.blocked[4].eq(self.words.valid & ~self.words.ready),
        ]
        # Row tiles that MATMULs make and STOREs have not taken, in beats of y.
        beats = config.rmc.cols // config.lvc.output_tokens
        left = Signal(32)
        begun = self.matmul.valid & self.matmul.ready
        m.d.sync += left.eq(
            left + Mux(begun, self.matmul.p.row_tiles * beats, 0) - (core.y.valid & core.y.ready)
        )
        return left != 0


def _fields(m: Module, ours: Any, theirs: Any) -> None:
    """An instruction to a unit that takes some of its fields."""
    m.d.comb += [theirs.valid.eq(ours.valid), ours.ready.eq(theirs.ready)]
    m.d.comb += [theirs.p[name].eq(ours.p[name]) for name in theirs.p.shape().members]


def _read(m: Module, port: Any, buffer: OperandBuffer) -> None:
    """A feeder to the operand buffer that it reads."""
    m.d.comb += [getattr(buffer, name).eq(getattr(port, name)) for name in READS]
    m.d.comb += [port.available.eq(buffer.available), port.beat.eq(buffer.beat)]


def _words(m: Module, ours: Any, theirs: Any) -> None:
    """A stream of plain bits to one with a layout of as many."""
    m.d.comb += [
        theirs.valid.eq(ours.valid),
        ours.ready.eq(theirs.ready),
        Value.cast(theirs.p).eq(ours.p),
    ]
