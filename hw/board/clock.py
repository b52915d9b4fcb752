"""The clock of a board, and its reset."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import *
from amaranth.lib import wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

from .pll import Ecp5Pll


class BoardClock(wiring.Component):
    """From the pin of the oscillator to clock and reset: through a PLL, or divided by a power of two, or as it is.

    It is no `Unit`: it belongs to one board's pins, and the PLL's attributes must reach the place and route tool.

    Timing: reset ends 2^`SETTLE` cycles after the PLL has locked and the button was let go; it begins at once, in step
    with the clock.
    Numerics: none.

    Parameters
    ----------
    pll : None for none
    halvings : how often the frequency is halved, without a PLL

    Members
    -------
    pin : In(1), the oscillator; button : In(1), 1 resets
    clock : Out(1); reset : Out(1)
    """

    SETTLE = 6

    def __init__(self, pll: Ecp5Pll | None = None, halvings: int = 0) -> None:
        if halvings < 0 or (pll is not None and halvings):
            raise ValueError(f"halvings={halvings} must be 0 with a PLL, and never negative")
        self.pll, self.halvings = pll, halvings
        super().__init__({"pin": In(1), "button": In(1), "clock": Out(1), "reset": Out(1)})

    def elaborate(self, platform: Any) -> Module:
        """The hardware."""
        m = Module()
        locked = Signal()
        m.domains.run = ClockDomain(reset_less=True, local=True)
        if self.pll is not None:
            m.submodules.pll = _ehxplll(self.pll, self.pin, self.clock, locked)
        elif self.halvings:
            m.domains.pin = ClockDomain(reset_less=True, local=True)
            count = Signal(self.halvings)
            m.d.comb += [ClockSignal("pin").eq(self.pin), self.clock.eq(count[-1]), locked.eq(1)]
            m.d["pin"] += count.eq(count + 1)
        else:
            m.d.comb += [self.clock.eq(self.pin), locked.eq(1)]
        wanted = Signal()
        steady = Signal(self.SETTLE + 1)
        m.submodules.synchronizer = FFSynchronizer(~locked | self.button, wanted, o_domain="run", init=1)
        m.d.comb += [ClockSignal("run").eq(self.clock), self.reset.eq(~steady[-1])]
        with m.If(wanted):
            m.d["run"] += steady.eq(0)
        with m.Elif(~steady[-1]):
            m.d["run"] += steady.eq(steady + 1)
        return m


def _ehxplll(pll: Ecp5Pll, pin: Value, clock: Value, locked: Value) -> Instance:
    """The primitive; all other outputs and the dynamic phase are off (FPGA-TN-02200)."""
    off = dict.fromkeys(
        (
            "RST",
            "STDBY",
            "PHASESEL0",
            "PHASESEL1",
            "PHASEDIR",
            "PHASESTEP",
            "PHASELOADREG",
            "PLLWAKESYNC",
            "ENCLKOP",
        ),
        0,
    )
    return Instance(
        "EHXPLLL",
        a_FREQUENCY_PIN_CLKI=f"{pll.input_hz / 1e6:g}",
        a_FREQUENCY_PIN_CLKOP=f"{float(pll.hz) / 1e6:g}",
        a_ICP_CURRENT="12",
        a_LPF_RESISTOR="8",
        a_MFG_ENABLE_FILTEROPAMP="1",
        a_MFG_GMCREF_SEL="2",
        p_PLLRST_ENA="DISABLED",
        p_INTFB_WAKE="DISABLED",
        p_STDBY_ENABLE="DISABLED",
        p_DPHASE_SOURCE="DISABLED",
        p_OUTDIVIDER_MUXA="DIVA",
        p_CLKOP_ENABLE="ENABLED",
        p_CLKOP_DIV=pll.output_divider,
        p_CLKOP_CPHASE=pll.output_divider // 2,
        p_CLKOP_FPHASE=0,
        p_CLKI_DIV=pll.input_divider,
        p_CLKFB_DIV=pll.feedback_divider,
        p_FEEDBK_PATH="CLKOP",
        i_CLKI=pin,
        i_CLKFB=clock,
        o_CLKOP=clock,
        o_LOCK=locked,
        **{f"i_{name}": value for name, value in off.items()},
    )
