"""What a design is synthesised for: the cells of a Liberty library, an FPGA family, or Yosys' own gates."""

from __future__ import annotations

from dataclasses import dataclass

from sevedo.gen.synth.library import Library

FPGAS = ("ice40", "ecp5", "gowin", "xilinx")
NAMES = ("generic", *FPGAS, "liberty")


@dataclass(frozen=True)
class Target:
    """A target.

    Members
    -------
    name : one of `NAMES`
    library : the cells of target liberty; None for every other

    Raises
    ------
    ValueError : a name that is none, a library that is missing or that has no use.
    """

    name: str
    library: Library | None = None

    def __post_init__(self) -> None:
        if self.name not in NAMES:
            raise ValueError(f"target={self.name} must be one of {', '.join(NAMES)}")
        if (self.name == "liberty") != (self.library is not None):
            raise ValueError(
                f"target={self.name} must {'' if self.library is None else 'not '}have a library"
            )

    @property
    def fpga(self) -> bool:
        """Whether it is an FPGA family."""
        return self.name in FPGAS
