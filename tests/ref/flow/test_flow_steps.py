"""Each step of the flow alone: what it promises, on data where it can be told."""

import pytest
import torch
from torch import Tensor

from sevedo.gen.config import BF16, E8M0, FP16, FloatFormat, preset
from sevedo.ref.flow.classes import assign, prices
from sevedo.ref.flow.fake import fake_activations, rounded
from sevedo.ref.flow.recipe import Recipe
from sevedo.ref.flow.rounding import round_weights, upper_inverse
from sevedo.ref.flow.smoothing import multiplier
from sevedo.ref.flow.split import leading, placed
from sevedo.ref.flow.statistics import SAMPLE, Collector, LayerStatistics
from sevedo.ref.flow.targets import loss, remember
from sevedo.ref.grouped import LEVELS, GroupScheme
from sevedo.ref.rounding import round_to
from sevedo.ref.rows import quantize_activations, quantize_weights

CORE = preset("core")
ALL = [CORE.with_scheme(name) for name in LEVELS]


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(7)


def wild(rows: int, inputs: int) -> Tensor:
    """Numbers of FP16 over many binades, a group of zeros among them."""
    x = torch.randn(rows, inputs) * torch.randn(inputs).mul(2).exp()
    x[0, :64] = 0
    return x.to(torch.float16).float()


def seen(x: Tensor) -> LayerStatistics:
    collector = Collector(x.shape[1], len(x))
    collector.add(x, torch.ones(len(x), 1))
    return collector.finish()


@pytest.mark.parametrize("config", ALL, ids=list(LEVELS))
@pytest.mark.parametrize("digits", [1, 2])
def test_fake_activations_are_the_golden_ones_but_for_ties(config, digits: int) -> None:
    scheme = GroupScheme.activations(config, digits)
    x = wild(200, 150)
    golden = quantize_activations(x.double(), scheme).dequantize().float()
    other = (fake_activations(x, scheme) != golden).float().mean()
    assert float(golden.abs().max()) > 0
    assert float(other) < 2e-3


@pytest.mark.parametrize("fmt", [FP16, BF16, E8M0], ids=lambda fmt: fmt.name)
def test_scales_are_rounded_as_in_the_contract(fmt: FloatFormat) -> None:
    from sevedo.gen.config import Rounding

    x = torch.cat(
        [torch.zeros(1), torch.rand(500) * torch.randn(500).mul(4).exp(), torch.tensor([0.25, 1.0])]
    )
    rule = Rounding.NEAREST_EVEN if fmt.has_zero else Rounding.TOWARD_POSITIVE
    assert torch.equal(rounded(x, fmt).double(), round_to(x.double(), fmt, rule))


@pytest.mark.parametrize("config", ALL, ids=list(LEVELS))
def test_rounding_to_nearest_is_the_golden_one_but_for_ties(config) -> None:
    scheme, w = GroupScheme.weights(config), torch.randn(40, 100)
    ours, golden = round_weights(w, scheme, None), quantize_weights(w.double(), scheme)
    assert ours.codes.shape == golden.codes.shape
    assert ours.fine.shape == golden.fine.shape
    assert ours.codes.dtype == torch.int8
    assert ours.fine.dtype == torch.uint8
    assert float((ours.codes != golden.codes).float().mean()) < 2e-3
    assert torch.equal(ours.scales, golden.scales)


@pytest.mark.parametrize("config", ALL, ids=list(LEVELS))
def test_compensation_lessens_the_output_error(config) -> None:
    scheme, w = GroupScheme.weights(config), torch.randn(48, 130)
    x = torch.randn(600, 20) @ torch.randn(20, 130) + 0.1 * torch.randn(600, 130)
    factor = upper_inverse(x.T @ x / 600, 0.01)

    def error(how: Tensor | None) -> float:
        lost = round_weights(w, scheme, how).dequantize().float() - w
        return float((x @ lost.T).square().sum())

    assert error(factor) < 0.6 * error(None)


def test_clipping_lessens_the_error_of_heavy_tails() -> None:
    scheme = GroupScheme.weights(CORE)
    w = torch.randn(64, 128) ** 3
    lost = [
        float((round_weights(w, scheme, None, clips).dequantize() - w).square().sum())
        for clips in ((1.0,), (1.0, 0.9, 0.8))
    ]
    assert lost[1] < lost[0]


def test_the_inverse_factor_of_a_singular_gram_is_finite() -> None:
    for gram in (torch.zeros(8, 8), torch.ones(8, 8), torch.diag(torch.tensor([1.0, 0, 1e-20, 1e20]))):
        assert bool(torch.isfinite(upper_inverse(gram, 0.03)).all())


