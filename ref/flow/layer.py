"""One layer through the flow: smoothing, split, classes, rounding."""

from __future__ import annotations

import time

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from sevedo.gen.config import Config

from ..classes import quantize_class
from ..grouped import GroupScheme
from ..linear import QuantizedLinear
from .classes import assign
from .fake import fake_activations, rounded
from .modules import FakeLinear
from .recipe import Recipe
from .rounding import round_weights, upper_inverse
from .smoothing import multiplier
from .split import leading, placed
from .statistics import LayerStatistics
from .store import LayerRecord


def fit_layer(
    weight: Tensor, bias: Tensor | None, seen: LayerStatistics, config: Config, recipe: Recipe
) -> QuantizedLinear:
    """A trained layer in the formats of `config`.

    Parameters
    ----------
    weight : [N, K]
    bias : [N], or None
    seen : its inputs over the calibration
    config : formats, groups, and how many ranks of each class the hardware has
    recipe : the steps

    Raises
    ------
    ValueError : weights or bias that are not finite or beyond the formats.
    """
    weight = weight.detach().to(torch.float32)
    data = config.numbers.data_format
    added = torch.zeros(len(weight)) if bias is None else rounded(bias.detach(), data)
    for name, values in (("weight", weight), ("bias", added)):
        if not bool(torch.isfinite(values).all()):
            count = int((~torch.isfinite(values)).sum())
            raise ValueError(
                f"{name} holds {count} values that are not finite in {data.name}; every value must be"
            )
    x_scheme, w_scheme = GroupScheme.activations(config), GroupScheme.weights(config)
    m = multiplier(weight, seen, recipe.rank, recipe.smoothing, data)
    x = rounded(rounded(seen.sample, data) * m, data)
    rest = weight / m
    u, v = leading(rest, recipe.rank)
    chosen = assign(u, v, x, seen.shares, config, recipe)
    fp_u, fp_v = placed(u[:, chosen.fp16], v[chosen.fp16], x, data)
    rest = rest - fp_u @ fp_v
    classes = []
    for digits, ranks in ((2, chosen.int8), (1, chosen.int4)):
        if len(ranks):
            part = quantize_class(u[:, ranks].double(), v[ranks].double(), config, digits, x.double())
            rest = rest - part.matrix().float()
            classes.append(part)
    factor = None
    if recipe.rounding == "compensated":
        factor = upper_inverse(seen.gram * m * m[:, None], recipe.damping)
    fitted = QuantizedLinear(
        config,
        round_weights(rest, w_scheme, factor, recipe.clips),
        fp_u.double(),
        fp_v.double(),
        m.double(),
        added.double(),
        x_scheme,
        tuple(classes),
    )
    numbers = [fitted.weight.scales, fitted.u, fitted.v]
    for part in classes:
        numbers += [part.scales, part.v.scales]
    if not all(bool(torch.isfinite(tensor).all()) for tensor in numbers):
        raise ValueError(
            f"scales or factors are beyond their formats: the weight reaches {float(weight.abs().max()):.3g}, "
            f"its inputs {float(seen.sample.abs().max()):.3g}"
        )
    return fitted


def check_ranks(config: Config, recipe: Recipe) -> None:
    """Refuse a recipe that the hardware of `config` cannot run.

    Raises
    ------
    ValueError : naming the field, its value and the rule.
    """
    counts = {
        "fp16": (recipe.rank, 0, 0),
        "int8": (0, recipe.rank, 0),
    }.get(
        recipe.classes,
        (
            min(recipe.rank, recipe.fp_rank),
            min(max(recipe.rank - recipe.fp_rank, 0), recipe.int8_rank),
            max(recipe.rank - recipe.fp_rank - recipe.int8_rank, 0),
        ),
    )
    lvc = config.lvc
    limits = (("max_rank", lvc.max_rank), ("int8_ranks", lvc.int8_ranks), ("int4_ranks", lvc.int4_ranks))
    for count, (name, most) in zip(counts, limits, strict=True):
        if count > most:
            raise ValueError(
                f"rank={recipe.rank} with classes={recipe.classes!r} needs lvc.{name}={count}, not {most}"
            )


@torch.no_grad()
def record(
    layer: QuantizedLinear, weight: Tensor, bias: Tensor | None, seen: LayerStatistics, start: float
) -> LayerRecord:
    """How far the layer's output is from the trained one's, over the sample; beside plain rounding."""
    x, roots = seen.sample, seen.shares.sqrt()[:, None]
    want = linear(x, weight, bias)
    size = float((want * roots).norm())
    plain_w = round_weights(weight.float(), layer.weight.scheme, None).dequantize().float()
    plain = linear(
        fake_activations(rounded(x, layer.config.numbers.data_format), layer.activation_scheme), plain_w, bias
    )
    fitted = FakeLinear(layer)(x)
    before, after = (float(((y - want) * roots).norm()) / size if size else 0.0 for y in (plain, fitted))
    return LayerRecord(before, after, time.perf_counter() - start)


def linears(module: nn.Module) -> dict[str, nn.Linear]:
    """The layers that the flow quantizes, by name, in the order of `nn.Module.named_modules`."""
    return {name: child for name, child in module.named_modules() if isinstance(child, nn.Linear)}
