"""The scaling equations against the figures that their authors printed, and the way between two libraries."""

from __future__ import annotations

import pytest

from sevedo.gen.power import scaling, sram
from sevedo.gen.power.scaling import (
    COEFFICIENTS,
    between,
    classical,
    energy_factor,
    node_of,
    published,
    scaled,
)


def test_the_authors_own_example() -> None:
    """Corrigendum: 1 pJ at 65 nm and 1.3 V is 0.1755 pJ at 32 nm and 0.9 V."""
    assert energy_factor(32, 0.9) == pytest.approx(0.4571, abs=5e-5)
    assert energy_factor(65, 1.3) == pytest.approx(2.604, abs=5e-4)
    assert published(1.0, 65, 1.3, "hp", 32, 0.9) == pytest.approx(0.1755, abs=1e-4)


def test_a_node_between_two_is_between_them() -> None:
    at = {nm: energy_factor(nm, 0.9) for nm in (20, 28, 32)}
    assert at[28] == pytest.approx(at[20] + (at[32] - at[20]) * 8 / 12)
    assert at[28] == pytest.approx(0.3717, abs=5e-4)
    assert published(5.0, 28, 0.8, "lp", 28, 0.8) == pytest.approx(5.0)


@pytest.mark.parametrize("flavour", ["hp", "lp"])
def test_smaller_nodes_and_lower_supplies_take_less(flavour: scaling.Flavour) -> None:
    nodes = sorted(COEFFICIENTS[flavour])
    factors = [energy_factor(nm, 0.9, flavour) for nm in nodes if nm <= 32]
    assert factors == sorted(factors)
    assert energy_factor(130, 1.8) > energy_factor(130, 1.3) > energy_factor(130, 1.0)


def test_other_rules() -> None:
    assert classical(130.0, 130, 1.8, 28, 0.9) == pytest.approx(28 / 4)
    assert between((7, 10.0), (130, 1000.0), 7) == pytest.approx(10.0)
    assert between((7, 10.0), (130, 1000.0), (7 * 130) ** 0.5) == pytest.approx(100.0)


def test_a_library_is_told_by_every_rule() -> None:
    found = scaled(100.0, node_of(["sky130_fd_sc_hd__tt_025C_1v80"]), 1.8, 28, 0.9)
    assert len(found) == 6
    assert {one.rule.partition(",")[0] for one in found} == {"Stillmaker and Baas", "classical L V^2"}
    assert found[0].energy == pytest.approx(100 * energy_factor(28, 0.9) / energy_factor(130, 1.8))
    assert found[0].as_json()["tops_per_watt"] == pytest.approx(2000 / found[0].energy)
    assert node_of(["asap7sc7p5t_SIMPLE_RVT_TT"]) == (7.0,)
    assert node_of(["somebody's"]) == ()
    assert scaled(100.0, (), 1.0, 28, 0.9) == []


def test_memory_by_the_bit() -> None:
    assert sram.bit_energy(45, 0.9) == pytest.approx(10_000 / 64)
    assert sram.bit_energy(7, 0.7) < sram.bit_energy(45, 0.9) / 10


@pytest.mark.parametrize(
    ("nm", "volts", "said"), [(5, 0.7, "node=5 nm must be"), (28, 0, "volts=0 must be above 0")]
)
def test_what_the_table_does_not_hold(nm: float, volts: float, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        energy_factor(nm, volts)
