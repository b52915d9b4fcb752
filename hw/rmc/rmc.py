"""The residual matrix core: an output-stationary array of processing elements with shared coarse-scale units."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import *
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out, connect, flipped

from sevedo.gen.config import Config
from sevedo.hw.core import payloads
from sevedo.hw.float.pipeline import delayed
from sevedo.hw.stream.tile import TileBuffer
from sevedo.hw.unit import Unit

from .csu import CoarseScaleUnit
from .pe import ProcessingElement
from .sequencer import RmcSequencer


class ResidualMatrixCore(Unit):
    """Residual sums of a layer, tile by tile: `rows` x `cols` PEs, a coarse-scale unit for every `share` of a row.

    Timing: a beat a cycle while operands are there and the previous tile's sums are on their way out; what was taken
    is never held up. The sums of a tile are offered `latency` cycles after its last beat was taken.
    Numerics: docs/numerics.md, residual path.

    Parameters
    ----------
    config : sizes and formats

    Members
    -------
    command : In(stream of payloads.command), one for a layer
    x, w : In(stream of payloads.activations, payloads.weights)
    x_scale, w_scale : In(stream of payloads.scales), taken with the last beat of their coarse group
    sums : Out(stream of payloads.residual_sums), `cols / lvc_tokens` beats for a tile, tokens ascending
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        super().__init__(
            {
                "command": In(stream.Signature(payloads.command(config))),
                "x": In(stream.Signature(payloads.activations(config))),
                "x_scale": In(stream.Signature(payloads.scales(config, config.rmc.cols))),
                "w": In(stream.Signature(payloads.weights(config))),
                "w_scale": In(stream.Signature(payloads.scales(config, config.rmc.rows))),
                "sums": Out(stream.Signature(payloads.residual_sums(config))),
            }
        )

    @property
    def module_name(self) -> str:
        return "residual_matrix_core"

    @property
    def _to_capture(self) -> int:
        """From taking the last beat of a coarse group to capturing its sum: the operand register and the PE's own."""
        return ProcessingElement.of(self.config).latency

    @property
    def latency(self) -> int:
        """Cycles from taking the last beat of a tile to the first offer of its sums."""
        return self._to_capture + self.config.csu_share + self._csu().latency + 1

    def _csu(self) -> CoarseScaleUnit:
        config = self.config
        groups = config.groups
        return CoarseScaleUnit(
            config.accumulator_bits, groups.places, groups.scale_format, config.csu_share, config.pipeline
        )

    def build(self) -> Module:
        m = Module()
        config = self.config
        share = config.csu_share
        to_capture = self._to_capture

        m.submodules.sequencer = sequencer = self._sequencer()
        connect(m, flipped(self.command), sequencer.command)
        m.d.comb += [
            sequencer.operands_valid.eq(self.x.valid & self.w.valid),
            sequencer.scales_valid.eq(self.x_scale.valid & self.w_scale.valid),
            self.x.ready.eq(sequencer.take),
            self.w.ready.eq(sequencer.take),
            self.x_scale.ready.eq(sequencer.take & sequencer.last_beat),
            self.w_scale.ready.eq(sequencer.take & sequencer.last_beat),
        ]
        group_end = sequencer.take & sequencer.last_beat

        # Control, delayed along with the data.
        taken = delayed(m, "taken", sequencer.take, 1)
        to_product = 2 + config.pipeline.dot
        first_beat = delayed(m, "first_beat", sequencer.first_beat, to_product)
        promote = delayed(m, "promote", sequencer.promote, to_product)[-1] if config.passes > 1 else None
        ended = delayed(m, "ended", group_end, to_capture)
        capture = ended[-1]
        steps = delayed(m, "step", capture, share)
        stepping = Cat(steps).any()

        x, w = self._operands(m, sequencer.take)
        drained = self._array(m, x, w, taken[0], first_beat[-1], promote, capture)

        # Scales and place of the captured group: they wait from its last beat to its capture.
        place = Cat(sequencer.first_group, sequencer.last_group)
        waiting = Cat(self.x_scale.p, self.w_scale.p, place)
        for stage in range(1 if config.beats >= to_capture else to_capture):
            held = Signal(len(waiting), name=f"scales_{stage}", reset_less=True)
            with m.If(group_end if stage == 0 else 1):
                m.d.sync += held.eq(waiting)
            waiting = held
        width = config.groups.scale_format.width
        x_scales = Signal(width * config.rmc.cols, reset_less=True)
        w_scales = Signal(width * config.rmc.rows, reset_less=True)
        first_group = Signal(reset_less=True)
        last_group = Signal(reset_less=True)
        block = config.rmc.cols // share
        with m.If(capture):
            m.d.sync += Cat(x_scales, w_scales, first_group, last_group).eq(waiting)
        with m.Elif(stepping):
            m.d.sync += x_scales.eq(x_scales >> (width * block))

        m.submodules.sums = sums = TileBuffer(
            config.rmc.rows, config.rmc.cols, block, config.lvc_tokens, config.numbers.sum_format.width
        )
        for row in range(config.rmc.rows):
            for column in range(block):
                m.submodules[f"csu_{row}_{column}"] = csu = self._csu()
                m.d.comb += [
                    csu.sum.eq(drained[row][column]),
                    csu.x_scale.eq(x_scales.word_select(column, width)),
                    csu.w_scale.eq(w_scales.word_select(row, width)),
                    csu.valid.eq(stepping),
                    csu.first.eq(first_group),
                    sums.block[column][row].eq(csu.result),
                ]
        m.d.comb += [
            sums.reserve.eq(group_end & sequencer.last_group),
            sums.write.eq(delayed(m, "done", stepping & last_group, self._csu().latency)[-1]),
            sequencer.room.eq(sums.room),
        ]
        connect(m, sums.tile, flipped(self.sums))
        return m

    def _sequencer(self) -> RmcSequencer:
        return RmcSequencer(self.config.beats, payloads.command(self.config))

    def _operands(self, m: Module, take: Value) -> tuple[Any, Any]:
        """Registers at the edge of the array, shared by a whole row or column of PEs."""
        x = Signal(payloads.activations(self.config), reset_less=True)
        w = Signal(payloads.weights(self.config), reset_less=True)
        with m.If(take):
            m.d.sync += [x.eq(self.x.p), w.eq(self.w.p)]
        return x, w

    def _array(
        self,
        m: Module,
        x: Any,
        w: Any,
        enable: Value,
        first: Value,
        promote: Value | None,
        capture: Value,
    ) -> list[list[Value]]:
        """The PEs, and of every row the heads of its drain chains.

        The chain of a coarse-scale unit takes every `block`-th column, so that the units of a row, side by side,
        give neighbouring tokens in the same cycle.
        """
        config = self.config
        fine = payloads.FINE_FIELD[config.groups.level]
        block = config.rmc.cols // config.csu_share
        heads = []
        for row in range(config.rmc.rows):
            chains: list[Value] = [Const(0, signed(config.accumulator_bits))] * block
            for col in reversed(range(config.rmc.cols)):
                m.submodules[f"pe_{row}_{col}"] = pe = ProcessingElement.of(config)
                m.d.comb += [
                    pe.x_codes.eq(x.codes[col]),
                    pe.w_codes.eq(w.codes[row]),
                    pe.product_enable.eq(enable),
                ]
                if pe.accumulate:
                    m.d.comb += [
                        pe.first.eq(first),
                        pe.capture.eq(capture),
                        pe.drain_in.eq(chains[col % block]),
                    ]
                if promote is not None:
                    m.d.comb += pe.promote.eq(promote)
                if config.groups.activation_fine_bits:
                    m.d.comb += pe.x_fine.eq(x[fine][col])
                if config.groups.weight_fine_bits:
                    m.d.comb += pe.w_fine.eq(w[fine][row])
                chains[col % block] = pe.drain_out
            heads.append(chains)
        return heads
