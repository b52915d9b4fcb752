"""The models as modules and their measures: published figures, padding, causality, errors."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import nn

from sevedo.ref.models.minilm import BertShape, MiniLm, MiniLmModule
from sevedo.ref.models.perplexity import perplexity
from sevedo.ref.models.similarity import mean_cosine, pearson
from sevedo.ref.models.smollm2 import Llama, LlamaShape, rotate, smollm2
from sevedo.ref.workloads import SENTENCES, WorkloadError, news


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def tiny_llama() -> Llama:
    torch.manual_seed(5)
    model = Llama(LlamaShape(2, 16, 24, 4, 2, 50, 1e4, 1e-5))
    nn.init.normal_(model.embedding)
    return model.requires_grad_(False).eval()


def test_perplexity_of_smollm2() -> None:
    """29.645 over the first 1,536 tokens of the news: shared by every evaluation of issue 5."""
    try:
        language, text = smollm2(), "\n".join(news())
    except WorkloadError as error:
        pytest.skip(str(error))
    tokens = language.tokens(text)
    assert len(tokens) == 75678
    assert perplexity(language.model, tokens[:1536]) == pytest.approx(29.645, abs=1e-3)


def test_perplexity_of_a_model_that_knows_nothing_is_the_vocabulary() -> None:
    def knows_nothing(tokens: torch.Tensor) -> torch.Tensor:
        return torch.zeros(*tokens.shape, 7)

    assert perplexity(knows_nothing, torch.arange(20) % 7, 10) == pytest.approx(7)
    with pytest.raises(ValueError, match="tokens=3 must be at least context=10"):
        perplexity(knows_nothing, torch.arange(3), 10)


def test_windows_are_apart_and_a_rest_is_dropped() -> None:
    model = tiny_llama()
    tokens = torch.randint(0, 50, (25,), generator=torch.Generator().manual_seed(1))
    seen: list[torch.Tensor] = []

    def watched(rows: torch.Tensor) -> torch.Tensor:
        seen.append(rows)
        return model(rows)

    assert perplexity(model, tokens, 10) == perplexity(watched, tokens[:20], 10)
    assert [row.tolist() for row in seen] == [tokens[None, :10].tolist(), tokens[None, 10:20].tolist()]


def test_llama_sees_nothing_of_what_comes() -> None:
    model = tiny_llama()
    one = torch.randint(0, 50, (2, 12), generator=torch.Generator().manual_seed(2))
    other = one.clone()
    other[:, 7:] = (one[:, 7:] + 1) % 50
    before, after = model(one), model(other)
    assert before.shape == (2, 12, 50)
    torch.testing.assert_close(before[:, :7], after[:, :7])
    assert not torch.allclose(before[:, 7:], after[:, 7:])


def test_rotation_keeps_lengths_and_depends_on_distances() -> None:
    torch.manual_seed(3)
    q, k = torch.randn(1, 8), torch.randn(1, 8)
    at = rotate(q.expand(20, 8), 1e4) @ rotate(k.expand(20, 8), 1e4).T
    torch.testing.assert_close(at.diagonal(3), at[0, 3].expand(17))
    torch.testing.assert_close(rotate(q.expand(20, 8), 1e4).norm(dim=1), q.norm().expand(20))
    assert not torch.allclose(at[0, 0], at[0, 3])


def test_padding_does_not_reach_an_embedding() -> None:
    torch.manual_seed(4)
    model = MiniLmModule(BertShape(2, 16, 24, 4, 60, 32)).requires_grad_(False).eval()
    tokens = torch.randint(0, 60, (2, 12))
    mask = torch.ones(2, 12, dtype=torch.bool)
    mask[1, 8:] = False
    both = model(tokens, mask)
    torch.testing.assert_close(both[0], model(tokens[:1])[0])
    torch.testing.assert_close(both[1], model(tokens[1:, :8])[0])
    torch.testing.assert_close(both.norm(dim=1), torch.ones(2))


def test_minilm_cuts_long_texts() -> None:
    try:
        model = MiniLm()
    except WorkloadError as error:
        pytest.skip(str(error))
    assert len(model.tokens("storm " * 1000)) == 256
    assert model.embed(SENTENCES[0]).shape == (384,)


def test_pearson_and_cosine() -> None:
    torch.manual_seed(6)
    embeddings = torch.randn(6, 4)
    unit = nn.functional.normalize(embeddings.double(), dim=1)
    rated = unit @ unit.T
    assert pearson(embeddings, rated) == pytest.approx(1)
    assert pearson(3 * embeddings, 2 - rated) == pytest.approx(-1)
    assert mean_cosine(embeddings, 2 * embeddings) == pytest.approx(1)
    assert mean_cosine(embeddings, torch.cat([embeddings[:3], -embeddings[3:]])) == pytest.approx(0)
    with pytest.raises(ValueError, match=r"rated has shape \(6, 5\); it must be \[6, 6\]"):
        pearson(embeddings, rated[:, :5])
    with pytest.raises(ValueError, match=r"embeddings have shape \(5, 4\)"):
        mean_cosine(embeddings[:5], embeddings)
