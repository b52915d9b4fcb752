"""The quantizer against the golden model, bit by bit: formats, schemes, groups, stalls, latency and throughput."""

from __future__ import annotations

import functools
import inspect
from typing import Any

import numpy as np
import pytest
import torch
from quantizer_runs import Case, numbers
from torch import Tensor

import sevedo.hw.quantizer.coder
import sevedo.hw.quantizer.maxima
import sevedo.hw.quantizer.quantizer
from sevedo.gen.config import FP16, Config, Rounding, preset
from sevedo.gen.config.design import ConfigError
from sevedo.gen.verilog.emitter import emit, verilog
from sevedo.gen.verilog.lint import lint
from sevedo.hw.float import Multiply
from sevedo.hw.quantizer.count import is_last
from sevedo.hw.quantizer.quantizer import ActivationQuantizer
from sevedo.ref.rounding import decode, round_to
from sevedo.sim.player import Player, SimulationError

SMALL = preset("tiny").replace(rmc__lanes=2, groups__fine=4, groups__coarse=12)
SHAPES: dict[str, tuple[dict[str, Any], int, bool]] = {
    "core": ({"rmc__lanes": 4, "groups__coarse": 16}, 1, True),
    "two digits": ({}, 2, False),
    "bf16, fp16 scales": ({"numbers__data": "bf16"}, 2, False),
    "fp16, e8m0 scales": ({"groups__scale": "e8m0"}, 1, False),
    "coarse": ({"groups__scheme": "coarse"}, 1, False),
    "fp-fine": ({"groups__scheme": "fp-fine", "rmc__lanes": 4}, 1, False),
    "vs-quant": ({"groups__scheme": "vs-quant"}, 1, False),
    "one register": ({"rmc__lanes": 4, "groups__coarse": 16, "pipeline__quantize": 1}, 1, True),
    "two registers": ({"pipeline__quantize": 2}, 2, False),
    "vs-quant, two registers": ({"groups__scheme": "vs-quant", "pipeline__quantize": 2}, 1, False),
    "fp-fine, two registers": (
        {"groups__scheme": "fp-fine", "rmc__lanes": 4, "pipeline__quantize": 2},
        1,
        False,
    ),
    "mx": ({"groups__scheme": "mx", "numbers__data": "bf16"}, 1, False),
}
"""Changes of `SMALL`, digits, smoothing."""

PIPELINED = ["one register", "two registers", "fp-fine, two registers"]
"""Shapes whose steps are made ahead of their beats."""


def config_of(shape: str) -> Config:
    """The configuration of a shape."""
    changes = dict(SHAPES[shape][0])
    scheme = changes.pop("groups__scheme", None)
    config = SMALL if scheme is None else SMALL.with_scheme(scheme)
    return config.replace(**changes)


@functools.cache
def player_of(shape: str) -> Player:
    """The unit, compiled once."""
    _, digits, smoothing = SHAPES[shape]
    return Player.of(ActivationQuantizer(config_of(shape), digits, smoothing))


def case_of(shape: str, x: Tensor, m: Tensor | None = None) -> Case:
    _, digits, smoothing = SHAPES[shape]
    return Case(config_of(shape), digits, smoothing, x, torch.ones_like(x) if m is None else m)


def random_case(shape: str, rows: int, seed: int) -> Case:
    """Rows of two coarse groups; multipliers around 1, and in some rows anything."""
    config = config_of(shape)
    fmt = config.numbers.data_format
    shape_ = (rows, 2 * config.groups.coarse)
    source = np.random.default_rng(seed)
    near = round_to(torch.tensor(np.exp2(2 * source.normal(size=shape_))), fmt)
    wild = torch.tensor(source.random((rows, 1)) < 0.2)
    return case_of(shape, numbers(fmt, shape_, seed), torch.where(wild, numbers(fmt, shape_, seed + 1), near))


@pytest.mark.parametrize("shape", SHAPES)
def test_any_numbers(shape: str) -> None:
    """Every word is right, a beat goes in and one comes out every cycle, and the first at the declared time."""
    case = random_case(shape, 1500, 1)
    counts = case.check(player_of(shape))
    config = config_of(shape)
    beats = 1500 * 2 * config.beats
    assert (counts["x"].beats, counts["x"].last) == (beats, beats - 1)
    assert counts["codes"].last - counts["codes"].first == beats - 1
    assert counts["codes"].first == config.beats - 1 + case.unit.latency
    assert counts["values"].first == counts["codes"].first - (2 if config.pipeline.quantize else 1)
    assert counts["scale"].beats == 1500 * 2
    assert counts["scale"].first == counts["codes"].first + config.beats - 1
    sound = torch.isfinite(case.golden.scales)
    assert 0.5 < float(sound.double().mean()) < 1


@pytest.mark.parametrize("stall_in", [0.0, 0.25, 0.75])
@pytest.mark.parametrize("stall_out", [0.0, 0.25, 0.75])
@pytest.mark.parametrize("shape", ["core", "fp-fine", *PIPELINED])
def test_stalls(shape: str, stall_in: float, stall_out: float) -> None:
    seed = int(100 * stall_in + 10 * stall_out)
    counts = random_case(shape, 100, seed).check(player_of(shape), (stall_in, stall_out), seed)
    assert counts["codes"].beats == 100 * 2 * config_of(shape).beats


