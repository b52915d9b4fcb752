"""Quantized activations: codes, numbers of fine groups and scales of the tokens of a tile."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib import data
from amaranth.lib.wiring import In, Out

from sevedo.gen.config import Config
from sevedo.gen.config.instructions import code_groups
from sevedo.hw.core import payloads
from sevedo.hw.quantizer.coder import code_beats
from sevedo.hw.quantizer.rule import ActivationRule
from sevedo.hw.unit import Unit

from .block import BlockMemory


class CodeMemory(Unit):
    """A bank of codes and one of scales for each token of a tile: written token by token, read for all at once.

    Timing: a write of each kind and a read of each kind a cycle; what is read is there from the next cycle until the
    next read of its kind.
    Numerics: none, bits are moved.

    Parameters
    ----------
    config : sizes and formats
    digits : of a code

    Members
    -------
    write, token, beat, codes : In, `codes` (code_beats) are the token's at `beat`, counted over all groups there are
    write_scale, scale_token, group, scale : In, the same of scales
    read : In(1), read_beat : In
    beats : Out(ArrayLayout(code_beats, cols))
    read_scale : In(1), read_group : In
    scales : Out(payloads.scales, cols)
    """

    def __init__(self, config: Config, digits: int) -> None:
        self.config = config
        self.digits = digits
        cols = config.rmc.cols
        codes = code_beats(ActivationRule.of(config, digits), config.rmc.lanes)
        beat, group, token = (max((n - 1).bit_length(), 1) for n in (self.depth, code_groups(config), cols))
        super().__init__(
            {
                "write": In(1),
                "token": In(token),
                "beat": In(beat),
                "codes": In(codes),
                "write_scale": In(1),
                "scale_token": In(token),
                "group": In(group),
                "scale": In(config.groups.scale_format.width),
                "read": In(1),
                "read_beat": In(beat),
                "beats": Out(data.ArrayLayout(codes, cols)),
                "read_scale": In(1),
                "read_group": In(group),
                "scales": Out(payloads.scales(config, cols)),
            }
        )

    @property
    def depth(self) -> int:
        """Beats of a bank."""
        return code_groups(self.config) * self.config.beats

    @property
    def module_name(self) -> str:
        return f"code_memory_{self.digits}"

    def build(self) -> Module:
        m = Module()
        config = self.config
        for token in range(config.rmc.cols):
            m.submodules[f"codes_{token}"] = codes = BlockMemory(len(Value.cast(self.codes)), self.depth)
            m.submodules[f"scales_{token}"] = scales = BlockMemory(len(self.scale), code_groups(config))
            m.d.comb += [
                codes.w_en.eq(self.write & (self.token == token)),
                codes.w_addr.eq(self.beat),
                codes.w_data.eq(self.codes),
                codes.r_en.eq(self.read),
                codes.r_addr.eq(self.read_beat),
                Value.cast(self.beats[token]).eq(codes.r_data),
                scales.w_en.eq(self.write_scale & (self.scale_token == token)),
                scales.w_addr.eq(self.group),
                scales.w_data.eq(self.scale),
                scales.r_en.eq(self.read_scale),
                scales.r_addr.eq(self.read_group),
                self.scales[token].eq(scales.r_data),
            ]
        return m
