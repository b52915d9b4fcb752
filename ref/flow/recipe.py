"""What the flow does to a model, as data."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from sevedo.gen.config import Config

SMOOTHINGS = ("none", "peak", "balance")
ROUNDINGS = ("nearest", "compensated")
CLASSES = ("auto", "fp16", "int8", "svd-mp", "random")
OBJECTIVES = ("auto", "divergence", "error")


@dataclass(frozen=True)
class Recipe:
    """Which steps are taken, and how. Every step can be switched off.

    Parameters
    ----------
    rank : components of the low-rank path, of all classes together
    smoothing : "none"; "peak": maxima, alpha 1/2 (SmoothQuant); "balance": `smoothing.py`
    classes : what components are computed in: "auto": as many in integers as the hardware has ranks of, by SVD-MP;
        "fp16"; "int8"; "svd-mp": by `classes.py`; "random": as many of each class as in "svd-mp", drawn with a fixed
        seed (a baseline)
    fp_rank, int8_rank : the most components in FP16 and in INT8 of "svd-mp"; the others are INT4
    rounding : of weights, "nearest" or "compensated" (GPTQ)
    clips : factors on the scales of weights that are tried; the least error decides
    damping : of the Gram matrix in compensated rounding, relative to its mean diagonal
    tune_steps : steps of the last stage, which trains U, V, smoothing, biases and scales of the whole model; 0: none
    tune_rate : size of its first steps, relative to the root mean square of what is trained
    objective : what that stage lessens: "divergence": Kullback-Leibler, the module's outputs being logits; "error":
        squared error of the outputs; "auto": the first for outputs of at least `targets.VOCABULARY` classes

    Raises
    ------
    ValueError : one line, naming the field, its value and the rule.
    """

    rank: int = 32
    smoothing: str = "balance"
    classes: str = "auto"
    fp_rank: int = 8
    int8_rank: int = 8
    rounding: str = "compensated"
    clips: tuple[float, ...] = (1.0, 0.92, 0.84)
    damping: float = 0.03
    tune_steps: int = 72
    tune_rate: float = 0.0003
    objective: str = "auto"

    def __post_init__(self) -> None:
        for name, allowed in (
            ("smoothing", SMOOTHINGS),
            ("classes", CLASSES),
            ("rounding", ROUNDINGS),
            ("objective", OBJECTIVES),
        ):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name}={getattr(self, name)!r} must be one of {', '.join(allowed)}")
        for name in ("rank", "fp_rank", "int8_rank", "tune_steps"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 0:
                raise ValueError(f"{name}={value!r} must be an integer of at least 0")
        for name in ("damping", "tune_rate"):
            value = getattr(self, name)
            if not isinstance(value, (int, float)) or not 0 < value <= 1:
                raise ValueError(f"{name}={value!r} must be a number above 0, at most 1")
        if not self.clips or not all(isinstance(c, (int, float)) and 0 < c <= 1 for c in self.clips):
            raise ValueError(f"clips={self.clips!r} must be numbers above 0, at most 1, at least one of them")

    def on(self, config: Config) -> Recipe:
        """The recipe with "auto" classes decided: those of the hardware of `config`.

        At least `fp_rank` components, or all there are, stay in floating point, and those beyond the integer ranks.
        """
        if self.classes != "auto":
            return self
        int8, int4 = config.lvc.int8_ranks, config.lvc.int4_ranks
        floating = max(self.rank - int8 - int4, min(self.rank, self.fp_rank))
        if floating == self.rank:
            return replace(self, classes="fp16")
        return replace(self, classes="svd-mp", fp_rank=floating, int8_rank=min(int8, self.rank - floating))

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return {**asdict(self), "clips": list(self.clips)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Recipe:
        """From plain data; what is missing takes its default.

        Raises
        ------
        ValueError : unknown fields, values of the wrong kind or outside their range.
        """
        if not isinstance(data, dict):
            raise ValueError(f"recipe={data!r} must be an object of fields")
        known = {field.name for field in fields(cls)}
        for name in data:
            if name not in known:
                raise ValueError(f"recipe field {name!r} is unknown; known are {', '.join(sorted(known))}")
        values = dict(data)
        if "clips" in values:
            if not isinstance(values["clips"], (list, tuple)):
                raise ValueError(f"clips={values['clips']!r} must be a list of numbers")
            values["clips"] = tuple(values["clips"])
        return cls(**values)
