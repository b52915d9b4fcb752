"""Cycles of a layer on the core, without a simulation: how many, what bounds them, and what the rest is lost to."""

from .cycles import Cycles, predict
from .losses import Estimate, estimate
from .mapping import Mapping, mappings
from .shapes import MODELS, LayerShape, ShapeError, Workload, parse_shape, workload

__all__ = [
    "MODELS",
    "Cycles",
    "Estimate",
    "LayerShape",
    "Mapping",
    "ShapeError",
    "Workload",
    "estimate",
    "mappings",
    "parse_shape",
    "predict",
    "workload",
]
