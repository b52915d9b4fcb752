"""Flow and models: modules give what the plain models give; the fast path gives what the golden path gives."""

import pytest
import torch

from sevedo.gen.config import preset
from sevedo.ref.flow.golden import golden_layer
from sevedo.ref.flow.layer import Recipe, fit_layer
from sevedo.ref.grouped import GroupScheme
from sevedo.ref.models.minilm import minilm
from sevedo.ref.models.perplexity import perplexity
from sevedo.ref.workloads import SENTENCES, MiniLm


def test_minilm_module_gives_the_same_embeddings() -> None:
    plain, module = MiniLm(), minilm()
    for text in SENTENCES:
        tokens = torch.tensor([plain._tokenizer.encode(text).ids])
        torch.testing.assert_close(module(tokens)[0], plain.embed(text), atol=1e-6, rtol=0)


def test_fast_layer_is_near_the_golden_one() -> None:
    torch.manual_seed(1)
    config = preset("core")
    x, w = torch.randn(256, 100) * torch.rand(100).exp(), torch.randn(40, 100)
    schemes = GroupScheme.activations(config), GroupScheme.weights(config)
    fitted = fit_layer(x, x @ w.T, w, torch.randn(40), Recipe(rank=8, smoothing="rms", refits=1), *schemes)
    golden = golden_layer(fitted, config)
    assert torch.equal(golden.weight.dequantize().float(), fitted.weight())
    other, fast = golden.run(x).output.float(), fitted.run(x)
    assert float((other - fast).norm() / other.norm()) < 1e-3


def test_perplexity_of_a_model_that_knows_nothing_is_the_vocabulary() -> None:
    assert perplexity(lambda t: torch.zeros(*t.shape, 7), torch.arange(20) % 7, 10) == pytest.approx(7)
    with pytest.raises(ValueError, match="tokens=3 must be at least context=10"):
        perplexity(lambda t: torch.zeros(*t.shape, 7), torch.arange(3), 10)
