"""Attention: the plain form equals the fused one, and its quantized products are the residual path's."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from sevedo.gen.config import Config, preset
from sevedo.ref.grouped import GroupScheme
from sevedo.ref.models.attention import (
    GroupedProduct,
    PlainAttention,
    float_product,
    fused_attention,
    swap_attention,
)
from sevedo.ref.rounding import round_to
from sevedo.ref.rows import quantize_activations


def operands(heads: int = 6, shared: int = 2, tokens: int = 21, width: int = 24) -> tuple[Tensor, ...]:
    torch.manual_seed(7)
    return (
        torch.randn(2, heads, tokens, width),
        torch.randn(2, shared, tokens, width),
        torch.randn(2, shared, tokens, width),
    )


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_plain_equals_fused(causal: bool, masked: bool) -> None:
    q, k, v = operands()
    mask = torch.ones(2, 21, dtype=torch.bool)
    mask[1, 15:] = False
    found = PlainAttention()(q, k, v, mask if masked else None, causal)
    torch.testing.assert_close(found, fused_attention(q, k, v, mask if masked else None, causal))
    if masked:
        alone = PlainAttention()(q[1:, :, :15], k[1:, :, :15], v[1:, :, :15], causal=causal)
        torch.testing.assert_close(found[1:, :, :15], alone)


def exact(rows: Tensor, config: Config) -> Tensor:
    """Rows as their codes have them, float64."""
    scheme, data = GroupScheme.activations(config), config.numbers.data_format
    return quantize_activations(round_to(rows, data), scheme).dequantize()


@pytest.mark.parametrize("scheme", ["hgq", "vs-quant", "fp-fine", "mx", "coarse"])
def test_grouped_product_is_the_product_of_the_codes(scheme: str) -> None:
    """Within the bound of docs/numerics.md of the exact product of the dequantized operands; K 100 has a tail."""
    config = preset("core").with_scheme(scheme)
    torch.manual_seed(3)
    a, b = torch.randn(2, 3, 9, 100), torch.randn(2, 3, 7, 100)
    found = GroupedProduct(config)(a, b)
    assert found.shape == (2, 3, 9, 7)
    assert found.dtype is torch.float32
    for batch in range(2):
        for head in range(3):
            left, right = exact(a[batch, head], config), exact(b[batch, head], config)
            bound = (left.abs() @ right.abs().T) * 9 * 2.0**-24
            assert bool(((found[batch, head] - left @ right.T).abs() <= bound).all())
    loss = float((found - float_product(a, b)).norm() / float_product(a, b).norm())
    assert 0.02 < loss < 0.4


def test_products_are_along_width_and_keys() -> None:
    """Both products are quantized along the dimension that is summed over."""
    seen: list[tuple[int, ...]] = []

    def product(a: Tensor, b: Tensor) -> Tensor:
        seen.append((*a.shape, *b.shape))
        return float_product(a, b)

    q, k, v = operands()
    torch.testing.assert_close(
        PlainAttention(product)(q, k, v, causal=True), fused_attention(q, k, v, causal=True)
    )
    # Three query heads share each of two key heads: their rows are one product.
    assert seen == [(2, 2, 63, 24, 2, 2, 21, 24), (2, 2, 63, 21, 2, 2, 24, 21)]


def test_heads_and_batches_do_not_mix() -> None:
    product = GroupedProduct(preset("tiny"))
    q, k, v = operands(heads=4, shared=2)
    whole = PlainAttention(product)(q, k, v, causal=True)
    assert whole.shape == q.shape
    part = PlainAttention(product)(q[1:, 2:], k[1:, 1:], v[1:, 1:], causal=True)
    assert torch.equal(whole[1:, 2:], part)
    assert not torch.equal(whole, PlainAttention()(q, k, v, causal=True))


def test_swap_reaches_every_block() -> None:
    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attend = fused_attention

    model, other = nn.Sequential(Block(), nn.Sequential(Block())), PlainAttention()
    swap_attention(model, other)
    assert [m.attend for m in model.modules() if isinstance(m, Block)] == [other, other]
    with pytest.raises(ValueError, match="Linear must have modules with a member attend"):
        swap_attention(nn.Linear(2, 2), other)
