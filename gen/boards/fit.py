"""Whether a netlist fits a device: counted before place and route begins."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sevedo.gen.synth.fpga import FAMILIES

from .board import BoardError

_LARGE_RAM = "SB_SPRAM256KA"

SHOWN = {
    "luts": "LUTs",
    "flip_flops": "flip-flops",
    "dsps": "multipliers",
    "block_rams": "block RAMs",
    "large_rams": "single-port RAMs",
}
"""How a resource is called."""


class FitError(BoardError):
    """A design is larger than its device. The message names resource and overrun."""


@dataclass(frozen=True)
class Usage:
    """What a netlist takes of a device.

    Members
    -------
    used : by resource; a multiplier that is half of one counts so
    there : what the device has, by resource
    """

    used: Mapping[str, float]
    there: Mapping[str, int]

    def share(self, resource: str) -> float:
        """Part of what there is."""
        return self.used[resource] / self.there[resource]

    def data(self) -> dict[str, dict[str, float]]:
        """Plain data."""
        return {
            name: {
                "used": self.used[name],
                "available": there,
                "percent": round(100 * self.used[name] / there, 1),
            }
            for name, there in self.there.items()
        }

    def check(self, board: str) -> None:
        """Refuse what does not fit.

        Raises
        ------
        FitError : every resource that there is too little of.
        """
        over = [
            f"{self.used[name]:g} {SHOWN[name]}, {self.used[name] - there:g} more than the {there} there are "
            f"({100 * self.used[name] / there:.0f} %)"
            for name, there in self.there.items()
            if self.used[name] > there
        ]
        if over:
            raise FitError(
                f"the design does not fit {board}: it takes {'; '.join(over)}; a smaller configuration helps"
            )


def usage(stat: Path, family: str, there: Mapping[str, int]) -> Usage:
    """Count the cells of what ``stat -json`` told, all modules being flat.

    Raises
    ------
    BoardError : it is no such file.
    """
    try:
        told = json.loads(stat.read_text())["design"]["num_cells_by_type"]
    except (OSError, ValueError, KeyError, TypeError):
        raise BoardError(f"{stat} holds no figures of yosys") from None
    counts = {name: int(each["count"] if isinstance(each, dict) else each) for name, each in told.items()}
    figures = FAMILIES[family].figures(counts)
    counted = {
        "luts": figures.luts, "flip_flops": figures.flip_flops, "dsps": figures.dsps,
        "block_rams": figures.block_rams, "large_rams": counts.get(_LARGE_RAM, 0),
    }  # fmt: skip
    used: dict[str, float] = {name: _plain(count or 0.0) for name, count in counted.items()}
    # A device has a flip-flop for each LUT.
    return Usage(used, {**there, "flip_flops": there["luts"]})


def _plain(count: float) -> float:
    """A whole number as such."""
    return int(count) if float(count).is_integer() else count
