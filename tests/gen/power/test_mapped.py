"""Module by module against the whole netlist at once; gates, Verilog and golden model held to each other."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from powerlib import library

from sevedo.gen.config import Config
from sevedo.gen.power.activity import Activity
from sevedo.gen.power.mapped import MappedUnit, Measured
from sevedo.gen.power.parts import CORE_PARTS, PARTS, Part
from sevedo.gen.synth.energy import Category, EnergyError, energy
from sevedo.gen.synth.library import Library
from sevedo.ref.linear import quantize_linear
from sevedo.sim.unit_runs import UnitRun, rmc_run

needs_sta = pytest.mark.skipif(shutil.which("sta") is None, reason="OpenSTA (sta) is not installed")

RMC_PARTS = tuple(
    replace(part, pattern=part.pattern.replace("^rmc$", "^$").replace("^rmc/", "^").replace("^rmc", ""))
    for part in CORE_PARTS
    if part.group in ("residual path", "control")
)
"""The parts of the residual matrix core alone: its paths lack the core's."""


def small() -> UnitRun:
    """An array of 2 x 2 PEs of four lanes on noise."""
    config = Config.load("tiny").replace(
        groups__fine=4, groups__coarse=8, rmc__rows=2, rmc__cols=2, rmc__lanes=4, lvc__lanes=2, lvc__ranks=1,
        lvc__max_rank=1, lvc__int8_ranks=0, lvc__int4_ranks=0,
    )  # fmt: skip
    generator = torch.Generator().manual_seed(3)
    weight, x = (torch.randn(6, 32, generator=generator, dtype=torch.float64) for _ in range(2))
    layer = quantize_linear(weight, None, None, config, 0)
    inputs = layer.prepare(x)
    return rmc_run(layer, inputs, layer.compute(inputs))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("power")


@pytest.fixture(scope="module")
def toy(folder: Path) -> Library:
    (folder / "toy.lib").write_text(library())
    return Library.load([folder / "toy.lib"])


@pytest.fixture(scope="module")
def run() -> UnitRun:
    return small()


@pytest.fixture(scope="module")
def unit(run: UnitRun, toy: Library, folder: Path) -> MappedUnit:
    return MappedUnit(run.unit, toy, folder, chosen=RMC_PARTS)


@pytest.fixture(scope="module")
def activity(unit: MappedUnit, run: UnitRun) -> tuple[Activity, int]:
    return unit.simulate(run)


def test_every_instance_is_simulated_and_compared(unit: MappedUnit, activity: tuple[Activity, int]) -> None:
    found, cycles = activity
    assert {path for batch in found.batches for path in batch.paths} == {
        path for paths in unit.tree.paths.values() for path in paths
    }
    pes = [batch for batch in found.batches if batch.module.startswith("processing_element")]
    assert [len(batch.paths) for batch in pes] == [4]
    assert cycles > 3 * 3 * 8
    # the four drain registers of the array alone
    assert found.compared > 4 * cycles * len(unit.tree.directions[pes[0].module])
    assert found.memories == ()


@needs_sta
def test_module_by_module_is_the_whole_at_once(
    unit: MappedUnit, run: UnitRun, activity: tuple[Activity, int], toy: Library, folder: Path
) -> None:
    """The toy library's internal energies know neither slew nor load: they must be equal. Switching may differ where
    instances of a module drive different loads, as the drain registers within and at the end of a chain do."""
    words = {name: words for name, words in run.words.items() if name not in run.masks}
    report = energy(
        run.unit,
        toy,
        PARTS,
        words,
        {"sums": len(run.words["sums"])},
        [Category("dot", r"/dot/"), Category("pe", r"^pe_"), Category("csu", r"^csu_")],
        folder,
        macs=1,
    )
    found = unit.energies(activity[0])
    assert activity[1] == report.cycles
    whole = {one.name: one for one in report.categories}
    names = {
        "dot": ["dot products"],
        "pe": ["fine dequantization", "accumulation and drain"],
        "csu": ["coarse-scale units"],
    }
    for category, parts in names.items():
        members = [part for part in found if part.name in parts]
        for figure, tolerance in (
            ("cells", 0),
            ("internal", 1e-9),
            ("leakage_nw", 1e-9),
            ("switching", 0.01),
        ):
            total = sum(getattr(part, figure) for part in members)
            assert total == pytest.approx(getattr(whole[category], figure), rel=tolerance), (category, figure)
    assert sum(part.internal for part in found) == pytest.approx(sum(one.internal for one in whole.values()))
    switching = sum(one.switching for one in whole.values())
    assert sum(part.switching for part in found) == pytest.approx(switching, rel=0.005)
    registers = next(part for part in found if part.name == "operand and scale registers")
    assert registers.clock == pytest.approx(registers.cells * (2 * 21 + 4 * 5))
    assert 0 < registers.idle_clock < registers.clock


@needs_sta
def test_results_are_kept(unit: MappedUnit, run: UnitRun, monkeypatch: pytest.MonkeyPatch) -> None:
    first = unit.measure(run)
    monkeypatch.setattr(MappedUnit, "simulate", lambda self, run: pytest.fail("simulated again"))
    second = unit.measure(run)
    assert isinstance(first, Measured)
    assert first == second
    assert len(first.parts) == len({part.name for part in first.parts}) > 5


def test_another_golden_bit_is_found(unit: MappedUnit, run: UnitRun) -> None:
    words = run.words | {"sums": run.words["sums"] ^ 1}
    with pytest.raises(EnergyError, match="other sums than the golden model"):
        unit.simulate(run._replace(words=words))


def test_a_wrong_gate_is_found(run: UnitRun, toy: Library, folder: Path) -> None:
    """The fault: one exclusive or of the dot products becomes a NAND."""
    unit = MappedUnit(run.unit, toy, folder, chosen=[Part("all", "all", "")])
    name = next(name for name in unit.tree.shells if name.startswith("dot_product"))
    cells = unit.tree.shells[name].flat.cells
    place = next(place for place, cell in enumerate(cells) if cell.kind == "XOR2")
    cells[place] = replace(cells[place], kind="NAND2")
    with pytest.raises(
        EnergyError, match=r"the gates of pe_\d_\d/dot give other bits than the Verilog at sum"
    ):
        unit.simulate(run)
