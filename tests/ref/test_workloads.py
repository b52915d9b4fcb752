"""all-MiniLM-L6-v2 in float32 and its layers, and clear errors without the packages."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from sevedo.gen.config import FP16, preset
from sevedo.ref.grouped import GroupScheme
from sevedo.ref.linear import quantize_linear
from sevedo.ref.metrics import exact_linear, per_token_int4, relative_error
from sevedo.ref.models.minilm import MiniLm
from sevedo.ref.models.similarity import pearson
from sevedo.ref.quantizers.base import Quantizer
from sevedo.ref.rounding import round_to
from sevedo.ref.rows import quantize_activations, quantize_weights
from sevedo.ref.workloads import SENTENCES, WorkloadError, news, packaged_file, rated_news


@pytest.fixture(scope="module")
def model() -> Iterator[MiniLm]:
    try:
        model = MiniLm()
    except WorkloadError as error:
        pytest.skip(str(error))
    # On a machine shared with other work, waiting for a second thread costs more than it gives.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield model
    torch.set_num_threads(threads)


def test_similarity_agrees_with_people(model: MiniLm) -> None:
    """Pearson 0.6564 against the ratings of 1,225 pairs of news: the published model's own figure."""
    try:
        texts, rated = rated_news()
    except WorkloadError as error:
        pytest.skip(str(error))
    assert len(texts) == 50
    assert len(news()) == 300
    embeddings = torch.stack([model.embed(text) for text in texts])
    assert round(pearson(embeddings, rated), 4) == 0.6564


def test_layers_of_a_block_are_real(model: MiniLm) -> None:
    layers = model.block_layers(SENTENCES[0], 2)
    assert [tuple(layer.weight.shape) for layer in layers] == [(384, 384)] * 4 + [(1536, 384), (384, 1536)]
    tokens = layers[0].activations.shape[0]
    assert 16 < tokens < 64
    for layer in layers:
        assert layer.activations.shape == (tokens, layer.weight.shape[1])
        assert layer.bias.shape == (layer.weight.shape[0],)
        assert layer.name.startswith("encoder.layer.2.")
    with pytest.raises(ValueError, match="block=6 must be between 0 and 5"):
        model.block_layers(SENTENCES[0], 6)


def test_w4a4_of_a_real_block_beats_per_token_int4(model: MiniLm) -> None:
    config = preset("tiny")
    calibration = [model.block_layers(text, 0) for text in SENTENCES[1:]]
    for index, layer in enumerate(model.block_layers(SENTENCES[0], 0)):
        known = torch.cat([layers[index].activations for layers in calibration])
        q = quantize_linear(layer.weight, layer.bias, known, config, 32)
        reference = exact_linear(layer.activations, layer.weight, layer.bias)
        error = relative_error(q.run(layer.activations).output, reference)
        plain = relative_error(per_token_int4(layer.activations, layer.weight, layer.bias), reference)
        assert error < 0.13
        assert error < 0.6 * plain


def excess(values: list[torch.Tensor], scheme: GroupScheme) -> float:
    """Squared error of activations over that of the same values quantized as weights are, the mean of all layers."""
    ratios = []
    for x in values:
        best = (quantize_weights(x, scheme).dequantize() - x).square().sum()
        ratios.append(float((quantize_activations(x, scheme).dequantize() - x).square().sum() / best))
    return sum(ratios) / len(ratios)


@pytest.mark.parametrize(
    ("name", "digits", "bound"),
    [("hgq", 1, 1.02), ("hgq", 2, 1.005), ("vs-quant", 1, 1.11), ("mx", 1, 1.03), ("mx", 2, 1.012)],
)
def test_rules_are_close_to_the_best(
    model: MiniLm, monkeypatch: pytest.MonkeyPatch, name: str, digits: int, bound: float
) -> None:
    """The rules of docs/numerics.md on real activations against the least squared error; one step less is worse."""
    config = preset("tiny").replace(groups__scheme=name, rmc__activation_passes=2)
    scheme = GroupScheme.activations(config, digits)
    layers = [layer for block in range(0, 6, 2) for layer in model.block_layers(SENTENCES[0], block)]
    values = [round_to(layer.activations, FP16) for layer in layers]
    found = excess(values, scheme)
    assert 1 < found < bound
    if name != "vs-quant":
        monkeypatch.setattr(Quantizer, "limit", property(lambda self: self.scheme.qmax + 2 - digits))
        assert excess(values, scheme) > found + (0.02 if digits == 1 else 0.003)


def test_missing_packages_are_named() -> None:
    with pytest.raises(
        WorkloadError, match=r"package no-such-package==1.0 is missing; install it with: pip install"
    ):
        packaged_file("no-such-package==1.0", "data")
    with pytest.raises(WorkloadError, match=r"package numpy==2 has no file no/such/file"):
        packaged_file("numpy==2", "no/such/file")
