"""Area of hierarchies and energy of runs, from unit to report: mapped once, kept, exact at the gates, told apart."""

from __future__ import annotations

import dataclasses
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from powerlib import AREA, Pair, Step, library

from sevedo.gen.synth import energy as energy_module
from sevedo.gen.synth import hierarchy
from sevedo.gen.synth.energy import Category, EnergyError, energy
from sevedo.gen.synth.hierarchy import HierarchyError, Mapped, area
from sevedo.gen.synth.library import Library
from sevedo.gen.synth.measure import SynthesisError, measure
from sevedo.gen.synth.netlist import FlatCell, flatten
from sevedo.gen.synth.partition import Source
from sevedo.gen.synth.power import PowerError
from sevedo.gen.synth.recipe import Recipe

needs_sta = pytest.mark.skipif(shutil.which("sta") is None, reason="OpenSTA (sta) is not installed")
PDK = Path("/work/shared/pdk")
PDKS = {
    "sky130": ["sky130hd_tt"],
    "asap7": [f"asap7_{kind}_rvt_tt" for kind in ("simple", "invbuf", "seq")],
}
BEATS = 200
WORDS = {"x": np.random.default_rng(4).integers(0, 64, (BEATS, 1)).astype(np.uint32)}
CATEGORIES = (
    Category("registers", r"step_\d/", True),
    Category("wide", r"^step_[01]/"),
    Category("narrow", r"^step_[23]/"),
)


@pytest.fixture
def tiny(tmp_path: Path) -> Library:
    path = tmp_path / "tiny.lib"
    path.write_text(library())
    return Library.load([path])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Kept results that the tests of this file share."""
    return tmp_path_factory.mktemp("kept")


def test_every_module_is_mapped_once_and_kept(
    tiny: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mapped: list[str] = []
    synthesise = hierarchy._synthesise

    def failing(source: Source, cells: Library, recipe: Recipe) -> dict:
        name = source.name
        if name == "step_1" and "failed" not in mapped:
            mapped.append("failed")
            raise SynthesisError("first line\nboom", "all that was said")
        mapped.append(name)
        return synthesise(source, cells, recipe)

    monkeypatch.setattr(hierarchy, "_synthesise", failing)
    with pytest.raises(HierarchyError, match=r"^step_1: boom$") as caught:
        area(Pair(), tiny, [Step], tmp_path / "kept", timing=False)
    assert caught.value.log.read_text() == "all that was said"
    told: list[str] = []
    report = area(Pair(), tiny, [Step], tmp_path / "kept", timing=False, advance=told.append)
    assert sorted(mapped) == ["failed", "pair_of_steps", "step_1", "step_2"]  # nothing twice
    assert sorted(told) == ["pair_of_steps", "step_1", "step_2"]
    rows = {row.name: row for row in report.by_module}
    assert {name: row.count for name, row in rows.items()} == {"pair_of_steps": 1, "step_2": 2, "step_1": 2}
    assert report.total == sum(row.count * row.area for row in report.by_module)
    assert report.cells == sum(row.count * row.cells for row in report.by_module)
    assert report.delay is None
    for unit in Step(1), Step(2):
        assert rows[unit.module_name].area == measure(unit, tiny.paths, timing=False, adder_cells=True).area
    assert area(Pair(), tiny, [Step], tmp_path / "kept", timing=False) == report
    assert len(mapped) == 4


def test_without_boundaries_all_is_one_module(tiny: Library, folder: Path) -> None:
    report = area(Pair(), tiny, [], folder, timing=False)
    [row] = report.by_module
    assert (row.count, row.area) == (1, report.total)
    assert report.total == measure(Pair(), tiny.paths, timing=False, adder_cells=True).area


@needs_sta
def test_delays_are_those_of_modules_and_of_the_whole(tiny: Library, folder: Path) -> None:
    report = area(Pair(), tiny, [Step], folder, whole_delay=True)
    for row in report.by_module:
        assert row.delay is not None
        assert row.delay / 0.1 == pytest.approx(round(row.delay / 0.1), abs=0.02)  # a number of cells
    assert report.delay is not None
    assert report.delay >= max(row.delay or 0 for row in report.by_module)


def run(cells: Library, folder: Path, period: float = 5.0) -> energy_module.EnergyReport:
    return energy(
        Pair(), cells, [Step], WORDS, {"y": BEATS}, CATEGORIES, folder, macs=2 * BEATS, period_ns=period
    )


@needs_sta
def test_energy_adds_up(tiny: Library, folder: Path) -> None:
    report = run(tiny, folder)
    assert report.cycles == BEATS + 1
    assert [one.name for one in report.categories] == ["registers", "wide", "narrow", "other"]
    parts = {one.name: one for one in report.categories}
    assert parts["registers"].cells == 6
    assert report.of(*parts) == pytest.approx(report.per_mac)
    assert report.per_mac == pytest.approx(report.per_cycle * report.cycles / (2 * BEATS))
    # the registers of the running parity: each flips at half of the 1s in its column, at any library
    bits = (WORDS["x"] >> np.arange(6)) & 1
    flips = bits[:-1].sum() / report.cycles  # the last beat's are seen a cycle after the window
    clock = 6 * (2 * 21 + 4 * 5)
    internal, switching = parts["registers"].internal, parts["registers"].switching
    assert internal == pytest.approx(flips * 2000 + 6 * 2 * 21, rel=0.02)
    assert internal + switching > flips * 2000 + clock
    assert report.area == area(Pair(), tiny, [Step], folder, timing=False).total
    slower = run(tiny, folder, period=10.0)
    leakage = sum(one.leakage_nw for one in report.categories)
    assert slower.per_cycle - report.per_cycle == pytest.approx(leakage * 5e-3)


def test_a_wrong_gate_is_found(tiny: Library, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fault: one exclusive or becomes a NAND."""
    real = shutil.which  # OpenSTA, installed or not, is not come to
    monkeypatch.setattr(shutil, "which", lambda name: "/bin/true" if name == "sta" else real(name))

    def wrong(top: str, modules: dict) -> object:
        flat = flatten(top, modules)
        place = next(i for i, cell in enumerate(flat.cells) if cell.kind == "XOR2")
        good = flat.cells[place]
        return dataclasses.replace(
            flat,
            cells=[*flat.cells[:place], FlatCell(good.path, "NAND2", good.pins), *flat.cells[place + 1 :]],
        )

    monkeypatch.setattr(energy_module, "flatten", wrong)
    with pytest.raises(EnergyError, match=r"^the gates give other bits than the Verilog at y$"):
        run(tiny, folder)


