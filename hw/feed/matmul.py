"""MATMUL: one layer for a tile of tokens, handed to all that take part."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import *
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out, connect, flipped

from sevedo.gen.config import Config
from sevedo.hw.control.instruction import fields
from sevedo.hw.core import payloads
from sevedo.hw.lvc.pair import ClassWalk
from sevedo.hw.stream.buffer import StreamBuffer
from sevedo.hw.unit import Unit

from .column_feeder import column_command
from .group_feeder import group_command
from .section_feeder import section_command
from .token_feeder import token_command


class MatmulIssuer(Unit):
    """Gives each MATMUL to the core and to the feeders, once all of them can queue it, and says when it is done: when
    the feeders that read activations are.

    Timing: the next instruction is taken while the one before is carried out; two wait at each place.

    Parameters
    ----------
    config : sizes and formats

    Members
    -------
    instruction : In(stream of MATMUL's fields)
    done : Out(1)
    command : Out(stream of payloads.command), the core's
    token, residual, v, u, bias : Out(stream), commands of the feeders
    projection, columns : Out(stream), likewise, with integer classes
    token_done, residual_done, projection_done : In(1), a command is carried out
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        members: dict[str, Any] = {
            "instruction": In(stream.Signature(fields("MATMUL"))),
            "done": Out(1),
            "command": Out(stream.Signature(payloads.command(config))),
            "token": Out(stream.Signature(token_command(config))),
            "residual": Out(stream.Signature(group_command(config))),
            **{name: Out(stream.Signature(section_command())) for name in ("v", "u", "bias")},
            "token_done": In(1),
            "residual_done": In(1),
        }
        if config.rank_classes:
            members |= {
                "projection": Out(stream.Signature(group_command(config))),
                "columns": Out(stream.Signature(column_command(config))),
                "projection_done": In(1),
            }
        super().__init__(members)

    @property
    def module_name(self) -> str:
        return "matmul_issuer"

    def build(self) -> Module:
        m = Module()
        config, work = self.config, self.instruction.p
        tiles = config.lvc_tiles
        groups_of_tiles = work.row_tiles if tiles == 1 else (work.row_tiles + (tiles - 1)) // tiles
        given: dict[str, dict[str, Any]] = {
            "command": {
                "coarse_groups": work.groups,
                "inputs": work.inputs,
                "rank": work.rank,
                "rank_blocks": work.rank_blocks,
                "row_tiles": work.row_tiles,
                "col_tiles": 1,
                **{
                    f"{each.name}_{what}": work[f"{each.name}_{what}"]
                    for each in config.rank_classes
                    for what in ("rows", "blocks")
                },
                **({"wide_activations": work.wide_activations} if config.rmc.activation_passes > 1 else {}),
                **({"wide_weights": work.wide_weights} if config.rmc.weight_passes > 1 else {}),
            },
            "token": {
                "row": work.row,
                "multiplier_row": work.multiplier_row,
                "inputs": work.inputs,
                "blocks": work.rank_blocks,
            },
            "residual": {
                "tiles": work.row_tiles,
                "groups": work.groups,
                "group": work.group,
                "wide_x": work.wide_activations,
                "wide_w": work.wide_weights,
            },
            "v": {"sections": work.rank_blocks, "count": work.inputs},
            "u": {"sections": groups_of_tiles, "count": work.rank},
            "bias": {"sections": 1, "count": work.row_tiles},
        }
        if config.rank_classes:
            given["columns"] = {
                "row_tiles": work.row_tiles,
                **{f"{each.name}_blocks": work[f"{each.name}_blocks"] for each in config.rank_classes},
            }
        queues = {}
        for name, values in given.items():
            out = getattr(self, name)
            m.submodules[f"{name}_queue"] = queue = StreamBuffer(out.p.shape())
            connect(m, queue.o, flipped(out))
            m.d.comb += [queue.i.p[field].eq(value) for field, value in values.items()]
            queues[name] = queue
        if config.rank_classes:
            m.submodules.projection_queue = queues["projection"] = StreamBuffer(work.shape())
            m.d.comb += queues["projection"].i.p.eq(work)
            passed = self._projection(m, queues["projection"])
        ready = Cat(queue.i.ready for queue in queues.values()).all()
        m.d.comb += self.instruction.ready.eq(ready)
        m.d.comb += [queue.i.valid.eq(self.instruction.valid & ready) for queue in queues.values()]

        # Done is what all of them have done; one may be ahead by what waits at its place and one more.
        ahead = []
        finished = [("token", self.token_done), ("residual", self.residual_done)]
        if config.rank_classes:
            finished.append(("projection", passed))
        for name, pulse in finished:
            count = Signal(3, name=f"{name}_ahead")
            m.d.sync += count.eq(count + pulse - self.done)
            ahead.append(count != 0)
        m.d.comb += self.done.eq(Cat(*ahead).all())
        return m

    def _projection(self, m: Module, queue: StreamBuffer) -> Value:
        """A command for each class that the layer has; whether all of them are carried out."""
        config, work = self.config, queue.o.p
        rows = [work[f"{each.name}_rows"] for each in config.rank_classes]
        walk = ClassWalk.build(m, rows, self.projection_done)
        m.d.comb += [
            self.projection.valid.eq(queue.o.valid & walk.any),
            self.projection.p.tiles.eq(walk.of(rows)),
            self.projection.p.groups.eq(work.groups),
            self.projection.p.group.eq(work.group),
            self.projection.p.wide_x.eq(1),
            self.projection.p.wide_w.eq(walk.of([each.digits - 1 for each in config.rank_classes])),
        ]
        # The feeder takes a command when it is carried out.
        passed = queue.o.valid & (~walk.any | (self.projection_done & walk.last))
        m.d.comb += queue.o.ready.eq(passed)
        return passed
