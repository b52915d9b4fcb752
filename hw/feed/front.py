"""Everything in front of the core: from the words of DRAM to the core's operand streams."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import *
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out, connect, flipped

from sevedo.gen.config import Config
from sevedo.gen.config.operands import operands
from sevedo.hw.control.instruction import fields
from sevedo.hw.core import payloads
from sevedo.hw.memory.activations import ActivationMemory
from sevedo.hw.memory.codes import CodeMemory
from sevedo.hw.memory.operand import OperandBuffer
from sevedo.hw.mover.activation_loader import ActivationLoader
from sevedo.hw.mover.stream_loader import StreamLoader
from sevedo.hw.unit import Unit

from .column_feeder import ColumnFeeder
from .group_feeder import GroupFeeder
from .matmul import MatmulIssuer
from .quantize import QuantizeUnit, digits_made
from .section_feeder import SectionFeeder
from .token_feeder import TokenFeeder

UNITS = ("load", "stream", "quantize", "matmul")
"""What this carries out, in the order of the instruction set."""


def core_streams(config: Config) -> dict[str, Any]:
    """Payloads of all streams that the core takes."""
    rmc = config.rmc
    return {
        "command": payloads.command(config),
        "x": payloads.activations(config),
        "x_scale": payloads.scales(config, rmc.cols),
        "w": payloads.weights(config),
        "w_scale": payloads.scales(config, rmc.rows),
        "token": payloads.numbers(config, rmc.cols),
        "v": payloads.numbers(config, config.lvc.ranks),
        "u": payloads.numbers(config, config.lvc_tiles * rmc.rows),
        "bias": payloads.numbers(config, rmc.rows),
        **payloads.class_operands(config),
    }


class FrontEnd(Unit):
    """LOAD, STREAM, QUANTIZE and MATMUL with their memories: loaders, quantizer, operand buffers, feeders.

    Timing: declared by its parts.
    Numerics: docs/numerics.md, Input and Quantization of a row.

    Parameters
    ----------
    config : sizes and formats

    Members
    -------
    load, stream, quantize, matmul : In(stream of the instruction's fields), <unit>_done : Out(1)
    load_request, stream_request, load_data, stream_data : clients of the bus
    <stream> : Out, each of `core_streams`
    starved, blocked : Out(4), a unit waits for input, for output
    stream_fault : Out(1), the words of a STREAM end within a bundle
    operand_fault : Out(1), a beat was read that a section does not have: MATMUL and STREAM do not agree
    empty : Out(1), no operand is left in a buffer; progress : Out(1), something moved
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        word = unsigned(8 * config.bus.data_bytes)
        members: dict[str, Any] = {}
        for name in UNITS:
            members[name] = In(stream.Signature(fields(name.upper())))
            members[f"{name}_done"] = Out(1)
        loader, streamer = ActivationLoader(config), StreamLoader(config)
        members |= {
            "load_request": Out(stream.Signature(loader.request.p.shape())),
            "load_data": In(stream.Signature(word)),
            "stream_request": Out(stream.Signature(streamer.request.p.shape())),
            "stream_data": In(stream.Signature(word)),
            **{name: Out(stream.Signature(shape)) for name, shape in core_streams(config).items()},
            "starved": Out(len(UNITS)),
            "blocked": Out(len(UNITS)),
            "stream_fault": Out(1),
            "operand_fault": Out(1),
            "empty": Out(1),
            "progress": Out(1),
        }
        super().__init__(members)

    @property
    def module_name(self) -> str:
        return "front_end"

    def build(self) -> Module:
        m = Module()
        config = self.config
        m.submodules.memory = memory = ActivationMemory(config)
        m.submodules.matmul_issuer = issuer = MatmulIssuer(config)
        take_fields(m, self.matmul, issuer.instruction)
        connect(m, issuer.command, flipped(self.command))
        buffers = self._stream(m)
        codes = self._quantize(m, memory)
        self._load(m, memory)
        self._tokens(m, memory, issuer)
        m.submodules.residual_feeder = residual = GroupFeeder(config, projection=False)
        connect(m, issuer.residual, residual.command)
        self._group(m, residual, buffers, codes, "x", "w")
        m.d.comb += [
            issuer.residual_done.eq(residual.done),
            self.matmul_done.eq(issuer.done),
            self.starved[3].eq(residual.starved),
            self.blocked[3].eq(residual.blocked),
        ]
        if config.rank_classes:
            m.submodules.projection_feeder = projection = GroupFeeder(config, projection=True)
            m.submodules.column_feeder = columns = ColumnFeeder(config)
            connect(m, issuer.projection, projection.command)
            connect(m, issuer.columns, columns.command)
            m.d.comb += issuer.projection_done.eq(projection.done)
            self._group(m, projection, buffers, codes, "int_x", "int_v")
            _read(m, columns.u, buffers["int_u"])
            _read(m, columns.u_scale, buffers["int_u_scale"])
            connect(m, columns.columns, flipped(self.int_u))
            connect(m, columns.scales, flipped(self.int_u_scale))
        there = operands(config)
        for name in ("v", "u", "bias"):
            unit = SectionFeeder(there[name], config.lvc_tiles if name == "bias" else None)
            m.submodules[f"{name}_feeder"] = unit
            connect(m, getattr(issuer, name), unit.command)
            _read(m, unit.source, buffers[name])
            out = getattr(self, name)
            m.d.comb += [out.valid.eq(unit.beats.valid), unit.beats.ready.eq(out.ready)]
            m.d.comb += Value.cast(out.p).eq(unit.beats.p)
        moving = [self.load_data, self.stream_data, self.w, self.token, memory.one]
        m.d.comb += [
            self.empty.eq(Cat(each.empty for each in buffers.values()).all()),
            self.progress.eq(
                Cat(
                    *(each.valid & each.ready for each in moving),
                    *(getattr(self, f"{name}_done") for name in UNITS),
                ).any()
            ),
        ]
        return m

    def _tokens(self, m: Module, memory: ActivationMemory, issuer: MatmulIssuer) -> None:
        """x' of the low-rank path."""
        m.submodules.token_feeder = token = TokenFeeder(self.config)
        connect(m, issuer.token, token.command)
        connect(m, token.token, flipped(self.token))
        m.d.comb += issuer.token_done.eq(token.done)
        for name in ("all", "all_row", "all_multiplier_row"):
            m.d.comb += getattr(memory, name).eq(getattr(token, name))
        for name in ("all_numbers", "all_multipliers"):
            m.d.comb += getattr(token, name).eq(getattr(memory, name))

    def _stream(self, m: Module) -> dict[str, OperandBuffer]:
        """STREAM, and the buffers that it fills."""
        config, bus = self.config, 8 * self.config.bus.data_bytes
        m.submodules.stream_loader = loader = StreamLoader(config)
        take_fields(m, self.stream, loader.instruction)
        connect(m, loader.request, flipped(self.stream_request))
        connect(m, flipped(self.stream_data), loader.data)
        buffers, full, beyond = {}, [], []
        for name, operand in operands(config).items():
            m.submodules[f"buffer_{name}"] = buffer = OperandBuffer(operand, bus)
            connect(m, getattr(loader, name), buffer.i)
            full.append(buffer.i.valid & ~buffer.i.ready)
            was_read = Signal(name=f"{name}_was_read")
            m.d.sync += was_read.eq(buffer.enable)
            beyond.append(was_read & buffer.padding)
            buffers[name] = buffer
        m.d.comb += [
            self.stream_done.eq(loader.done),
            self.stream_fault.eq(loader.fault),
            self.operand_fault.eq(Cat(*beyond).any()),
            self.starved[1].eq(~self.stream_data.valid),
            self.blocked[1].eq(Cat(*full).any()),
        ]
        return buffers

    def _load(self, m: Module, memory: ActivationMemory) -> None:
        """LOAD."""
        m.submodules.activation_loader = loader = ActivationLoader(self.config)
        take_fields(m, self.load, loader.instruction)
        connect(m, loader.request, flipped(self.load_request))
        connect(m, flipped(self.load_data), loader.data)
        for name in ("write", "target", "bank", "row", "numbers"):
            m.d.comb += Value.cast(getattr(memory, name)).eq(Value.cast(getattr(loader, name)))
        m.d.comb += [self.load_done.eq(loader.done), self.starved[0].eq(~self.load_data.valid)]

    def _quantize(self, m: Module, memory: ActivationMemory) -> dict[int, CodeMemory]:
        """QUANTIZE, and the memories that it fills: by digits, 3 being a copy of 2 for a second reader."""
        m.submodules.quantize_unit = unit = QuantizeUnit(self.config)
        take_fields(m, self.quantize, unit.instruction)
        connect(m, unit.one, memory.one)
        m.d.comb += [
            unit.one_numbers.eq(memory.one_numbers),
            unit.one_multipliers.eq(memory.one_multipliers),
            self.quantize_done.eq(unit.done),
        ]
        memories = {}
        for digits in digits_made(self.config):
            for copy in range(1 + (digits == 2 and self._wide_twice)):
                memories[digits + copy] = codes = CodeMemory(self.config, digits)
                m.submodules[f"codes_{digits + copy}"] = codes
                for name in (
                    "write",
                    "token",
                    "beat",
                    "codes",
                    "write_scale",
                    "scale_token",
                    "group",
                    "scale",
                ):
                    port = Value.cast(getattr(codes, name))
                    m.d.comb += port.eq(Value.cast(getattr(unit, f"{name}_{digits}")))
        return memories

    @property
    def _wide_twice(self) -> bool:
        """Both paths read codes of two digits."""
        return bool(self.config.rank_classes) and self.config.rmc.activation_passes > 1

    def _group(
        self,
        m: Module,
        feeder: GroupFeeder,
        buffers: dict[str, OperandBuffer],
        codes: dict[int, CodeMemory],
        x: str,
        w: str,
    ) -> None:
        """A feeder between memories and the streams `x`, `w` and their scales."""
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
        for ours, theirs in ((feeder.x, x), (feeder.x_scale, f"{x}_scale")):
            connect(m, ours, flipped(getattr(self, theirs)))
        for ours, theirs in ((feeder.weights, w), (feeder.weight_scales, f"{w}_scale")):
            connect(m, ours, flipped(getattr(self, theirs)))


def take_fields(m: Module, ours: Any, theirs: Any) -> None:
    """An instruction to a unit that takes some of its fields."""
    m.d.comb += [theirs.valid.eq(ours.valid), ours.ready.eq(theirs.ready)]
    m.d.comb += [theirs.p[name].eq(ours.p[name]) for name in theirs.p.shape().members]


def _read(m: Module, port: Any, buffer: OperandBuffer) -> None:
    """A feeder to the operand buffer that it reads."""
    for name in ("offset", "enable", "advance", "step", "last"):
        m.d.comb += getattr(buffer, name).eq(getattr(port, name))
    m.d.comb += [port.available.eq(buffer.available), port.beat.eq(buffer.beat)]