def test_the_split_finds_the_leading_components() -> None:
    w = torch.randn(90, 8) @ torch.randn(8, 70) * 10 + 0.01 * torch.randn(90, 70)
    u, v = leading(w, 8)
    exact = torch.linalg.svdvals(w)
    assert float((w - u @ v).norm()) < 1.001 * float(exact[8:].square().sum().sqrt())
    torch.testing.assert_close(v @ v.T, torch.eye(8), atol=1e-5, rtol=0)
    torch.testing.assert_close(u.norm(dim=0), exact[:8], rtol=1e-3, atol=0)
    assert leading(w, 0)[0].shape == (90, 0)
    assert leading(w, 500)[1].shape == (70, 70)


def test_placed_factors_keep_the_product_and_bring_z_to_its_place() -> None:
    u, v = leading(torch.randn(50, 60), 4)
    x = torch.randn(300, 60)
    a, b = placed(u, v, x)
    torch.testing.assert_close(a @ b, u @ v, atol=5e-3, rtol=0)
    peaks = (x @ b.T).abs().amax(0)
    assert bool(((peaks > 2**7) & (peaks < 2**9)).all())


@pytest.mark.parametrize("kind", ["peak", "balance"])
def test_smoothing_takes_outliers_off_the_inputs(kind: str) -> None:
    x, w = torch.randn(500, 64), torch.randn(32, 64)
    x[:, 5] *= 100
    m = multiplier(w, seen(x), 4, kind)
    assert torch.equal(m, m.to(torch.float16).float())
    assert bool((m > 0).all())
    spread = (x * m).abs().amax(0)
    assert float(spread.max() / spread.median()) < 0.3 * float(
        x.abs().amax(0).max() / x.abs().amax(0).median()
    )
    assert torch.equal(multiplier(w, seen(x), 4, "none"), torch.ones(64))


def test_dead_channels_are_left_alone() -> None:
    x, w = torch.randn(100, 64), torch.randn(32, 64)
    x[:, 3] = 0
    w[:, 4] = 0
    for kind in ("peak", "balance"):
        assert bool(torch.isfinite(multiplier(w, seen(x), 4, kind)).all())


def test_a_massive_token_does_not_outweigh_the_others() -> None:
    x = torch.randn(400, 16)
    x[7] *= 1000
    collector = Collector(16, 400)
    collector.add(x[:200], x[:200])
    collector.add(x[200:], x[200:])
    found = collector.finish()
    assert found.tokens == 400
    assert len(found.sample) == len(found.shares) == 400
    assert float(found.gram.trace()) < 16


@pytest.mark.parametrize("expected", [1, 1500, 4096, 9000])
def test_the_sample_is_spread_over_the_tokens_that_are_expected(expected: int) -> None:
    """Every so many-th token, however they come in batches and however many come."""
    torch.manual_seed(6)
    x = torch.randn(4096, 8)
    collector = Collector(8, expected)
    for part in x.split([1000, 1, 95, 2000, 1000]):
        collector.add(part, part)
    found = collector.finish()
    assert torch.equal(found.sample, x[:: max(1, expected // SAMPLE)])
    assert len(found.shares) == len(found.sample)
    assert 0 < float(found.shares.min()) < float(found.shares.max()) < 1


def test_components_with_a_wide_z_stay_in_floating_point() -> None:
    config = CORE
    x = torch.randn(500, 64).to(torch.float16).float()
    u, v = leading(torch.randn(96, 64), 32)
    x[3] += 300 * v[20]
    recipe = Recipe(classes="svd-mp", fp_rank=8, int8_rank=8)
    shares = torch.ones(500)
    found = prices(u, v, x, shares, config)
    assert int(found.dynamic.argmax()) == 20
    assert bool((found.static4 > found.static8).all())
    chosen = assign(u, v, x, shares, config, recipe)
    assert 20 in chosen.fp16.tolist()
    assert [len(chosen.fp16), len(chosen.int8), len(chosen.int4)] == [8, 8, 16]
    assert sorted(torch.cat(chosen).tolist()) == list(range(32))
    assert assign(u, v, x, shares, config, Recipe(classes="int8")).int8.tolist() == list(range(32))
    assert assign(u, v, x, shares, config, Recipe(classes="fp16")).fp16.tolist() == list(range(32))


def test_divergence_of_kept_logits_is_that_of_all() -> None:
    logits, other = torch.randn(20, 2000) * 4, torch.randn(20, 2000)
    exact = torch.nn.functional.kl_div(
        torch.log_softmax(logits + 0.1 * other, -1),
        torch.log_softmax(logits, -1),
        log_target=True,
        reduction="sum",
    )
    found = loss(logits + 0.1 * other, remember(logits, "divergence"))
    assert float(found) == pytest.approx(float(exact) / 20, rel=0.05)
    assert float(loss(logits, remember(logits, "divergence"))) == pytest.approx(0, abs=1e-3)
    assert float(loss(2 * logits, remember(logits, "error"))) == pytest.approx(1)
