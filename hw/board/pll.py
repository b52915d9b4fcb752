"""The phase-locked loop of the ECP5: which dividers make a frequency."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

VCO = 400_000_000, 800_000_000
"""Range of the oscillator, Hz (Lattice FPGA-DS-02012, table 3.21; FPGA-TN-02200)."""
DETECTOR = 3_125_000, 400_000_000
"""Range of the phase detector's input, Hz."""


class PllError(ValueError):
    """A frequency that cannot be made. The message is one line."""


@dataclass(frozen=True)
class Ecp5Pll:
    """Dividers of an EHXPLLL with feedback from CLKOP.

    Members
    -------
    input_hz : of the clock that comes in
    input_divider, feedback_divider, output_divider : 1 to 128, 1 to 80, 1 to 128
    """

    input_hz: int
    input_divider: int
    feedback_divider: int
    output_divider: int

    @property
    def hz(self) -> Fraction:
        """The frequency that comes out."""
        return Fraction(self.input_hz * self.feedback_divider, self.input_divider)

    @property
    def vco_hz(self) -> Fraction:
        """The frequency of the oscillator."""
        return self.hz * self.output_divider

    @classmethod
    def nearest(cls, input_hz: int, wanted_hz: int) -> Ecp5Pll:
        """The dividers for the highest frequency that is not above `wanted_hz`, the oscillator near the middle.

        Raises
        ------
        PllError : when none is within 25 % of it.
        """
        middle = sum(VCO) // 2
        found: tuple[Fraction, int, Ecp5Pll] | None = None
        for divider in range(1, 129):
            if not DETECTOR[0] * divider <= input_hz <= DETECTOR[1] * divider:
                continue
            feedback = min(wanted_hz * divider // input_hz, 80)
            if feedback < 1:
                continue
            made = Fraction(input_hz * feedback, divider)
            lowest, highest = -(-VCO[0] // made), min(VCO[1] // made, 128)
            if lowest > highest:
                continue
            output = min(max(round(middle / made), lowest), highest)
            if found is None or made > found[0]:
                found = made, divider, cls(input_hz, divider, feedback, int(output))
        if found is None or found[0] < Fraction(3, 4) * wanted_hz:
            raise PllError(
                f"clock={wanted_hz / 1e6:g} MHz must be one that the PLL makes of {input_hz / 1e6:g} MHz: "
                f"{DETECTOR[0] / 1e6:g} to {DETECTOR[1] / 1e6:g} MHz, in steps"
            )
        return found[2]
