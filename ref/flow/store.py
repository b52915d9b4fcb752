"""What a quantization run tells the world: a store for finished layers, a record of each, and progress."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from ..linear import QuantizedLinear


@dataclass(frozen=True)
class LayerRecord:
    """What the flow did to a layer.

    Members
    -------
    before, after : error of the layer's output over calibration tokens, relative to the output (root mean square,
        every token weighted as in the fit): quantized plainly (round to nearest, no smoothing, no low-rank path), and
        by the flow
    seconds : time the layer took
    """

    before: float
    after: float
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


@dataclass(frozen=True)
class Progress:
    """A step of the run is done.

    Members
    -------
    stage : "calibrate", "layer" or "tune"
    name : the layer; empty in the other stages
    index, count : steps of this stage done, of how many
    before, after : as in `LayerRecord`; stage "tune": the loss of the step, twice; stage "calibrate": 0
    """

    stage: str
    name: str
    index: int
    count: int
    before: float
    after: float


ProgressCallback = Callable[[Progress], None]
"""Called after every step."""


class LayerStore(Protocol):
    """Finished layers, so that an interrupted run continues.

    `load` is asked for every layer before it is fitted, in the order of `nn.Module.named_modules`; `save` is called as
    soon as a layer is fitted. Layers of another recipe, configuration, model or calibration must not be given back:
    the store has to know. The run's last step (`Recipe.tune_steps`) changes layers after they were saved; what counts
    in the end is what `quantize` returns.
    """

    def load(self, name: str) -> QuantizedLinear | None:
        """The finished layer of that name, or None."""

    def save(self, name: str, layer: QuantizedLinear, record: LayerRecord) -> None:
        """Keep a finished layer."""
