"""One layer through the flow: smoothing, low-rank split, rounding, refit; every step can be switched off."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from ..grouped import GroupScheme
from .fast import expand, fast_activations
from .rounding import round_weights, upper_inverse


@dataclass(frozen=True)
class Recipe:
    """Which steps are taken.

    Members
    -------
    rank : components of the low-rank path
    smoothing : "none", "max" (SmoothQuant, alpha 1/2), "rms" (root mean squares instead of maxima, of what the low-rank
        path leaves), "search" (the best of a family by output error)
    clips : factors on the scales of weights that are tried
    compensate : GPTQ rounding instead of rounding to nearest
    absorb : the weight is first fitted to the quantized activations (least squares), so that what quantizing them
        takes away is given back where it can be foretold
    refits : how many times the low-rank part is fitted to the remaining error and the weights rounded again
    bias : the mean error goes into the bias
    signed_x, signed_w : maxima take code -2^(b-1), scales carry a sign
    damping : of Hessians, of the mean diagonal
    """

    rank: int = 32
    smoothing: str = "search"
    clips: tuple[float, ...] = (1.0, 0.95, 0.9, 0.85, 0.8)
    compensate: bool = True
    absorb: bool = True
    refits: int = 2
    bias: bool = True
    signed_x: bool = False
    signed_w: bool = False
    damping: float = 0.01
    absorb_damping: float = 0.3
    split_damping: float = 0.01
    weight_share: float = 0.3
    steps: int = 60
    equal_tokens: bool = True
    raw_share: float = 0.3
    metric: str = "plain"
    alphas: tuple[float, ...] = field(default=(0.35, 0.5, 0.65))


@dataclass
class FittedLayer:
    """A quantized layer in float32.

    Members
    -------
    multiplier : m [K], FP16 numbers
    codes, scales, shifts : the weight, as `round_weights` gives it
    u, v : [N, r], [r, K], FP16 numbers
    bias : [N]
    """

    multiplier: Tensor
    codes: Tensor
    scales: Tensor
    shifts: Tensor
    u: Tensor
    v: Tensor
    bias: Tensor
    w_scheme: GroupScheme
    x_scheme: GroupScheme
    signed_x: bool

    def weight(self) -> Tensor:
        """The dequantized residual weight [N, K]."""
        return self.codes * expand(self.scales, self.shifts, self.w_scheme, self.codes.shape[1])

    def smooth(self, x: Tensor) -> Tensor:
        """x' [T, K] of inputs."""
        return half(half(x) * self.multiplier)

    def quantized(self, smoothed: Tensor) -> Tensor:
        """Dequantized x'."""
        return fast_activations(smoothed, self.x_scheme, self.signed_x)

    def run(self, x: Tensor) -> Tensor:
        """Outputs [T, N] of inputs [T, K]."""
        smoothed = self.smooth(x)
        y = self.quantized(smoothed) @ self.weight().T
        return half(y + half(smoothed @ self.v.T) @ self.u.T + self.bias)


def half(x: Tensor) -> Tensor:
    """Rounded to FP16."""
    return x.to(torch.float16).to(torch.float32)


def leading(w: Tensor, rank: int, row_metric: Tensor) -> Tensor:
    """The rank-r L that minimises sum over k of metric_k * |W_k - L_k|^2, [N, K]."""
    if not rank:
        return torch.zeros_like(w)
    root = row_metric.sqrt()
    s = (w * root).double()
    if w.shape[0] <= w.shape[1]:
        basis = torch.linalg.eigh(s @ s.T).eigenvectors[:, -rank:]
        return (basis @ (basis.T @ s)).float() / root
    basis = torch.linalg.eigh(s.T @ s).eigenvectors[:, -rank:]
    return ((s @ basis) @ basis.T).float() / root


