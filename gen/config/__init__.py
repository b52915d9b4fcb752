"""Plain configuration and number formats: importable by every part, importing none of them."""

from .design import (
    NO_PIPELINE,
    Config,
    ConfigError,
    Pipeline,
    RankClass,
    largest_code,
    preset,
    preset_names,
    preset_text,
)
from .formats import (
    BF16,
    E4M3,
    E5M2,
    E8M0,
    FLOAT_FORMATS,
    FP16,
    FP32,
    FloatFormat,
    Kind,
    Number,
    Rounding,
)
from .groups import SCHEMES, FineLevel, Groups

__all__ = [
    "BF16",
    "E4M3",
    "E5M2",
    "E8M0",
    "FLOAT_FORMATS",
    "FP16",
    "FP32",
    "NO_PIPELINE",
    "SCHEMES",
    "Config",
    "ConfigError",
    "FineLevel",
    "FloatFormat",
    "Groups",
    "Kind",
    "Number",
    "Pipeline",
    "RankClass",
    "Rounding",
    "largest_code",
    "preset",
    "preset_names",
    "preset_text",
]
