"""Whether a netlist fits a device: counted before place and route begins."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .board import BoardError

# For each resource: patterns of cells, and how many of the resource one takes.
_COSTS: dict[str, dict[str, dict[str, int]]] = {
    "ecp5": {
        "luts": {r"LUT4": 1, r"CCU2C": 2, r"TRELLIS_DPR16X4": 6},
        "flip_flops": {r"TRELLIS_FF": 1},
        "dsps": {r"MULT18X18D": 1},
        "block_rams": {r"DP16KD|PDPW16KD": 1},
    },
    "ice40": {
        "luts": {r"SB_LUT4": 1},
        "flip_flops": {r"SB_DFF\w*": 1},
        "dsps": {r"SB_MAC16": 1},
        "block_rams": {r"SB_RAM40_4K\w*": 1},
        "large_rams": {r"SB_SPRAM256KA": 1},
    },
    "gowin": {
        "luts": {r"LUT[1-4]": 1, r"ALU": 1, r"RAM16SDP4|RAM16SDP2|RAM16SDP1": 4},
        "flip_flops": {r"DFF\w*": 1},
        "dsps": {r"MULT9X9|MULT18X18": 1, r"MULT36X36": 4},
        "block_rams": {r"SP|SPX9|SDPB|SDPX9B|DPB|DPX9B|pROM|pROMX9": 1},
    },
}

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
    used : by resource
    there : what the device has, by resource
    """

    used: Mapping[str, int]
    there: Mapping[str, int]

    def share(self, resource: str) -> float:
        """Part of what there is."""
        return self.used[resource] / self.there[resource]

    def data(self) -> dict[str, dict[str, float]]:
        """Plain data."""
        return {
            name: {"used": self.used[name], "available": there, "percent": round(100 * self.used[name] / there, 1)}
            for name, there in self.there.items()
        }

    def check(self, board: str) -> None:
        """Refuse what does not fit.

        Raises
        ------
        FitError : every resource that there is too little of.
        """
        over = [
            f"{self.used[name]} {SHOWN[name]}, {self.used[name] - there} more than the {there} there are "
            f"({100 * self.used[name] / there:.0f} %)"
            for name, there in self.there.items()
            if self.used[name] > there
        ]
        if over:
            raise FitError(f"the design does not fit {board}: it takes {'; '.join(over)}; a smaller configuration helps")


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
    used = {
        resource: sum(
            cost * count
            for pattern, cost in patterns.items()
            for cell, count in counts.items()
            if re.fullmatch(pattern, cell)
        )
        for resource, patterns in _COSTS[family].items()
    }
    # A device has a flip-flop for each LUT.
    return Usage(used, {**there, "flip_flops": there["luts"]})