def test_without_opensta_nothing_is_begun(
    tiny: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(PowerError, match="needs OpenSTA"):
        run(tiny, tmp_path / "kept")
    assert not (tmp_path / "kept").exists()
    report = area(Pair(), tiny, [Step], tmp_path / "kept")
    assert [row.delay for row in report.by_module] == [None] * 3


@needs_sta
@pytest.mark.skipif(not PDK.is_dir(), reason=f"no standard-cell libraries in {PDK}")
@pytest.mark.parametrize("name", PDKS)
def test_energy_with_real_cells(name: str, folder: Path) -> None:
    """Real cells are as large as their node says: a register of 130 nm at 1.8 V takes tens of fJ a cycle, of 7 nm 1."""
    report = run(Library.load([PDK / f"{file}.lib.gz" for file in PDKS[name]]), folder)
    registers = report.categories[0]
    assert registers.cells == 6
    low, high = {"sky130": (30, 150), "asap7": (0.5, 3)}[name]
    assert low < registers.per_cycle() / 6 < high
    assert all(one.internal + one.switching > 0 and one.leakage_nw > 0 for one in report.categories)


def test_mapped_verilog_names_every_gate(tiny: Library, folder: Path) -> None:
    mapped: Mapped = hierarchy.map_hierarchy(hierarchy.emit(Pair()), tiny, [Step], folder)
    flat = flatten(mapped.top, mapped.netlists)
    assert {cell.kind for cell in flat.cells} <= set(AREA)
    assert {cell.path.rpartition("/")[0] for cell in flat.cells} == {"", *(f"step_{n}" for n in range(4))}
    text = mapped.verilog()
    assert len(re.findall(r"^module ", text, re.MULTILINE)) == 3
    assert len(re.findall(r"^  (?:INV|BUF|NAND2|NOR2|XOR2|DFFN) u\d+ ", text, re.MULTILINE)) == sum(
        sum(module.cells.values()) for module in mapped.modules.values()
    )
