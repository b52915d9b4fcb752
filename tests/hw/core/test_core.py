"""The core against the golden model: every output bit, under stalls, for any configuration and shape."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import pytest
import torch
from layers import CLASSES, CONTENTS, SMALL, layer, random_config, random_shape

import sevedo.hw.lvc.expander
import sevedo.hw.lvc.output
import sevedo.hw.rmc.rmc
from sevedo.gen.config import SCHEMES, Config, ConfigError, FineLevel, FloatFormat, Pipeline, Rounding
from sevedo.hw.core.core import Core
from sevedo.hw.float import Convert
from sevedo.hw.lvc.lane import VectorLane
from sevedo.hw.rmc.csu import CoarseScaleUnit
from sevedo.hw.rmc.sequencer import RmcSequencer
from sevedo.sim.layer import LayerRun, RtlCore
from sevedo.sim.player import SimulationError


@pytest.fixture(scope="module")
def small() -> RtlCore:
    """The small core, compiled once."""
    return RtlCore.build(SMALL)


def check_layer(core: RtlCore, shape: tuple[int, int, int, int], content: str = "normal", seed: int = 0,
                stall: tuple[float, float] = (0.0, 0.0)) -> LayerRun:  # fmt: skip
    """Every output bit of a layer equals the golden model's; the outputs are neither constant nor all saturated."""
    quantized, inputs, trace = layer(core.config, shape, content, seed)
    run = core.run(quantized, inputs, stall=stall, seed=seed)
    expected = trace.output_bits.numpy()
    assert run.output_bits.shape == expected.shape == (shape[0], shape[2])
    assert (run.output_bits == expected).all(), f"{(run.output_bits != expected).sum()} outputs differ"
    if content == "normal" and expected.size > 4:
        assert len(set(expected.reshape(-1).tolist())) > 2
        assert torch.isfinite(trace.output).all()
    return run


@pytest.mark.parametrize("stall_in", [0.0, 0.25, 0.75])
@pytest.mark.parametrize("stall_out", [0.0, 0.25, 0.75])
def test_lossless_under_stalls(small: RtlCore, stall_in: float, stall_out: float) -> None:
    check_layer(small, (6, 70, 5, 3), seed=int(10 * stall_in + 100 * stall_out), stall=(stall_in, stall_out))


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("rank", [0, 3])
def test_special_values(small: RtlCore, content: str, rank: int) -> None:
    check_layer(small, (9, 37, 5, rank), content, seed=4)


@pytest.mark.parametrize(
    "shape", [(1, 1, 1, 0), (1, 1, 1, 1), (4, 16, 2, 2), (5, 17, 3, 3), (40, 200, 30, 8)]
)
def test_shapes(small: RtlCore, shape: tuple[int, int, int, int]) -> None:
    check_layer(small, shape)


def test_extreme_codes(small: RtlCore) -> None:
    """All codes -8 on both sides with all shifts 0: the accumulator's extreme, which the quantizer never emits."""
    quantized, inputs, _ = layer(SMALL, (4, 32, 2, 0), seed=1)
    for tensor in (quantized.weight, inputs.quantized):
        tensor.codes.fill_(-8)
        tensor.fine.fill_(0)
    expected = quantized.compute(inputs)
    assert expected.residual.abs().min() > 0
    run = small.run(quantized, inputs)
    assert (run.output_bits == expected.output_bits.numpy()).all()


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("passes", [1, 2])
def test_every_scheme(scheme: str, passes: int) -> None:
    """Each scale scheme, codes of one digit and of two, under stalls and with everything that activations can hold."""
    # With two digits also the integer classes of the low-rank path.
    config = (SMALL if passes == 1 else CLASSES).with_scheme(scheme)
    config = config.replace(rmc__activation_passes=passes, rmc__weight_passes=passes)
    core = RtlCore.build(config)
    for case, content in enumerate(CONTENTS):
        stall = [(0.0, 0.0), (0.25, 0.25), (0.75, 0.0), (0.0, 0.75)][case % 4]
        check_layer(core, (6, 70, 5, case % 4), content, case, stall)


@pytest.mark.parametrize("passes", [(1, 1), (2, 1), (1, 2), (2, 2)])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_extremes_of_every_scheme(scheme: str, passes: tuple[int, int]) -> None:
    """All digits -8, all fine factors the largest: the accumulator's extreme, which the quantizer never emits."""
    config = SMALL.with_scheme(scheme).replace(rmc__activation_passes=2, rmc__weight_passes=2)
    core = RtlCore.build(config)
    seed = (passes[0] - 1) + 2 * (passes[1] - 1)
    quantized, inputs, _ = layer(config, (4, 32, 2, 0), seed=seed)
    level = config.groups.level
    for tensor, digits in ((inputs.quantized, passes[0]), (quantized.weight, passes[1])):
        assert tensor.scheme.digits == digits
        tensor.codes.fill_(-8 if digits == 1 else -128)
        tensor.fine.fill_(0 if level is FineLevel.SHIFT else level.largest(4))
    expected = quantized.compute(inputs)
    assert expected.residual.abs().min() > 0
    run = core.run(quantized, inputs)
    assert (run.output_bits == expected.output_bits.numpy()).all()
    assert run.counts["x"].beats == 8 * passes[0] * passes[1]


