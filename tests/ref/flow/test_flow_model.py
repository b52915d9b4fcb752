"""Whole modules through the flow: small random ones, and a layer of MiniLM."""

import copy
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from sevedo.gen.config import Config, preset
from sevedo.ref.flow.layer import fit_layer, record
from sevedo.ref.flow.model import one_thread, quantize
from sevedo.ref.flow.modules import FakeLinear, GoldenLinear, install
from sevedo.ref.flow.recipe import Recipe
from sevedo.ref.flow.seen import calibrate
from sevedo.ref.flow.statistics import Collector
from sevedo.ref.flow.store import LayerRecord, Progress
from sevedo.ref.flow.trained import TrainedLinear
from sevedo.ref.grouped import LEVELS
from sevedo.ref.linear import QuantizedLinear
from sevedo.ref.models.minilm import MiniLm
from sevedo.ref.rounding import round_to
from sevedo.ref.workloads import SENTENCES

CORE = preset("core")


class Net(nn.Module):
    """Two layers, of sizes that no group divides."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.act, self.second = nn.Linear(100, 150), nn.ReLU(), nn.Linear(150, 60, bias=False)

    def forward(self, x: Tensor, gain: float | Tensor = 1.0) -> Tensor:
        return self.second(self.act(self.first(x))) * gain


class Memory:
    """A store that counts."""

    def __init__(self) -> None:
        self.layers: dict[str, QuantizedLinear] = {}
        self.records: dict[str, LayerRecord] = {}
        self.loaded = 0

    def load(self, name: str) -> QuantizedLinear | None:
        self.loaded += name in self.layers
        return self.layers.get(name)

    def save(self, name: str, layer: QuantizedLinear, record: LayerRecord) -> None:
        self.layers[name], self.records[name] = layer, record


@pytest.fixture
def net() -> Net:
    torch.manual_seed(3)
    return Net().requires_grad_(False)


@pytest.fixture
def batches() -> list[Tensor]:
    torch.manual_seed(4)
    scales = torch.randn(100).mul(1.5).exp()
    return [torch.randn(2, 64, 100) * scales for _ in range(8)]


def error(module: nn.Module, reference: nn.Module, x: Tensor) -> float:
    want = reference(x)
    return float((module(x) - want).norm() / want.norm())


PLAIN = Recipe(rank=0, smoothing="none", classes="fp16", rounding="nearest", clips=(1.0,), tune_steps=0)
STEPS = [
    replace(PLAIN, smoothing="balance"),
    replace(PLAIN, smoothing="balance", rank=16),
    replace(PLAIN, smoothing="balance", rank=16, rounding="compensated", clips=Recipe().clips),
]


@pytest.mark.parametrize("scheme", LEVELS)
def test_every_step_helps_in_every_scheme(net: Net, batches: list[Tensor], scheme: str) -> None:
    config, found = CORE.with_scheme(scheme), []
    for recipe in [PLAIN, *STEPS]:
        module = copy.deepcopy(net)
        quantize(module, batches[1:], config, recipe, golden=False)
        found.append(error(module, net, batches[0]))
    plain, _, split, compensated = found
    assert compensated < 0.85 * split < 0.75 * plain, found


@pytest.mark.parametrize(
    "recipe",
    [
        Recipe(rank=16, classes="fp16", tune_steps=0),
        Recipe(rank=16, classes="int8", smoothing="peak", rounding="nearest", tune_steps=0),
        Recipe(rank=16, classes="svd-mp", fp_rank=4, int8_rank=4, tune_steps=2, objective="error"),
        Recipe(rank=16, classes="random", fp_rank=4, int8_rank=4, tune_steps=0),
    ],
    ids=lambda recipe: recipe.classes,
)
def test_the_fast_module_is_near_the_golden_one(net: Net, batches: list[Tensor], recipe: Recipe) -> None:
    config = CORE.model_copy(update={"lvc": CORE.lvc.model_copy(update={"int8_ranks": 16})})
    fast, golden = copy.deepcopy(net), copy.deepcopy(net)
    layers = quantize(fast, batches, config, recipe, golden=False)
    assert list(layers) == ["first", "second"]
    assert all(isinstance(m, FakeLinear) for m in (fast.first, fast.second))
    install(golden, layers)
    assert isinstance(golden.first, GoldenLinear)
    assert error(fast, golden, batches[0]) < 4e-3
    assert error(golden, net, batches[0]) > 0.02


def test_codes_of_z_are_those_of_the_digits(net: Net, batches: list[Tensor]) -> None:
    """Digits of three bits: z reaches 27, not 119; components far beyond the calibration are clamped alike."""
    config = CORE.replace(numbers__activation_bits=3, numbers__weight_bits=3, lvc__int8_ranks=16)
    fast, golden = copy.deepcopy(net), copy.deepcopy(net)
    recipe = Recipe(rank=16, classes="int8", tune_steps=0)
    install(golden, quantize(fast, batches, config, recipe, golden=False))
    assert error(fast, golden, 8 * batches[0]) < 4e-3


def test_bf16_data(net: Net, batches: list[Tensor]) -> None:
    config = CORE.model_copy(update={"numbers": CORE.numbers.model_copy(update={"data": "bf16"})})
    golden = copy.deepcopy(net)
    recipe = Recipe(rank=16, tune_steps=2)
    fast = copy.deepcopy(net)
    for name, layer in quantize(fast, batches, config, recipe, golden=False).items():
        for numbers in (layer.u, layer.v, layer.multiplier, layer.bias):
            assert torch.equal(numbers, numbers.to(torch.bfloat16).double()), name
    install(
        golden, {name: child.layer for name, child in fast.named_modules() if isinstance(child, FakeLinear)}
    )
    assert error(fast, golden, batches[0]) < 5e-3  # two layers of outputs rounded to 8 bits: 0.0039 to 0.0042


def test_svd_mp_is_nearer_to_floating_point_than_random_classes(net: Net, batches: list[Tensor]) -> None:
    batches[0][0, 0] *= 5  # a massive token: the components it shows in need FP16
    found = {}
    for classes in ("fp16", "svd-mp", "random"):
        module = copy.deepcopy(net)
        recipe = Recipe(rank=32, classes=classes, tune_steps=0)
        layers = quantize(module, batches[:-1], CORE, recipe, golden=False)
        found[classes] = error(module, net, batches[-1])
        assert layers["first"].rank == (32 if classes == "fp16" else 8)
        assert [part.ranks for part in layers["first"].classes] == ([] if classes == "fp16" else [8, 16])
    assert found["fp16"] < found["svd-mp"] < 0.8 * found["random"], found


@pytest.mark.parametrize("objective", ["error", "divergence"])
def test_tuning_lessens_the_loss(net: Net, batches: list[Tensor], objective: str) -> None:
    steps: list[Progress] = []
    recipe = Recipe(rank=8, tune_steps=64, tune_rate=0.001, objective=objective)
    layers = quantize(net, batches, CORE, recipe, progress=steps.append)
    losses = [step.after for step in steps if step.stage == "tune"]
    assert len(losses) == 64
    assert sum(losses[-8:]) < 0.97 * sum(losses[:8])
    for layer in layers.values():
        for numbers in (layer.u, layer.v, layer.multiplier, layer.bias):
            assert torch.equal(numbers, numbers.to(torch.float16).double())
        assert float(layer.bias.abs().max()) > 0


def test_tuning_leaves_codes_of_one_digit_alone(net: Net, batches: list[Tensor]) -> None:
    recipe = Recipe(rank=16, classes="svd-mp", fp_rank=4, int8_rank=4, tune_steps=0)
    before = quantize(copy.deepcopy(net), batches, CORE, recipe)
    after = quantize(copy.deepcopy(net), batches, CORE, replace(recipe, tune_steps=8))
    for name, layer in before.items():
        tuned = after[name]
        assert torch.equal(layer.weight.codes, tuned.weight.codes)
        assert not torch.equal(layer.u, tuned.u)
        for old, new in zip(layer.classes, tuned.classes, strict=True):
            assert (old.digits, old.ranks) == (new.digits, new.ranks)
            # What is learnt is small, and so is what coding again adds.
            moved = float((new.matrix() - old.matrix()).norm() / old.matrix().norm())
            assert (moved == 0) if old.digits == 1 else (0 < moved < 0.1)


@pytest.mark.parametrize("scheme", ["hgq", "vs-quant", "fp-fine", "coarse", "mx"])
def test_scales_of_the_residual_are_trained_where_they_can_be(
    net: Net, batches: list[Tensor], scheme: str
) -> None:
    config = CORE.with_scheme(scheme)
    recipe = Recipe(rank=8, classes="fp16", tune_steps=0)
    before = quantize(copy.deepcopy(net), batches, config, recipe)
    after = quantize(copy.deepcopy(net), batches, config, replace(recipe, tune_steps=8))
    for name, layer in before.items():
        old, new = layer.weight, after[name].weight
        assert torch.equal(old.codes, new.codes)
        assert torch.equal(old.fine, new.fine)
        assert torch.equal(round_to(new.scales, new.scheme.scale), new.scales)
        moved = ((new.scales - old.scales) / old.scales).abs()
        assert (float(moved.max()) == 0) if scheme == "mx" else (1e-4 < float(moved.mean()) < 0.05)


def test_coding_again_what_was_not_trained_changes_little(net: Net, batches: list[Tensor]) -> None:
    recipe = Recipe(rank=16, classes="svd-mp", fp_rank=4, int8_rank=8, tune_steps=0)
    for layer in quantize(copy.deepcopy(net), batches, CORE, recipe).values():
        again = TrainedLinear(layer).finish()
        for old, new in zip(layer.classes, again.classes, strict=True):
            assert float((new.matrix() - old.matrix()).norm()) <= 0.004 * float(old.matrix().norm())


def test_progress_and_records(net: Net, batches: list[Tensor]) -> None:
    told: list[Progress] = []
    store = Memory()
    quantize(net, batches, CORE, Recipe(rank=8, tune_steps=1), store=store, progress=told.append)
    assert [(p.stage, p.name, p.index, p.count) for p in told] == [
        *[("calibrate", "", n + 1, 8) for n in range(8)],
        ("layer", "first", 1, 2),
        ("layer", "second", 2, 2),
        ("tune", "", 1, 1),
    ]
    for step, name in ((told[8], "first"), (told[9], "second")):
        kept = store.records[name]
        assert (step.before, step.after) == (kept.before, kept.after)
        assert 0 < kept.after < kept.before < 1
        assert kept.seconds > 0
        assert set(kept.to_json()) == {"before", "after", "seconds"}


def test_threads_are_given_back(net: Net, batches: list[Tensor]) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        quantize(net, batches, CORE, Recipe(rank=8, tune_steps=0))
        assert torch.get_num_threads() == 2
        with one_thread():
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2
        bad = Net().requires_grad_(False)
        bad.second.weight[3, 4] = torch.nan
        with pytest.raises(ValueError, match="values that are not finite"):
            quantize(bad, batches, CORE, Recipe(rank=8, tune_steps=0))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_an_interrupted_run_continues_and_ends_the_same(net: Net, batches: list[Tensor]) -> None:
    recipe, whole = Recipe(rank=8, tune_steps=3, objective="error"), Memory()
    expected = quantize(copy.deepcopy(net), batches, CORE, recipe, store=whole)
    store = Memory()

    def stop(step: Progress) -> None:
        if step.stage == "layer":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        quantize(copy.deepcopy(net), batches, CORE, recipe, store=store, progress=stop)
    assert list(store.layers) == ["first"]
    again = quantize(copy.deepcopy(net), batches, CORE, recipe, store=store)
    assert store.loaded == 1
    for name, layer in expected.items():
        assert torch.equal(layer.weight.codes, again[name].weight.codes)
        assert torch.equal(layer.u, again[name].u)
        assert torch.equal(layer.multiplier, again[name].multiplier)


def test_one_calibration_serves_several_configurations(net: Net, batches: list[Tensor]) -> None:
    recipe = Recipe(rank=16, tune_steps=2)
    seen = calibrate(net, [(batch,) for batch in batches], recipe)
    for scheme in ("hgq", "mx"):
        config = CORE.with_scheme(scheme)
        told: list[Progress] = []
        one = quantize(copy.deepcopy(net), batches, config, recipe)
        two = quantize(copy.deepcopy(net), batches, config, recipe, seen=seen, progress=told.append)
        assert "calibrate" not in {step.stage for step in told}
        for name, layer in one.items():
            assert torch.equal(layer.weight.codes, two[name].weight.codes)
            assert torch.equal(layer.u, two[name].u)
    assert set(seen.statistics) == {"first", "second"}


def test_tuning_is_much_the_same_on_any_processor(
    net: Net, batches: list[Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Factors are in bfloat16 where the processor multiplies it, else in float32; with integer classes too."""
    found = {}
    for kind in (torch.float32, torch.bfloat16):
        monkeypatch.setattr("sevedo.ref.flow.trained.product_type", lambda kind=kind: kind)
        told: list[Progress] = []
        layers = quantize(
            copy.deepcopy(net), batches, CORE, Recipe(tune_steps=4), golden=False, progress=told.append
        )
        assert [part.ranks for part in layers["first"].classes] == [8, 16]
        found[kind] = [step.after for step in told if step.stage == "tune"]
    assert found[torch.float32] != found[torch.bfloat16]
    assert found[torch.float32] == pytest.approx(found[torch.bfloat16], rel=0.1)


