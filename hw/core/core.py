"""The core: one linear layer from operand streams to outputs."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out, connect, flipped

from sevedo.gen.config import Config
from sevedo.hw.lvc.finisher import Finisher
from sevedo.hw.lvc.lvc import LowRankVectorCore
from sevedo.hw.rmc.rmc import ResidualMatrixCore
from sevedo.hw.stream.buffer import StreamBuffer
from sevedo.hw.stream.queue import TileQueue
from sevedo.hw.unit import Unit

from . import payloads


class Core(Unit):
    """Residual matrix core and low-rank vector core side by side on the tiles of a layer.

    Both get every command; they meet where the vector core takes the residual sums.

    Timing: declared by the two cores. A command is taken once all parts can queue it.
    Numerics: docs/numerics.md; Y = DATA((y + L) + bias).

    Parameters
    ----------
    config : sizes and formats

    Members
    -------
    command : In(stream of payloads.command), one for a layer
    x, x_scale, w, w_scale : In(stream), residual operands
    token, v, u, bias : In(stream), low-rank operands and bias
    int_x, int_x_scale, int_v, int_v_scale, int_u, int_u_scale : In(stream), operands of integer classes, with these
    y : Out(stream), outputs; see payloads for what the beats hold and their order
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        rows, cols = config.rmc.rows, config.rmc.cols
        super().__init__(
            {
                "command": In(stream.Signature(payloads.command(config))),
                "x": In(stream.Signature(payloads.activations(config))),
                "x_scale": In(stream.Signature(payloads.scales(config, cols))),
                "w": In(stream.Signature(payloads.weights(config))),
                "w_scale": In(stream.Signature(payloads.scales(config, rows))),
                "token": In(stream.Signature(payloads.numbers(config, cols))),
                "v": In(stream.Signature(payloads.numbers(config, config.lvc.ranks))),
                "u": In(stream.Signature(payloads.numbers(config, config.lvc_tiles * rows))),
                "bias": In(stream.Signature(payloads.numbers(config, rows))),
                "y": Out(stream.Signature(payloads.outputs(config))),
            }
            | {name: In(stream.Signature(shape)) for name, shape in payloads.class_operands(config).items()}
        )

    @property
    def module_name(self) -> str:
        return "core"

    @property
    def latency(self) -> int:
        """Cycles from the last beat of a layer's last tile to its first output, the low-rank path keeping up."""
        return ResidualMatrixCore(self.config).latency + TileQueue.LATENCY + Finisher(self.config).latency

    def build(self) -> Module:
        m = Module()
        m.submodules.rmc = rmc = ResidualMatrixCore(self.config)
        m.submodules.lvc = lvc = LowRankVectorCore(self.config)
        m.submodules.rmc_command = rmc_command = StreamBuffer(payloads.command(self.config))
        both = rmc_command.i.ready & lvc.command.ready
        m.d.comb += [
            rmc_command.i.p.eq(self.command.p),
            lvc.command.p.eq(self.command.p),
            rmc_command.i.valid.eq(self.command.valid & both),
            lvc.command.valid.eq(self.command.valid & rmc_command.i.ready),
            self.command.ready.eq(both),
        ]
        connect(m, rmc_command.o, rmc.command)
        for name in ("x", "x_scale", "w", "w_scale"):
            connect(m, flipped(getattr(self, name)), getattr(rmc, name))
        for name in ("token", "v", "u", "bias", *payloads.class_operands(self.config)):
            connect(m, flipped(getattr(self, name)), getattr(lvc, name))
        connect(m, rmc.sums, lvc.sums)
        connect(m, lvc.y, flipped(self.y))
        return m