def test_declared_latency(small: RtlCore) -> None:
    """With rank 0 and no stalls, from the last operands of a tile to its first output."""
    quantized, inputs, _ = layer(SMALL, (4, 64, 2, 0))
    run = small.run(quantized, inputs)
    assert run.counts["y"].first - run.counts["x"].last == Core(SMALL).latency
    for scheme in ("fp-fine", "vs-quant"):
        config = SMALL.with_scheme(scheme)
        quantized, inputs, _ = layer(config, (4, 64, 2, 0))
        counts = RtlCore.build(config).run(quantized, inputs).counts
        assert counts["y"].first - counts["x"].last == Core(config).latency


def test_array_is_never_held_up(small: RtlCore) -> None:
    """Without a low-rank path and with room at the output, a beat goes in every cycle."""
    quantized, inputs, _ = layer(SMALL, (8, 256, 8, 0))
    counts = small.run(quantized, inputs).counts["x"]
    assert counts.beats == 2 * 4 * 64
    assert counts.last - counts.first + 1 == counts.beats


@pytest.mark.parametrize("seed", range(6))
def test_any_configuration(seed: int) -> None:
    """Random configurations (sizes, groups, formats, shift and code bits), each on random shapes and contents."""
    config = random_config(seed)
    core = RtlCore.build(config)
    for case in range(12):
        stall = [(0.0, 0.0), (0.25, 0.25), (0.75, 0.0), (0.0, 0.75)][case % 4]
        check_layer(
            core, random_shape(config, 100 * seed + case), CONTENTS[case % len(CONTENTS)], case, stall
        )


def test_size_never_changes_a_bit(small: RtlCore) -> None:
    """Other rows, columns, lanes and limits: the same output."""
    other = SMALL.replace(
        rmc__rows=3,
        rmc__cols=2,
        rmc__lanes=2,
        lvc__lanes=12,
        lvc__ranks=3,
        lvc__max_rank=9,
        lvc__queue=2,
        limits__inputs=90,
    )
    shape = (7, 75, 7, 4)
    outputs = []
    for core in (small, RtlCore.build(other)):
        quantized, inputs, _ = layer(core.config, shape, seed=5)
        outputs.append(core.run(quantized, inputs).output_bits)
    assert outputs[0].size == 49
    assert (outputs[0] == outputs[1]).all()


def test_gates_of_the_dot_product() -> None:
    """The same with every unit simulated by its gates, none by its definition."""
    check_layer(RtlCore.build(SMALL, gates=True), (9, 70, 5, 3), "outliers", seed=2, stall=(0.25, 0.25))


def test_waveform(tmp_path: Path) -> None:
    """A run can write a VCD, which names the signals of the hierarchy."""
    core = RtlCore.build(SMALL, waves=True)
    quantized, inputs, trace = layer(SMALL, (4, 16, 2, 0))
    run = core.run(quantized, inputs, waves=tmp_path / "run.vcd")
    assert (run.output_bits == trace.output_bits.numpy()).all()
    text = (tmp_path / "run.vcd").read_text()
    assert "$enddefinitions" in text
    assert "residual_matrix_core" in text or " rmc " in text


def test_too_large_layers_are_refused(small: RtlCore) -> None:
    for shape, field in (((257, 4, 4, 0), "limits.tokens"), ((4, 513, 4, 0), "limits.inputs"),
                         ((4, 4, 257, 0), "limits.outputs")):  # fmt: skip
        quantized, inputs, _ = layer(SMALL, shape)
        with pytest.raises(ConfigError, match=field):
            small.run(quantized, inputs)


def _is_caught(config: Config) -> bool:
    """Whether the suite's own check goes red on a core with a fault, built now."""
    core = RtlCore.build(config)
    try:
        for seed in range(4):
            check_layer(core, (9, 70, 5, 3), "outliers", seed)
    except (AssertionError, SimulationError):
        return True
    return False


class OffByOne(CoarseScaleUnit):
    """A coarse-scale unit that takes its sums for half of what they are."""

    def __init__(self, bits: int, places: int, *rest: Any) -> None:
        super().__init__(bits, places + 1, *rest)


class FewerSums(VectorLane):
    """A lane that lacks one of its sums."""

    def __init__(self, number: FloatFormat, slots: int, rounds: bool, pipeline: Pipeline) -> None:
        super().__init__(number, max(1, slots - 1), rounds, pipeline)


FAULTS = {
    "output rounded another way": (
        sevedo.hw.lvc.output, "Convert", functools.partial(Convert, rounding=Rounding.TOWARD_ZERO)
    ),
    "shift off by one": (sevedo.hw.rmc.rmc, "CoarseScaleUnit", OffByOne),
    "group boundary moved": (
        sevedo.hw.rmc.rmc, "RmcSequencer", lambda beats, command: RmcSequencer(beats - 1, command)
    ),
    "one sum too few": (sevedo.hw.lvc.expander, "VectorLane", FewerSums),
}  # fmt: skip
"""Deliberate faults: where, what, and by what it is replaced."""


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_caught(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module, name, replacement = FAULTS[fault]
    monkeypatch.setattr(module, name, replacement)
    assert _is_caught(SMALL)


def test_without_a_fault_nothing_is_caught() -> None:
    assert not _is_caught(SMALL)