def smoothing(
    x: Tensor, w: Tensor, recipe: Recipe, schemes: tuple[GroupScheme, GroupScheme], raw: Tensor
) -> Tensor:
    """m [K] by the recipe."""
    if recipe.smoothing == "none":
        return torch.ones(w.shape[1])
    if recipe.smoothing == "max":
        return finish(w.abs().amax(0).clamp(min=1e-8).sqrt() / x.abs().amax(0).clamp(min=1e-8).sqrt(), raw, w)
    rms = x.square().mean(0).sqrt().clamp(min=1e-8)
    m = (w.square().mean(0).sqrt().clamp(min=1e-8) / rms).sqrt()
    rest = w
    for _ in range(2):
        rest = w - leading(w, recipe.rank, m.reciprocal().square())
        columns = rest.square().mean(0).sqrt()
        m = (columns.clamp(min=1e-3 * float(columns.mean())) / rms).sqrt()
    if recipe.smoothing == "rms":
        return finish(m, raw, w)
    columns = columns.clamp(min=1e-3 * float(columns.mean()))
    peak_x, peak_w = x.abs().amax(0).clamp(min=1e-8), rest.abs().amax(0).clamp(min=1e-8)
    sample = x[:: max(1, len(x) // 512)]
    best, least = m, float("inf")
    for alpha in recipe.alphas:
        for mix_x in (0.0, 0.25, 0.5):
            for mix_w in (0.0,):
                stat_x = rms ** (1 - mix_x) * peak_x**mix_x
                stat_w = columns ** (1 - mix_w) * peak_w**mix_w
                trial = finish(stat_w ** (1 - alpha) / stat_x**alpha, raw, w)
                error = trial_error(sample, rest, trial, schemes, recipe)
                if error < least:
                    best, least = trial, error
    return best


def finish(m: Tensor, x: Tensor, w: Tensor) -> Tensor:
    """m as FP16 numbers, with a common power of two that balances the maxima of x m and w / m."""
    balance = torch.log2((w / m).abs().max() / (x * m).abs().max().clamp(min=1e-30)) / 2
    return half(m * torch.exp2(balance.round())).clamp(min=2.0**-14, max=2.0**15)


def trial_error(
    x: Tensor, rest: Tensor, m: Tensor, schemes: tuple[GroupScheme, GroupScheme], recipe: Recipe
) -> float:
    """Squared output error of the rest with smoothing m: activations', and half of the weights' (compensated later)."""
    x_scheme, w_scheme = schemes
    smoothed, scaled = half(x * m), rest / m
    noise = fast_activations(smoothed, x_scheme, recipe.signed_x) - smoothed
    error = (noise @ scaled.T).square().sum()
    codes, scales, shifts = round_weights(
        scaled, torch.eye(len(m)), w_scheme, (1.0,), recipe.signed_w, compensate=False
    )
    lost = codes * expand(scales, shifts, w_scheme, len(m)) - scaled
    weight_error = (smoothed @ lost.T).square().sum()
    return float(error + (0.4 if recipe.compensate else 1.0) * weight_error)


def fit_layer(
    x: Tensor,
    target: Tensor,
    w: Tensor,
    bias: Tensor | None,
    recipe: Recipe,
    x_scheme: GroupScheme,
    w_scheme: GroupScheme,
) -> FittedLayer:
    """Quantize a layer such that its outputs on x come near to target.

    Parameters
    ----------
    x : inputs as they will be [T, K]
    target : outputs wanted [T, N], the bias not included
    w, bias : the trained layer
    """
    x = half(x)
    if recipe.equal_tokens:
        energy = target.square().mean(1)
        rate = ((energy + 0.01 * energy.median()).reciprocal() + recipe.raw_share / energy.mean()).sqrt()
        rate = (rate / rate.square().mean().sqrt())[:, None]
    else:
        rate = torch.ones(len(x), 1)
    m = smoothing(x * rate, w, recipe, (x_scheme, w_scheme), x)
    smoothed = half(x * m)
    quantized = fast_activations(smoothed, x_scheme, recipe.signed_x)
    scaled = w / m
    inputs = w.shape[1]
    tokens = len(x)
    plain, plain_quantized, plain_target = smoothed, quantized, target
    smoothed, quantized, target = smoothed * rate, quantized * rate, target * rate
    h = quantized.T @ quantized / tokens
    factor = upper_inverse(h, recipe.damping)
    metric = torch.ones(inputs)
    if recipe.metric == "noise":
        metric = (quantized - smoothed).square().mean(0)
        metric = metric / metric.mean()
        metric = metric + 0.05 * metric.mean()
    low = leading(scaled, recipe.rank, metric)
    u, v = factors(low, recipe.rank, plain)
    if recipe.absorb or recipe.refits:
        # Gram matrices: everything after this is free of tokens.
        c = smoothed.T @ smoothed / tokens
        g = quantized.T @ smoothed / tokens
        yq, yx = target.T @ quantized / tokens, target.T @ smoothed / tokens
        solve_h = torch.cholesky_inverse(
            torch.linalg.cholesky(
                (h + recipe.absorb_damping * h.diagonal().mean() * torch.eye(inputs)).double()
            )
        ).float()
        damped = (c + recipe.split_damping * c.diagonal().mean() * torch.eye(inputs)).double()
        values, vectors = torch.linalg.eigh(damped)
        values = values.clamp(min=1e-12)
        root = ((vectors * values.sqrt()) @ vectors.T).float()
        unroot = ((vectors / values.sqrt()) @ vectors.T).float()
    for step in range(recipe.refits + 1):
        rest = scaled - u @ v
        if recipe.absorb:
            rest = rest + (yq - u @ (v @ g.T) - rest @ h) @ solve_h
        codes, scales, shifts = round_weights(
            rest, factor, w_scheme, recipe.clips, recipe.signed_w, recipe.compensate
        )
        r = codes * expand(scales, shifts, w_scheme, inputs)
        if step == recipe.refits or not recipe.rank:
            break
        # U V near B = (Y - Xq R)^T X' C^-1 in the metric C; the damping draws B to W' - R.
        draw = recipe.split_damping * c.diagonal().mean() * (scaled - r)
        b = ((yx - r @ g + draw) @ unroot).double() @ unroot.double()
        s = b @ root.double()
        if s.shape[0] <= s.shape[1]:
            basis = torch.linalg.eigh(s @ s.T).eigenvectors[:, -recipe.rank :]
            low = (basis @ (basis.T @ b)).float()
        else:
            inner = torch.linalg.eigh(s.T @ s).eigenvectors[:, -recipe.rank :]
            low = ((s @ inner) @ (inner.T @ unroot.double())).float()
        u, v = factors(low, recipe.rank, plain)
    total = torch.zeros(w.shape[0]) if bias is None else bias
    if recipe.bias:
        error = plain_target - plain_quantized @ r.T - half(plain @ v.T) @ u.T
        total = total + (error * rate.square()).mean(0)
    return FittedLayer(m, codes, scales, shifts, u, v, half(total), w_scheme, x_scheme, recipe.signed_x)


def factors(low: Tensor, rank: int, x: Tensor) -> tuple[Tensor, Tensor]:
    """A matrix of rank r as FP16 numbers U [N, r], V [r, K], z near 2^8 at most on x."""
    if not rank:
        return torch.zeros(low.shape[0], 0), torch.zeros(0, low.shape[1])
    d = low.double()
    if d.shape[0] <= d.shape[1]:
        u = torch.linalg.eigh(d @ d.T).eigenvectors[:, -rank:].flip(1)
        v = u.T @ d
    else:
        v = torch.linalg.eigh(d.T @ d).eigenvectors[:, -rank:].flip(1).T
        u = d @ v.T
    u, v = u.float(), v.float()
    place = torch.exp2((8 - torch.log2((x @ v.T).abs().amax(0).clamp(min=1e-30))).round().clamp(-24, 24))
    return half(u / place), half(v * place[:, None])
