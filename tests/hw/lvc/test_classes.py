"""The integer classes of the low-rank path: codes of z, scales of sums, and the whole against the golden model."""

from __future__ import annotations

import inspect
import random
import sys

import numpy as np
import pytest
from amaranth.sim import Simulator
from cycles import cycles
from layers import CLASSES, layer
from streams_of import check_run

import sevedo.hw.lvc.classes
import sevedo.hw.lvc.int_expander
from sevedo.gen.config import Config
from sevedo.hw.lvc.class_sequencer import ClassSequencer
from sevedo.hw.lvc.classes import IntegerClasses
from sevedo.hw.lvc.code import ZCode
from sevedo.hw.lvc.code_writer import CodeWriter
from sevedo.hw.lvc.int_expander import IntegerExpander
from sevedo.hw.lvc.int_projector import IntegerProjector
from sevedo.hw.lvc.scale import ClassScaleUnit
from sevedo.hw.unit import Unit
from sevedo.sim.player import Player, SimulationError
from sevedo.sim.unit_runs import UnitRun, classes_run

SPECIAL = [
    0.0,
    -0.0,
    0.5,
    1.5,
    2.5,
    -0.5,
    -1.5,
    118.5,
    119.5,
    -119.5,
    126.5,
    127.5,
    128.0,
    -4096.0,
    1e-40,
    3e38,
]


def faulty(unit: type[Unit], old: str, new: str) -> type[Unit]:
    """The class of `unit` with a fault in its source."""
    module = sys.modules[unit.__module__]
    source = inspect.getsource(module)
    assert source.count(old) == 1
    space = dict(vars(module))
    exec(compile(source.replace(old, new), str(module.__file__), "exec"), space)
    found: type[Unit] = space[unit.__name__]
    return found


@pytest.mark.parametrize("bits", [2, 3, 4])
def test_codes_of_z(bits: int) -> None:
    qmax = ((1 << bits) + 1) * ((1 << (bits - 1)) - 1)
    rng = random.Random(bits)
    values = [*SPECIAL, float("inf"), float("-inf"), float("nan"), qmax + 0.5, -qmax - 0.5]
    values += [code + part for code in range(-qmax - 2, qmax + 3) for part in (0, 0.25, 0.5)]
    values += [rng.gauss(0, qmax) for _ in range(200)]
    single = np.array(values, np.float32)
    expected = np.nan_to_num(np.rint(single), nan=0).clip(-qmax, qmax).astype(int).tolist()
    assert _codes(ZCode(bits), single) == expected
    assert set(expected) == set(range(-qmax, qmax + 1))
    for old, new in (("convert.result > largest", "convert.result > largest + 1"), (" + code[bits - 1]", "")):
        assert _codes(faulty(ZCode, old, new)(bits), single) != expected


def _codes(unit: Unit, values: np.ndarray) -> list[int]:
    """The codes that a unit gives, put together from their digits."""
    found = []

    async def drive(context) -> None:
        for z in values.view(np.uint32):
            context.set(unit.z, int(z))
            await context.delay(1e-9)
            low, high = (context.get(unit.digits[i]) for i in range(2))
            found.append((high << unit.bits) + low)

    simulator = Simulator(unit)
    simulator.add_testbench(drive)
    simulator.run()
    return found


@pytest.mark.parametrize("bits", [5, 19, 25])
def test_scaled_sums(bits: int) -> None:
    rng = random.Random(bits)
    most = 1 << (bits - 1)
    scales = [0x3C00, 0x0001, 0x03FF, 0x7BFF, 0x0000, 0x8001, 0x7C00, 0x7E00]
    pairs = [(total, scale) for total in (-most, most - 1, 0, 1, -1) for scale in scales]
    pairs += [(rng.randrange(-most, most), rng.randrange(0x7C00)) for _ in range(200)]
    idle = [{"sum": 1, "scale": 0x7E00, "valid": 0}] * ClassScaleUnit(bits).latency
    inputs = [{"sum": total, "scale": scale, "valid": 1} for total, scale in pairs]
    seen = cycles(ClassScaleUnit(bits), inputs + idle, ["result"])[ClassScaleUnit(bits).latency :]
    halves = np.array([scale for _, scale in pairs], np.uint16).view(np.float16).astype(np.float64)
    with np.errstate(invalid="ignore"):
        products = (np.array([total for total, _ in pairs], np.float64) * halves).astype(np.float32)
    bits32 = np.where(np.isnan(products), np.uint32(0x7FC00000), products.view(np.uint32))
    assert [each["result"] for each in seen] == bits32.tolist()
    assert len({each["result"] for each in seen}) > 150


def test_bad_parameters() -> None:
    with pytest.raises(ValueError, match=r"^bits=5 must be between 2 and 4"):
        ZCode(5)
    with pytest.raises(ValueError, match=r"^sum_bits=26 must be between 2 and 25"):
        ClassScaleUnit(26)


def _run(config: Config, shape: tuple[int, int, int], content: str = "outliers", seed: int = 0) -> UnitRun:
    tokens, inputs, outputs = shape
    return classes_run(*layer(config, (tokens, inputs, outputs, 0), content, seed)[:2])


