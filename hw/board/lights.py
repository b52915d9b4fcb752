"""What a board shows on its LEDs."""

from __future__ import annotations

from amaranth.hdl import *
from amaranth.lib.wiring import In, Out

from sevedo.hw.unit import Unit


class Lights(Unit):
    """Lights for eight LEDs; a board with fewer has the first.

    0 the self-test: on when it passed, blinking fast when it failed, off before its end; 1 the clock: blinking slowly;
    2 a program runs; 3 the processor has something to say: its interrupt; 4 a frame came; 5 a damaged one came;
    6 the self-test passed; 7 it failed.

    Timing: registers. What happens in a cycle is shown for 2^`HELD` cycles at least.
    Numerics: none.

    Parameters
    ----------
    clock_hz : of the clock; the slow blink takes one to two seconds

    Members
    -------
    passed, failed, runs, interrupt, good, bad : In(1)
    lights : Out(8), 1 is on
    """

    COUNT = 8
    HELD = 20

    def __init__(self, clock_hz: int) -> None:
        self.clock_hz = clock_hz
        members: dict = {name: In(1) for name in ("passed", "failed", "runs", "interrupt", "good", "bad")}
        super().__init__(members | {"lights": Out(self.COUNT)})

    @property
    def module_name(self) -> str:
        return f"lights_{self.slow}"

    @property
    def slow(self) -> int:
        """The bit of a counter of cycles that blinks slowly."""
        return max((self.clock_hz - 1).bit_length() - 1, self.HELD)

    def build(self) -> Module:
        m = Module()
        count = Signal(self.slow + 1)
        m.d.sync += count.eq(count + 1)
        fast = count[self.slow - 3]
        held = []
        for name in ("good", "bad"):
            left = Signal(self.HELD, name=f"{name}_left")
            m.d.sync += left.eq(Mux(getattr(self, name), ~0, left - left.any()))
            held.append(left.any())
        m.d.sync += self.lights.eq(
            Cat(
                self.passed | (self.failed & fast), count[self.slow], self.runs, self.interrupt,
                *held, self.passed, self.failed,
            )
        )  # fmt: skip
        return m