@pytest.mark.parametrize("slow", ["codes", "values", "scale", "multipliers"])
@pytest.mark.parametrize("shape", ["core", *PIPELINED])
def test_one_slow_stream(shape: str, slow: str) -> None:
    if slow == "multipliers" and not SHAPES[shape][2]:
        slow = "x"
    stall = ({slow: 0.75}, {}) if slow in ("multipliers", "x") else ({}, {slow: 0.75})
    assert random_case(shape, 100, 5).check(player_of(shape), stall)["scale"].beats == 200


@pytest.mark.parametrize("shape", ["core", *PIPELINED])
def test_patient_receiver(shape: str) -> None:
    """Everything is offered before anyone is ready for it."""
    assert random_case(shape, 20, 6).check(player_of(shape), patient=True)["scale"].beats == 40


def test_every_maximum_and_every_number_below_it() -> None:
    """Every FP16 maximum, NaN included, with one scale each; every number against 12 scales: ties, subnormals."""
    every = torch.arange(1 << 15)
    maxima = torch.zeros((len(every), 4), dtype=torch.int64)
    maxima[:, 0] = every
    maxima[:, 1] = (every.double() * 0.9).long()
    maxima[:, 2] = (every - torch.arange(1 << 15) % 3072).clamp(min=0) | 0x8000
    peaks = [1, 4, 9, 1027, 3000, 0x1555, 0x2800, 0x3C01, 0x3FFF, 0x4567, 0x7BFF, 0x7C00]
    rows = [maxima]
    for peak in peaks:
        below = torch.arange(-(-(peak + 1) // 3) * 3).clamp(max=peak).reshape(-1, 3)
        rows.append(torch.cat([torch.full((len(below), 1), peak), below | 0x8000 * (below % 2)], dim=1))
    case = case_of("fp-fine", decode(torch.cat(rows), FP16))
    counts = case.check(player_of("fp-fine"))
    assert counts["scale"].beats == sum(map(len, rows)) > 1 << 16
    assert len(torch.unique(case.golden.scale_bits)) > 18_000


FAULTS = {
    "smoothing truncated": (
        sevedo.hw.quantizer.quantizer,
        "Multiply",
        functools.partial(Multiply, rounding=Rounding.TOWARD_ZERO),
    ),
    "group boundary moved": (
        sevedo.hw.quantizer.maxima,
        "is_last",
        lambda m, name, go, count: is_last(m, name, go, count - (name == "coarse")),
    ),
    "number of the fine group before": (
        sevedo.hw.quantizer.coder,
        "is_last",
        lambda m, name, go, count: is_last(m, name, go, count + (name == "read_fine")),
    ),
    "a ring too short": (
        ActivationQuantizer,
        "depth",
        property(lambda unit: unit.config.beats + unit.latency - 3),
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_of_the_whole_show(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    case = random_case("core", 60, 9)
    beats = 60 * 2 * config_of("core").beats
    assert case.check(player_of("core"))["x"].last == beats - 1
    monkeypatch.setattr(*FAULTS[fault])
    faulty = Player.of(ActivationQuantizer(config_of("core")))
    with pytest.raises((AssertionError, SimulationError)):
        assert case.check(faulty)["x"].last == beats - 1


@pytest.mark.parametrize("shape", PIPELINED)
def test_steps_without_room_show(shape: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps that are made while their queue is full are lost when nobody takes codes."""
    module = sevedo.hw.quantizer.coder
    source = inspect.getsource(module)
    assert source.count("ready & (room != 0)") == 1
    space = dict(vars(module))
    exec(compile(source.replace("ready & (room != 0)", "ready"), str(module.__file__), "exec"), space)
    monkeypatch.setattr(sevedo.hw.quantizer.quantizer, "GroupCoder", space["GroupCoder"])
    faulty = Player.of(ActivationQuantizer(config_of(shape), *SHAPES[shape][1:]))
    with pytest.raises((AssertionError, SimulationError)):
        random_case(shape, 100, 9).check(faulty, ({}, {"codes": 0.75}))


@pytest.mark.parametrize("gates", [True, False])
def test_verilog_is_clean(gates: bool, tmp_path: Any) -> None:
    modules = emit(ActivationQuantizer(config_of("core")))
    file = tmp_path / "quantizer.v"
    file.write_text(verilog(modules))
    assert lint(file, modules[-1].name, gates) == []


@pytest.mark.parametrize(
    ("changes", "digits", "message"),
    [
        ({}, 3, "digits=3 must be 1 or 2"),
        ({"numbers__activation_bits": 5}, 2, "numbers.activation_bits=5 must be at most 4"),
    ],
)
def test_refusals(changes: dict[str, Any], digits: int, message: str) -> None:
    config = preset("tiny").replace(lvc__int8_ranks=0, lvc__int4_ranks=0).replace(**changes)
    with pytest.raises(ConfigError, match=message):
        ActivationQuantizer(config, digits)
