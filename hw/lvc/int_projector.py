"""The first product of the integer classes."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out, connect, flipped

from sevedo.gen.config import Config
from sevedo.hw.core import payloads
from sevedo.hw.rmc.rmc import ResidualMatrixCore
from sevedo.hw.rmc.sequencer import RmcSequencer
from sevedo.hw.unit import Unit

from .pair import ClassWalk


class ProjectionSequencer(RmcSequencer):
    """As `RmcSequencer`, in a module of its own."""

    @property
    def module_name(self) -> str:
        return "projection_sequencer"


class ProjectionArray(ResidualMatrixCore):
    """A residual matrix core of `int_ranks` rows, for `Config.projection`: its weights are V, its sums are z.

    Timing, Numerics, Parameters, Members: `ResidualMatrixCore`. A beat of `sums` is one token.
    """

    @property
    def module_name(self) -> str:
        return "projection_array"

    def _sequencer(self) -> RmcSequencer:
        return ProjectionSequencer(self.config.beats, payloads.command(self.config))


class IntegerProjector(Unit):
    """z = V x' of the integer classes, before it becomes codes: for every column tile and class a layer of the array.

    It runs ahead of everything else, into the next column tile and the next layer, as far as operands and room for
    sums go. Layers without integer classes pass without a step.

    Timing: that of `ResidualMatrixCore`; layers of the array follow each other without a gap.
    Numerics: docs/numerics.md, low-rank path, integer classes.

    Parameters
    ----------
    config : sizes and formats, with integer classes

    Members
    -------
    command : In(stream of payloads.command), one for a layer
    x, x_scale, v, v_scale : In(stream), see payloads.class_operands (`int_x` and so on)
    z : Out(stream of ArrayLayout(ArrayLayout(32, int_ranks), 1)), FP32: `cols` tokens for every block of ranks
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        operands = payloads.class_operands(config)
        super().__init__(
            {
                "command": In(stream.Signature(payloads.command(config))),
                **{
                    name: In(stream.Signature(operands[f"int_{name}"]))
                    for name in ("x", "x_scale", "v", "v_scale")
                },
                "z": Out(stream.Signature(payloads.residual_sums(config.projection))),
            }
        )

    @property
    def module_name(self) -> str:
        return "integer_projector"

    @property
    def latency(self) -> int:
        """Cycles from taking the last beat of a block of ranks to the first offer of its z."""
        return ProjectionArray(self.config.projection).latency

    def build(self) -> Module:
        m = Module()
        classes, layer = self.config.rank_classes, self.command.p
        m.submodules.array = array = ProjectionArray(self.config.projection)
        for theirs, ours in (("x", "x"), ("x_scale", "x_scale"), ("w", "v"), ("w_scale", "v_scale")):
            connect(m, flipped(getattr(self, ours)), getattr(array, theirs))
        connect(m, array.sums, flipped(self.z))

        col_tile = Signal.like(layer.col_tiles)
        done = Signal()
        rows = [layer[f"{each.name}_rows"] for each in classes]
        walk = ClassWalk.build(m, rows, done)
        last_col = col_tile + 1 == layer.col_tiles
        command = array.command
        m.d.comb += [
            command.valid.eq(self.command.valid & walk.any),
            command.p.coarse_groups.eq(layer.coarse_groups),
            command.p.row_tiles.eq(walk.of(rows)),
            command.p.col_tiles.eq(1),
            command.p.wide_activations.eq(1),
            done.eq(command.valid & command.ready),
            self.command.ready.eq(~walk.any | (done & walk.last & last_col)),
        ]
        if "wide_weights" in command.p.shape().members:
            m.d.comb += command.p.wide_weights.eq(walk.of([each.digits - 1 for each in classes]))
        with m.If(done & walk.last):
            m.d.sync += col_tile.eq(Mux(last_col, 0, col_tile + 1))
        return m