def test_modules_are_called_with_tuples_too_and_keep_their_mode(net: Net, batches: list[Tensor]) -> None:
    quantize(
        net.train(), [(batch, torch.tensor(2.0)) for batch in batches], CORE, Recipe(rank=4, tune_steps=0)
    )
    assert net.training


def test_what_cannot_be_quantized_is_refused(net: Net, batches: list[Tensor]) -> None:
    def refuses(message: str, module: nn.Module, data: list[Tensor], config: Config, recipe: Recipe) -> None:
        with pytest.raises(ValueError, match=message) as caught:
            quantize(module, data, config, recipe)
        assert "\n" not in str(caught.value)

    refuses("calibration holds 0 tokens; at least 300 are needed", net, [], CORE, Recipe())
    few = [batches[0][:, :3]]
    refuses(
        "calibration brings 6 tokens to layer first; at least 200 are needed: 2 for each",
        net,
        few,
        CORE,
        Recipe(),
    )
    refuses("module ReLU holds no nn.Linear", nn.ReLU(), batches, CORE, Recipe())
    refuses(
        "rank=65 with classes='fp16' needs lvc.max_rank=65, not 64",
        net,
        batches,
        CORE,
        Recipe(65, classes="fp16"),
    )
    refuses("rank=89 with classes='svd-mp' needs lvc.max_rank=65, not 64", net, batches, CORE, Recipe(89))
    refuses(
        "classes='int8' needs lvc.int8_ranks=32, not 8", net, batches, CORE, replace(Recipe(), classes="int8")
    )
    net.second.weight[3, 4] = torch.nan
    refuses("second: weight holds 1 values that are not finite", net, batches, CORE, Recipe())
    assert isinstance(net.first, nn.Linear)


def test_a_real_layer() -> None:
    model = MiniLm()
    layers = [model.block_layers(text, 3)[5] for text in SENTENCES]
    x = torch.cat([layer.activations for layer in layers])
    weight, bias = layers[0].weight, layers[0].bias
    collector = Collector(x.shape[1], len(x))
    collector.add(x, x @ weight.T + bias)
    seen = collector.finish()
    fitted = fit_layer(weight, bias, seen, CORE, Recipe())
    told = record(fitted, weight, bias, seen, 0.0)
    assert told.after < 0.6 * told.before
    golden, fast = GoldenLinear(fitted)(x), FakeLinear(fitted)(x)
    assert float((golden - fast).norm() / golden.norm()) < 2e-3
