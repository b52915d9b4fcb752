"""Energies in one technology told in another: published equations, and what two libraries say of what is between them.

Stillmaker and Baas (Integration, the VLSI Journal 58, 2017, pp. 74-81, doi 10.1016/j.vlsi.2017.02.002) fitted the
energy of circuits that were simulated with the Predictive Technology Model and ITRS figures: at node x and supply V it
goes with the factor a2 V^2 + a1 V + a0, the coefficients being those of x, so that E_y = E_x factor_y / factor_x. The
coefficients are those of the paper's table 5. The authors' corrigendum gives two of its rows, with the factors 0.4571
(32 nm, high performance, 0.9 V) and 2.604 (65 nm, 1.3 V), which a test holds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

TARGET_NM, TARGET_VOLTS = 28.0, 0.9
"""What the paper is likely to have used; its node and supply are not public."""

Flavour = Literal["hp", "lp"]
"""High performance (PTM HP) or low standby power; only from 45 nm on there are both."""

_PLANAR = {
    180: (0.0, 24.64, -17.98),
    130: (7.171, -6.709, 2.904),
    90: (4.762, -4.781, 2.092),
    65: (3.755, -4.398, 1.975),
}
COEFFICIENTS: dict[Flavour, dict[int, tuple[float, float, float]]] = {
    "hp": {
        **_PLANAR,
        45: (1.018, -0.3107, 0.1539),
        32: (0.8367, -0.4341, 0.1701),
        20: (0.373, -0.1582, 0.04104),
        16: (0.2958, -0.1241, 0.03024),
        14: (0.2363, -0.09675, 0.02239),
        10: (0.2068, -0.09311, 0.02375),
        7: (0.1776, -0.09097, 0.02447),
    },
    "lp": {
        **_PLANAR,
        45: (1.103, -0.362, 0.2767),
        32: (0.9559, -0.7823, 0.471),
        20: (0.2632, -0.14, 0.06841),
        16: (0.2139, -0.1187, 0.05639),
        14: (0.1556, -0.06472, 0.03066),
        10: (0.1261, -0.0518, 0.02769),
        7: (0.09365, -0.03409, 0.02043),
    },
}
"""a2, a1, a0 by node in nm."""


def energy_factor(nm: float, volts: float, flavour: Flavour = "hp") -> float:
    """The factor of a node at a supply; between two nodes of the table linear in the node, as 28 nm is.

    Raises
    ------
    ValueError : a node outside the table, a supply that is not positive.
    """
    table = COEFFICIENTS[flavour]
    if not min(table) <= nm <= max(table):
        raise ValueError(f"node={nm:g} nm must be between {min(table)} and {max(table)}")
    if not volts > 0:
        raise ValueError(f"volts={volts:g} must be above 0")
    below = max(node for node in table if node <= nm)
    above = min(node for node in table if node >= nm)
    low, high = (a * volts**2 + b * volts + c for a, b, c in (table[below], table[above]))
    return low if above == below else low + (high - low) * (nm - below) / (above - below)


def published(
    energy: float, nm: float, volts: float, flavour: Flavour, to_nm: float, to_volts: float
) -> float:
    """An energy at a node and supply in another, by Stillmaker and Baas."""
    return energy * energy_factor(to_nm, to_volts, flavour) / energy_factor(nm, volts, flavour)


def classical(energy: float, nm: float, volts: float, to_nm: float, to_volts: float) -> float:
    """By the classical rule: capacitance goes with the feature size, energy with C V^2."""
    return energy * (to_nm / nm) * (to_volts / volts) ** 2


def between(low: tuple[float, float], high: tuple[float, float], nm: float) -> float:
    """The energy at a node between two (node, energy), each at its own supply: linear in the logarithms of both."""
    (x0, y0), (x1, y1) = low, high
    share = math.log(nm / x0) / math.log(x1 / x0)
    return math.exp(math.log(y0) + share * math.log(y1 / y0))


@dataclass(frozen=True)
class Scaled:
    """An energy told at the target.

    Members
    -------
    rule : by which
    energy : in the unit of what was scaled
    """

    rule: str
    energy: float

    def as_json(self) -> dict[str, Any]:
        """The figures as plain data; fJ per multiply-accumulate."""
        return {"rule": self.rule, "fj_per_mac": self.energy, "tops_per_watt": 2000 / self.energy}


def node_of(names: Sequence[str]) -> tuple[float, ...]:
    """The nodes in nm that a library's cells can be called by its names; () when it is not known.

    SKY130 calls itself a hybrid of 180 and 130 nm: 1.8 V devices of 150 nm gate length, wires of 130 nm.
    """
    text = " ".join(names).lower()
    for part, nodes in _NODES.items():
        if part in text:
            return nodes
    return ()


_NODES = {
    "sky130": (130.0, 180.0),
    "sg13g2": (130.0,),
    "asap7": (7.0,),
    "nangate45": (45.0,),
    "freepdk45": (45.0,),
}


def scaled(
    energy: float, nodes: Sequence[float], volts: float, to_nm: float, to_volts: float
) -> list[Scaled]:
    """An energy of a library at the target, by every rule."""
    found = []
    for nm in nodes:
        both = nm <= 45 or to_nm <= 45
        for flavour in ("hp", "lp") if both else ("hp",):
            name = f"Stillmaker and Baas, from {nm:g} nm{f', {flavour.upper()}' if both else ''}"
            found.append(Scaled(name, published(energy, nm, volts, flavour, to_nm, to_volts)))
    found += [
        Scaled(f"classical L V^2, from {nm:g} nm", classical(energy, nm, volts, to_nm, to_volts))
        for nm in nodes
    ]
    return found
