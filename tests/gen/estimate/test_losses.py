"""What an estimate says besides cycles: losses that add up, bounds in words, other arrays, operand bytes."""

from __future__ import annotations

import random
from dataclasses import astuple

import pytest
from layers import SMALL

from sevedo.gen.config import ConfigError, preset
from sevedo.gen.estimate import MODELS, LayerShape, ShapeError, estimate, mappings, parse_shape, workload
from sevedo.gen.estimate.hiding import floating_lanes, hiding, is_hidden
from sevedo.gen.estimate.report import WorkloadEstimate
from sevedo.ref.linear import quantize_linear
from sevedo.sim.schedule import schedule

CORE = preset("core")


def shape(tokens: int, inputs: int, outputs: int, rank: int = 0) -> LayerShape:
    """A layer without a name."""
    return LayerShape("", tokens, inputs, outputs, rank)


def test_shares_add_up_to_one() -> None:
    rng = random.Random(5)
    for _ in range(60):
        sizes = rng.randint(1, 90), rng.randint(1, 500), rng.randint(1, 250)
        found = estimate(
            SMALL.replace(lvc__lanes=rng.choice([2, 4, 8])), shape(*sizes, rng.choice([0, 0, 1, 8]))
        )
        losses = astuple(found.losses)
        assert min(losses) >= 0
        assert found.utilization + sum(losses) == pytest.approx(1, abs=1e-12)


def test_full_size_array_is_busy() -> None:
    """Issue 4: at least 99 % from the first beat to the last result; the simulations are in tests/exact."""
    for model, tokens in (("vit-base", 197), ("llama2-7b", 128)):
        for layer in workload(model, tokens, (0, 0, 0)).layers:
            found = estimate(CORE, layer)
            assert found.cycles.busy_share >= 0.99
            assert found.bound == "array"


def test_edge_tiles_of_197_tokens() -> None:
    found = estimate(CORE, shape(197, 768, 768))
    assert found.losses.tokens == pytest.approx(11 / 208 * found.cycles.busy_share)
    arrays = {(each.rows, each.cols): each for each in mappings(CORE, [shape(197, 768, 768)])}
    assert {rows * cols for rows, cols in arrays} == {256}
    assert len(arrays) == 9
    assert arrays[16, 16].lost == pytest.approx(11 / 208)
    assert arrays[32, 8].lost == pytest.approx(3 / 200)
    assert arrays[256, 1].lost == 0
    assert arrays[16, 16].operand_bytes < arrays[32, 8].operand_bytes < arrays[256, 1].operand_bytes
    assert arrays[16, 16].operand_bytes == 16 * (16 * 4 * 2 + 2 + 1 + 2 * 16 / 4) / 8


def test_outputs_lose_too() -> None:
    arrays = {(each.rows, each.cols): each for each in mappings(CORE, [shape(16, 64, 192)])}
    assert (arrays[256, 1].tokens, arrays[256, 1].outputs) == (0, 0.25)
    found = WorkloadEstimate.of(CORE, workload("smollm2-135m", 512, (0, 0, 0)))
    assert (found.best().rows, found.best().cols) == (16, 16)


@pytest.mark.parametrize(
    ("sizes", "bound"),
    [
        ((16, 4096, 4096, 0), "array"),
        ((1, 4096, 4096, 0), "token columns: 1 of 16 busy (decode)"),
        ((20, 768, 768, 0), "token columns: 4 of 16 busy in the last tile"),
        ((64, 4096, 5, 0), "output rows: 5 of 16 busy"),
        ((160, 70, 512, 0), "residual sums: 19 cycles a tile, beats 8"),
        ((160, 770, 512, 0), "array"),
        ((64, 129, 8192, 0), "residual sums: 19 cycles a tile, beats 12"),
        ((64, 330, 8192, 0), "padding of K: 10 of 64 used in the last coarse group"),
        ((16, 64, 16, 0), "fill and drain: 35 cycles"),
        (
            (128, 1536, 576, 32),
            "low-rank core: 384 lanes hide it (lanes 128, ranks 16, queue 23, output_tokens 2)",
        ),
    ],
)
def test_bound_in_words(sizes: tuple[int, int, int, int], bound: str) -> None:
    assert estimate(CORE, shape(*sizes)).bound == bound