def _one_after_another(config: Config, seed: int) -> UnitRun:
    """Layers with both classes, with one, with none, whose streams follow each other without a pause."""
    shapes = [(9, 40, 6), (3, 17, 2), (4, 1, 1), (5, 70, 7), (2, 16, 3), (13, 5, 4)]
    contents = ("outliers", "normal", "limit", "infinite", "nan", "zeros")
    runs = [
        _run(config, shape, content, seed + case)
        for case, (shape, content) in enumerate(zip(shapes, contents, strict=True))
    ]
    return UnitRun(
        runs[0].unit,
        {name: np.concatenate([run.words[name] for run in runs]) for name in runs[0].words},
        {name: np.concatenate([run.masks[name] for run in runs]) for name in runs[0].masks},
    )


@pytest.fixture(scope="module")
def player() -> Player:
    """The unit, compiled once."""
    return Player.of(IntegerClasses(CLASSES))


@pytest.mark.parametrize("stall_in", [0.0, 0.25, 0.75])
@pytest.mark.parametrize("stall_out", [0.0, 0.25, 0.75])
def test_sums_under_stalls(player: Player, stall_in: float, stall_out: float) -> None:
    seed = int(4 * stall_in + 16 * stall_out)
    counts = check_run(player, _one_after_another(CLASSES, seed), (stall_in, stall_out), seed)
    assert counts["command"].beats == 6
    assert min(counts[name].beats for name in ("sums_int8", "sums_int4")) > 50


def test_patient_receiver(player: Player) -> None:
    counts = check_run(player, _run(CLASSES, (4, 16, 2)), patient=True)
    assert counts["sums_int8"].beats == counts["sums_int4"].beats == 4


def test_steps_without_a_gap(player: Player) -> None:
    """Operands of a long projection, and of the sums of many tiles, go in a beat a cycle."""
    counts = check_run(player, _run(CLASSES, (4, 500, 5), "normal"))
    assert counts["int_v"].last - counts["int_v"].first + 1 == counts["int_v"].beats
    counts = check_run(player, _run(CLASSES, (4, 16, 200), "normal"))
    assert counts["int_u"].beats == 100 * 2 * (2 * 4 + 2 * 2)
    assert counts["int_u"].last - counts["int_u"].first + 1 == counts["int_u"].beats


ONE = CLASSES.replace(lvc__int8_ranks=0, lvc__int_tokens=4)
"""A single class, all tokens of a tile at once."""


def test_declared_latencies() -> None:
    unit = IntegerClasses(ONE)
    player = Player.of(unit)
    run = _run(ONE, (4, 64, 2))
    counts = check_run(player, run)
    to_sums = counts["sums_int4"].first - counts["int_u"].last
    assert to_sums == IntegerExpander(ONE).latency
    to_codes = counts["int_u"].first - counts["int_x"].last
    assert to_codes == IntegerProjector(ONE).latency + ONE.rmc.cols - 1 + IntegerClasses.Z_LATENCY
    check_run(player, _one_after_another(ONE, 1), (0.25, 0.25))


@pytest.mark.parametrize(
    "change",
    [
        {"rmc__rows": 3, "rmc__cols": 6, "lvc__lanes": 9, "lvc__int_tokens": 3, "lvc__int_ranks": 1},
        {"lvc__output_tokens": 2, "lvc__int_tokens": 4, "lvc__int_lanes": 2, "lvc__int4_ranks": 0},
        {"numbers__activation_bits": 3, "numbers__weight_bits": 3, "lvc__int_ranks": 4, "lvc__int_tokens": 1},
    ],
)
def test_other_sizes(change: dict[str, int]) -> None:
    config = CLASSES.replace(**change)
    player = Player.of(IntegerClasses(config))
    for case, stall in enumerate([(0.0, 0.0), (0.25, 0.25), (0.75, 0.0), (0.0, 0.75)]):
        check_run(player, _one_after_another(config, case), stall, case)


FEW = CLASSES.replace(rmc__rows=1, lvc__int_tokens=4)
"""A core that compiles sooner, for faults; a unit serves four PEs, and short classes take fewer steps."""


CLASS, EXPANDER = sevedo.hw.lvc.classes, sevedo.hw.lvc.int_expander
FAULTS = {
    "codes overwritten": (CLASS, CodeWriter, "self.z.valid & self.room", "self.z.valid"),
    "codes of another block": (CLASS, CodeWriter, "part == parts - 1", "0"),
    "sums overwritten": (EXPANDER, ClassSequencer, " & walk.of(list(self.room))", ""),
    "units not waited for": (EXPANDER, ClassSequencer, " & (pause == 0)", ""),
    "digits not promoted": (EXPANDER, ClassSequencer, "self.step & number[0] & (self.block == 0)", "0"),
    "digits of z in another order": (EXPANDER, ClassSequencer, "number[1], number[0])", "number[0], number[1])"),
    "another scale": (CLASS, IntegerExpander, "Cat(self.u_scale.p, steps.index)",
                      "Cat(Value.cast(self.u_scale.p) ^ 1, steps.index)"),
    "V wide in no class": (CLASS, IntegerProjector, "each.digits - 1 for each", "0 for each"),
}  # fmt: skip
"""Deliberate faults: where, what, and by what it is replaced."""


def _is_caught() -> bool:
    """Whether the checks go red on hardware that is built now."""
    player = Player.of(IntegerClasses(FEW))
    try:
        for seed in range(2):
            check_run(player, _one_after_another(FEW, seed), (0.0, 0.75 * seed), seed)
    except (AssertionError, SimulationError):
        return True
    return False


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_caught(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    where, unit, old, new = FAULTS[fault]
    monkeypatch.setattr(where, unit.__name__, faulty(unit, old, new))
    assert _is_caught()


def test_without_a_fault_nothing_is_caught() -> None:
    assert not _is_caught()
