"""One row of an evaluation: a model with its layers in one scheme, run and judged."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sevedo.gen.config import Config
from sevedo.gen.evaluate.memory import memory_bits, ranks, value_bits
from sevedo.gen.evaluate.subject import Subject
from sevedo.ref.artefact import Artefact
from sevedo.ref.flow.modules import install
from sevedo.ref.models.attention import GroupedProduct, PlainAttention, swap_attention

Step = Callable[[int], None]
"""Takes how many layers have been run so far."""

FP32 = "fp32"
"""The label of the model as it was trained."""


@dataclass(frozen=True)
class Row:
    """What came out.

    Members
    -------
    label : `FP32`, a scheme, or an artefact's name
    scheme : the scheme of its layers; None of `FP32`
    attention : "float", or the scheme that the products of attention are quantized in
    bits : memory of an activation and of a weight of the residual path, with their shares of scales; 32 of `FP32`
    memory : bits of everything a layer keeps, low-rank factors and biases too, for each weight, the mean of the model
    ranks : of the low-rank path, by class (FP16, INT8, INT4), the most of any layer
    figures : the measure's
    seconds : that running it took
    """

    label: str
    scheme: str | None
    attention: str
    bits: tuple[float, float]
    memory: float
    ranks: tuple[int, int, int]
    figures: dict[str, float]
    seconds: float

    def data(self) -> dict[str, Any]:
        """Plain data; figures that are not finite are None."""
        finite = {name: value if abs(value) < float("inf") else None for name, value in self.figures.items()}
        return {
            "label": self.label,
            "scheme": self.scheme,
            "attention": self.attention,
            "activation_bits": self.bits[0],
            "weight_bits": self.bits[1],
            "memory_bits": self.memory,
            "ranks": dict(zip(("fp16", "int8", "int4"), self.ranks, strict=True)),
            **finite,
            "seconds": round(self.seconds, 1),
        }


def run(
    subject: Subject,
    label: str,
    artefact: Artefact | None,
    attention: Config | None,
    golden: bool = True,
    step: Step = lambda done: None,
) -> Row:
    """Judge a model.

    Parameters
    ----------
    subject : the model; it is not changed
    label : the row's
    artefact : its layers, or None for those it was trained with
    attention : formats and groups that the products of attention are quantized in; None: floating point
    golden : layers bit for bit as the hardware computes them; else in float32, in seconds
    step : called after every layer
    """
    module = copy.deepcopy(subject.module)
    if artefact is not None:
        install(module, artefact.layers, golden)
    if attention is not None:
        swap_attention(module, PlainAttention(GroupedProduct(attention)))
    done = 0

    def count(*_: Any) -> None:
        nonlocal done
        done += 1
        step(done)

    for name in subject.layers:
        module.get_submodule(name).register_forward_hook(count)
    start = time.perf_counter()
    figures = subject.measure(module)
    seconds = time.perf_counter() - start
    return Row(
        label,
        None if artefact is None else artefact.config.groups.scheme,
        "float" if attention is None else attention.groups.scheme,
        (32.0, 32.0) if artefact is None else value_bits(artefact),
        32.0 if artefact is None else memory_bits(artefact),
        (0, 0, 0) if artefact is None else ranks(artefact),
        figures,
        seconds,
    )