@pytest.mark.parametrize(
    "sizes",
    [(128, 384, 384, 32), (197, 768, 3072, 32), (25, 384, 384, 32), (16, 1536, 576, 32), (64, 4096, 4096, 8)],
)
def test_lanes_that_hide_the_low_rank_path_do(sizes: tuple[int, int, int, int]) -> None:
    layer = shape(*sizes)
    found = hiding(CORE, layer)
    assert found is not None
    assert is_hidden(found, layer)
    assert estimate(found, layer).losses.low_rank <= 0.03
    if not is_hidden(CORE, layer):
        assert f"{floating_lanes(found)} lanes hide it" in estimate(CORE, layer)._words("low_rank")
        lvc = found.lvc
        for name, less in (("ranks", lvc.ranks - 1), ("queue", lvc.queue - 1), ("lanes", lvc.lanes // 2)):
            if less >= getattr(CORE.lvc, name) and (name != "lanes" or less % found.lvc.output_tokens == 0):
                assert not is_hidden(found.replace(**{f"lvc__{name}": less}), layer), name


def test_what_cannot_be_hidden_is_said() -> None:
    """A projection longer than the whole of the array's work, however many lanes there are."""
    layer = shape(16, 512, 64, 32)
    assert hiding(CORE, layer) is None
    found = estimate(CORE, layer)
    assert found.bound == "low-rank core: no number of lanes hides it"
    assert found.row()["to_hide_low_rank"] is None


def test_operand_bytes_are_those_of_the_schedule() -> None:
    import torch

    tokens, inputs, outputs, rank = 6, 40, 5, 3
    generator = torch.Generator().manual_seed(1)
    weight = torch.randn(outputs, inputs, generator=generator, dtype=torch.float64)
    x = torch.randn(tokens, inputs, generator=generator, dtype=torch.float64)
    layer = quantize_linear(weight, None, x, SMALL, rank)
    beats = {name: len(each.order) for name, each in schedule(layer, layer.prepare(x)).streams.items()}
    rows, cols, lanes = SMALL.rmc.rows, SMALL.rmc.cols, SMALL.rmc.lanes
    bits = {
        "x": beats["x"] * cols * (4 * lanes + 2) + beats["x_scale"] * cols * 16,
        "w": beats["w"] * rows * (4 * lanes + 1) + beats["w_scale"] * rows * 16,
        "token": beats["token"] * cols * 16,
        "v": beats["v"] * SMALL.lvc.ranks * 16,
        "u": beats["u"] * SMALL.lvc_tiles * rows * 16,
        "bias": beats["bias"] * rows * 16,
    }
    found = estimate(SMALL, shape(tokens, inputs, outputs, rank))
    assert {name: round(each * found.cycles.cycles * 8) for name, each in found.operand_bytes.items()} == bits


def test_wide_codes_take_passes() -> None:
    config = CORE.replace(rmc__activation_passes=2, rmc__weight_passes=2)
    single = estimate(config, shape(64, 768, 768)).cycles
    double = estimate(config, LayerShape("", 64, 768, 768, 0, 1, 2)).cycles
    both = estimate(config, LayerShape("", 64, 768, 768, 0, 2, 2))
    assert (double.busy, both.cycles.busy) == (2 * single.busy, 4 * single.busy)
    assert both.cycles.cycles - both.cycles.busy == single.cycles - single.busy
    assert both.utilization > 0.99


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (shape(65537, 64, 64), "tokens T=65537 must be at most limits.tokens=65536"),
        (shape(1, 16385, 64), "inputs K=16385 must be at most limits.inputs=16384"),
        (shape(1, 64, 65537), "outputs N=65537 must be at most limits.outputs=65536"),
        (shape(1, 128, 128, 65), "rank=65 must be at most lvc.max_rank=64"),
        (LayerShape("", 1, 64, 64, 0, 2, 1), "activation_passes=2 must be at most rmc.activation_passes=1"),
        (LayerShape("", 1, 64, 64, 0, 1, 2), "weight_passes=2 must be at most rmc.weight_passes=1"),
    ],
)
def test_layer_beyond_the_limits_is_refused(layer: LayerShape, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        estimate(CORE, layer)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1,2",
        "1,2,3,4,5",
        "0,1,1",
        "1,0,1",
        "1,1,0",
        "-1,1,1",
        "1.5,2,3",
        "a,b,c",
        "1,2,3,",
        "9" * 5000,
        "4,4,4,5",
    ],
)
def test_bad_shape_is_refused(text: str) -> None:
    with pytest.raises(ShapeError, match=r"^shape="):
        parse_shape(text, (0, 0, 0))


def test_shape_is_read_with_its_rank() -> None:
    assert parse_shape(" 5, 70,3", (32, 0, 0)) == LayerShape("5 x 70 x 3", 5, 70, 3, 3)
    assert parse_shape("5,70,30,0", (32, 0, 0)).rank == 0


def test_models_have_their_parameters() -> None:
    """Weights of all linear layers of the blocks, as published or counted in the files of docs/workloads."""
    weights = {name: sum(k * n * count for _, k, n, count in model.layers) for name, model in MODELS.items()}
    assert weights["vit-base"] == 12 * (4 * 768**2 + 2 * 768 * 3072)
    assert weights["llama2-7b"] == 32 * (4 * 4096**2 + 3 * 4096 * 11008)
    assert weights["minilm"] == 6 * (4 * 384**2 + 2 * 384 * 1536)
    assert weights["smollm2-135m"] == 30 * (2 * 576**2 + 2 * 576 * 192 + 3 * 576 * 1536)
