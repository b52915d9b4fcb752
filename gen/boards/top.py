"""A board's generated hardware at the pins that amaranth-boards knows."""

from __future__ import annotations

from typing import Any

from amaranth.build import Platform
from amaranth.hdl import Elaboratable, Instance, Module, Signal
from amaranth.lib import io

from sevedo.hw.board.clock import BoardClock

from .board import Setting


class PinnedBoard(Elaboratable):
    """The top of a bitstream: clock, module `board` of the generated Verilog, input and output buffers.

    Parameters
    ----------
    setting : the board and how it is used
    """

    def __init__(self, setting: Setting) -> None:
        self.setting = setting

    def elaborate(self, platform: Platform) -> Module:
        """The hardware; asks `platform` for the pins."""
        m = Module()
        setting, board = self.setting, self.setting.board
        m.submodules.clocking = clock = BoardClock(setting.pll, setting.halvings)
        m.submodules.oscillator = pin = io.Buffer("i", platform.request(platform.default_clk, dir="-"))
        serial = platform.request("uart", 0, dir="-")
        m.submodules.rx = rx = io.Buffer("i", serial.rx)
        m.submodules.tx = tx = io.Buffer("o", serial.tx)
        if board.button is not None:
            m.submodules.reset_button = button = io.Buffer("i", platform.request(*board.button, dir="-"))
            m.d.comb += clock.button.eq(button.i)
        lights = Signal(8)
        for index, place in enumerate(board.leds):
            port: Any = platform.request(*place, dir="-")
            m.submodules[f"led_{index}"] = led = io.Buffer("o", port)
            m.d.comb += led.o.eq(lights[index])
        sent = Signal()
        m.d.comb += [clock.pin.eq(pin.i), tx.o.eq(sent)]
        m.submodules.board = Instance(
            "board", i_clk=clock.clock, i_rst=clock.reset, i_rx=rx.i, o_tx=sent, o_lights=lights
        )
        return m
